"""Quantization in one call, for scripts and notebooks: no service, no setup.

    import numpy as np
    from PIL import Image

    from models.codecs import png
    from models.quantize import quantize

    image = quantize(np.asarray(Image.open("photo.jpg").convert("RGB")), 4)
    open("out.png", "wb").write(png.encode(image))

torch is imported, and shipped networks are loaded, at the first call that needs them.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image

from models.errors import BadOption, UnknownMethod
from models.names import (
    LEARNED_METHOD,
    LEARNED_METHODS,
    NEAREST,
    PHOTOGRAPH_METHODS,
    PUBLISHED_METHOD,
    REFINED_QUICKLY,
    SUPPORTED,
)
from models.palette_image import PaletteImage
from models.palettes import parse_palette
from models.quantizers.base import Backdrop, check_colors
from models.quantizers.classical.catalog import CLASSICAL, classical_for
from models.quantizers.transparency.transparency import Transparency
from models.rgb import Pixels

METHODS = (*LEARNED_METHODS, *PHOTOGRAPH_METHODS, *CLASSICAL, NEAREST)
"""Names of the methods."""

_WHITE = (255, 255, 255)
_DEFAULT_COLORS = 4
_SMALL = 64  # pixels of the shorter side up to which an image is no photograph: twice the size of the default network


def quantize(
    pixels: ArrayLike | Image.Image,
    colors: int | None = None,
    method: str | None = None,
    *,
    model: str | None = None,
    palette: str | ArrayLike | None = None,
    fidelity: float = 0.0,
    transferable: bool = True,
    dither: bool | None = None,
    background: tuple[int, int, int] = _WHITE,
    device: str = "auto",
) -> PaletteImage:
    """Quantize an image so that networks still recognize it, as POST /quantize does.

    >>> ramp = np.linspace(0, 255, 80 * 80 * 3).reshape(80, 80, 3).astype(np.uint8)
    >>> image = quantize(ramp, 4, "kmeans")
    >>> image.colors, image.indices.shape
    (4, (80, 80))
    >>> quantize(ramp, method="nearest", palette="#000,#fff").hex_palette()
    ('#000000', '#ffffff')

    Args:
        pixels: (H, W, 3) uint8 sRGB, or (H, W, 4) with straight alpha, which is kept; or what `numpy.asarray` makes one
            of, such as an image of Pillow in the mode RGB or RGBA.
        colors: most entries of the palette, 2 to 256; 4 by default, or the number of colors of `palette`.
        method: one of METHODS. By default `colorcnn` for an image whose shorter side has at most 64 pixels, and
            `refined_fast` for a larger one, with a classifier as model, and with an option of refined methods alone.
        model: name of a shipped network, or of a classifier that a refined method follows; None for the default one.
        palette: fixed palette: a text that `models.palettes.parse_palette` reads, such as "spectra6" or "#000,#fff", or
            (K, 3) levels, 0 to 255. All its entries stay in their order; a transparent one follows them if needed.
        fidelity: 0 to 1, the weight of likeness against recognition.
        transferable: whether a refined image is optimized for several classifiers.
        dither: whether a refined image diffuses errors; None decides by the size.
        background: sRGB color over which recognizers see an image with alpha. An image whose alpha `colors` cannot keep
            is composited over it; see `Transparency.of`.
        device: of the networks: "auto", "cpu", "cuda" or "cuda:<n>".

    Raises:
        BadOption: an option is out of range, or the method does not support it.
        UnknownMethod, UnknownModel: nothing has that name.
        ValueError: `pixels` or `palette` is something else.
    """
    straight, alpha = _read(pixels)
    fixed = None if palette is None else _read_palette(palette)
    count = _count(colors, fixed)
    of_refined = fixed is not None or dither is not None or not transferable
    name = _method(method) or _default_method(model, min(straight.shape[:2]), of_refined=of_refined)
    _check_options(name, model, fixed, fidelity, transferable=transferable, dither=dither)
    plan = None if alpha is None else Transparency.of(straight, alpha, count, fixed_palette=fixed is not None)
    if name in CLASSICAL or name == NEAREST:
        quantizer = classical_for(name, fixed)
    else:
        from models.quantizers.learned.shipped import shipped_quantizer  # here, because it imports torch

        quantizer = shipped_quantizer(
            name,
            model,
            device=device,
            fidelity=fidelity,
            transferable=transferable,
            dither=dither,
            palette=fixed,
            backdrop=None if plan is None else plan.backdrop(background),
        )
    if plan is not None:
        return plan.apply(quantizer.quantize(plan.pixels, plan.colors))
    return quantizer.quantize(straight if alpha is None else Backdrop(alpha, background).behind(straight), count)


def _read(pixels: ArrayLike | Image.Image) -> tuple[Pixels, NDArray[np.uint8] | None]:
    """Return the colors and the alpha of an image, None for an opaque one."""
    values = np.asarray(pixels)
    if values.ndim != 3 or values.shape[2] not in (3, 4) or values.dtype != np.uint8 or values.size == 0:
        raise ValueError(
            f"pixels must be (H, W, 3) or (H, W, 4) uint8 and not empty, not {values.shape} {values.dtype}; convert an "
            'image of Pillow with convert("RGB"), and floats in 0..1 with (255 * pixels).round().astype("uint8")'
        )
    colors = np.ascontiguousarray(values[:, :, :3])
    if values.shape[2] == 3 or values[:, :, 3].min() == 255:
        return colors, None
    return colors, np.ascontiguousarray(values[:, :, 3])


def _read_palette(palette: str | ArrayLike) -> NDArray[np.uint8]:
    if isinstance(palette, str):
        return parse_palette(palette)
    values = np.asarray(palette)
    if values.ndim != 2 or values.shape[1] != 3 or not np.isin(values, np.arange(256)).all():
        raise ValueError(f"palette must be a text or (K, 3) levels from 0 to 255, not {values.shape} {values.dtype}")
    colors = values.astype(np.uint8)
    return parse_palette(",".join(bytes(color).hex() for color in colors))  # which checks their number


def _count(colors: int | None, palette: NDArray[np.uint8] | None) -> int:
    if palette is not None:
        if colors not in (None, len(palette)):
            raise BadOption(f"colors is {colors}, but the palette has {len(palette)} colors; leave colors out")
        return len(palette)
    count = _DEFAULT_COLORS if colors is None else colors
    check_colors(count)
    return count


def _method(method: str | None) -> str | None:
    if method == PUBLISHED_METHOD:
        raise BadOption(
            f"the method {method!r} needs networks that do not ship; serve a folder of models that has them"
        )
    if method is not None and method not in METHODS:
        raise UnknownMethod(f"there is no method {method!r}; the methods are {', '.join(METHODS)}")
    return method


def _default_method(model: str | None, shorter_side: int, *, of_refined: bool) -> str:
    """Return the method where none is named. of_refined: whether an option is given that refined methods alone have."""
    if model is not None:
        from models.quantizers.learned.shipped import is_classifier  # here, because it imports torch

        return REFINED_QUICKLY if is_classifier(model) else LEARNED_METHOD
    return REFINED_QUICKLY if of_refined or shorter_side > _SMALL else LEARNED_METHOD


def _check_options(
    method: str,
    model: str | None,
    palette: NDArray[np.uint8] | None,
    fidelity: float,
    *,
    transferable: bool,
    dither: bool | None,
) -> None:
    """Raise BadOption for an option that the method does not support."""
    if not 0 <= fidelity <= 1:
        raise BadOption(f"fidelity must be 0 to 1, not {fidelity}")
    given = {
        "model": model is not None,
        "palette": palette is not None,
        "fidelity": fidelity != 0,
        "transferable": not transferable,
        "dither": dither is not None,
    }
    for option in (name for name, is_given in given.items() if is_given):
        if method not in SUPPORTED[option]:
            others = ", ".join(name for name in SUPPORTED[option] if name in METHODS)
            raise BadOption(f"the method {method!r} does not support {option}; leave it out, or use one of {others}")
