"""The last steps of decoding: from the samples that a file stores to upright sRGB pixels over a background."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from models.decoding.alpha import Color, ColorKey, over_background, split_alpha
from models.decoding.bands import row_bands
from models.decoding.color_modes import color_mode
from models.decoding.icc import plan_conversion, to_srgb
from models.decoding.orientation import stored_view, upright_shape
from models.rgb import Pixels

_OPAQUE = 255


@dataclass(frozen=True, eq=False)
class Layer:
    """An image with alpha. colors: (H, W, 3) uint8 sRGB, not multiplied by alpha. alpha: (H, W) uint8."""

    colors: Pixels
    alpha: NDArray[np.uint8]

    def scaled(self, height: int, width: int) -> "Layer":
        """Return the image scaled bicubically; transparent pixels add nothing to the colors of their neighbors."""
        layers = Image.fromarray(self.colors)
        layers.putalpha(Image.fromarray(self.alpha))
        # Pillow multiplies colors by alpha before it scales, and divides them after.
        values = np.asarray(layers.resize((width, height), Image.Resampling.BICUBIC, reducing_gap=3))
        return Layer(np.ascontiguousarray(values[:, :, :3]), np.ascontiguousarray(values[:, :, 3]))


@dataclass(frozen=True, eq=False)
class StoredImage:
    """An image as its file stores it: complete and in eight bits, but not yet sRGB, opaque or upright.

    Attributes:
        image: loaded, of 8-bit samples.
        alpha: L, the alpha of an image whose mode has none; None elsewhere.
        color_key: the color that marks transparent pixels, if any.
        profile: the ICC profile, or any other value that a damaged file has in its place; None without a profile.
        orientation: EXIF orientation, 1 to 8.
        notes: notes of the loader, in the order of `DecodedImage.notes`.
        profile_source: the name of what states the colors, for a note.
    """

    image: Image.Image
    alpha: Image.Image | None
    color_key: ColorKey | None
    profile: object
    orientation: int
    notes: tuple[str, ...]
    profile_source: str = "ICC profile"


def show(stored: StoredImage, background: Color, *, keep_alpha: bool) -> tuple[Pixels, Layer | None, list[str]]:
    """Return the pixels of a stored image as sRGB, over the background and upright, and the notes on these steps.

    With `keep_alpha` return also the layer, or None where every pixel is opaque; then no note says that the pixels are
    composited.
    """
    conversion = plan_conversion(color_mode(stored.image), stored.profile, stored.profile_source)
    notes = [conversion.note] if conversion.note else []
    pixels = np.empty(upright_shape(stored.image, stored.orientation), dtype=np.uint8)
    target = stored_view(pixels, stored.orientation)
    transparent, layer = False, None
    for rows, band in row_bands(stored.image):
        colors, alpha = split_alpha(band, stored.color_key)
        if stored.alpha is not None:
            alpha = stored.alpha.crop((0, rows.start, stored.alpha.width, rows.stop))
        rgb = to_srgb(colors, conversion)
        if alpha is None:
            target[rows] = np.asarray(rgb)
        else:
            transparent = True
            target[rows] = np.asarray(over_background(rgb, alpha, background))
        if keep_alpha and transparent:
            layer = layer or _opaque_layer(pixels)
            stored_view(layer.colors, stored.orientation)[rows] = np.asarray(rgb)
            stored_view(layer.alpha, stored.orientation)[rows] = _OPAQUE if alpha is None else np.asarray(alpha)
    if transparent and not keep_alpha:
        notes.append(composited_note(background))
    return pixels, layer, notes


def composited_note(background: Color) -> str:
    """Return the note on an image whose transparent pixels show the background."""
    return "alpha composited over #{:02x}{:02x}{:02x}".format(*background)


def _opaque_layer(pixels: Pixels) -> Layer:
    """Return a layer with the pixels so far, which are opaque."""
    return Layer(pixels.copy(), np.full(pixels.shape[:2], _OPAQUE, np.uint8))
