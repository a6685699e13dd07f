"""Parts that all quantizers share: the interface, the range of `colors`, and the rule for images with few colors."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from models.color_range import MAX_COLORS as MAX_COLORS
from models.color_range import MIN_COLORS as MIN_COLORS
from models.errors import BadOption
from models.palette_image import PaletteImage, nearest
from models.pauses import pause
from models.rgb import Pixels, check_pixels, pack, unpack

_SAMPLE = 4096  # pixels of the sample that rejects most photos early
_BAND = 1 << 18  # pixels at a time, because NumPy widens an index to 8 bytes, and a color in float64 to 24


class Quantizer(Protocol):
    """Algorithm that reduces an image to few colors. Equal arguments give equal results."""

    @property
    def name(self) -> str:
        """Name of the method in requests and result tables."""

    def quantize(self, pixels: Pixels, colors: int) -> PaletteImage:
        """Quantize (H, W, 3) uint8 sRGB pixels to at most `colors` colors.

        Return a compact image: every palette entry is used and no two entries are equal. An image that already has no
        more than `colors` colors is returned exactly. Raises BadOption unless `colors` is 2 to 256.

        A quantizer with a fixed palette returns all its entries, used or not, in their order. It returns an image of
        these colors exactly. Raises BadOption unless `colors` is their number.
        """


@dataclass(frozen=True, eq=False)
class Backdrop:
    """What is seen of a picture with transparent parts: the picture over a plain background.

    alpha: (H, W) uint8. background: sRGB, 0 to 255 each.
    """

    alpha: NDArray[np.uint8]
    background: tuple[int, int, int]

    def behind(self, pixels: Pixels) -> Pixels:
        """Return opaque pixels, (H, W, 3) uint8, as they are seen: composited over the background."""
        result = np.empty_like(pixels)
        done = 0
        for colors, alpha in zip(bands(pixels), bands(self.alpha), strict=True):
            share = alpha[:, np.newaxis] / np.float32(255)
            seen = share * colors + (1 - share) * np.array(self.background, np.float32)
            result.reshape(-1, 3)[done : done + len(alpha)] = np.rint(seen)
            done += len(alpha)
        return result

    def scaled(self, height: int, width: int) -> "Backdrop":
        """Return the backdrop of the picture at another size."""
        if self.alpha.shape == (height, width):
            return self
        alpha = Image.fromarray(self.alpha).resize((width, height), Image.Resampling.BICUBIC, reducing_gap=3)
        return Backdrop(np.asarray(alpha), self.background)


def check_colors(colors: int) -> None:
    """Raise BadOption unless `colors` is from MIN_COLORS to MAX_COLORS."""
    if not MIN_COLORS <= colors <= MAX_COLORS:
        raise BadOption(f"colors must be {MIN_COLORS} to {MAX_COLORS}, not {colors}")


def exact(pixels: Pixels, colors: int) -> PaletteImage | None:
    """Return the image itself in palette form if it has at most `colors` distinct colors, else None.

    Every quantizer calls this function first. No result is better than the image itself, but some algorithms miss it:
    octrees merge neighbors, and means are rounded. A sample of the pixels suffices to reject most photos. Otherwise
    the cost is linear in the pixels, with a table of all 2^24 colors.

    Args:
        pixels: (H, W, 3) uint8 sRGB.
        colors: 2 to 256.
    """
    flat = pixels.reshape(-1, 3)
    stride = -(-len(flat) // _SAMPLE)
    if len(np.unique(pack(flat[::stride]))) > colors:
        return None
    used = np.zeros(1 << 24, dtype=np.bool_)
    for band in bands(pixels):
        used[pack(band)] = True
    distinct = np.flatnonzero(used)
    if len(distinct) > colors:
        return None
    rank = used.view(np.uint8)
    rank[distinct] = np.arange(len(distinct))
    indices = np.concatenate([rank[pack(band)] for band in bands(pixels)])
    return PaletteImage(indices.reshape(pixels.shape[:2]), unpack(distinct))


def checked_exact(pixels: Pixels, colors: int) -> PaletteImage | None:
    """Check both arguments, then return the result of `exact`.

    Raises BadOption unless `colors` is 2 to 256, and ValueError unless `pixels` is (H, W, 3) uint8 and not empty.
    """
    check_colors(colors)
    check_pixels(pixels)
    return exact(pixels, colors)


def checked_exact_in(pixels: Pixels, colors: int, palette: NDArray[np.uint8]) -> PaletteImage | None:
    """Check the arguments of a quantizer with a fixed palette; return the image itself if it has no other colors.

    The result has all entries of the palette in their order. For another image, return None.

    Args:
        pixels: (H, W, 3) uint8 sRGB.
        colors: K.
        palette: (K, 3) uint8, K from 2 to 256, no two entries equal.

    Raises:
        BadOption: `colors` is not the number of entries.
        ValueError: `pixels` has another shape or dtype, or is empty.
    """
    if colors != len(palette):
        raise BadOption(f"the palette has {len(palette)} colors, so colors must be {len(palette)}, not {colors}")
    check_pixels(pixels)
    flat = pixels.reshape(-1, 3)
    if not np.isin(pack(flat[:: -(-len(flat) // _SAMPLE)]), pack(palette)).all():
        return None
    image = nearest(pixels, palette)
    return image if np.array_equal(image.render(), pixels) else None


def through_pillow(pixels: Pixels, colors: int, algorithm: Callable[[Image.Image], Image.Image]) -> PaletteImage:
    """Quantize with an algorithm that works on Pillow images, unless the image already has few colors.

    Pillow may return fewer entries than requested, equal entries and, for octree, unused entries of zeros. The result
    of this function is compact.

    Args:
        pixels: (H, W, 3) uint8 sRGB, not empty.
        colors: 2 to 256.
        algorithm: converts an RGB image to a P image.

    Raises:
        BadOption: `colors` is out of range.
        ValueError: `pixels` has another shape or dtype, or is empty.
    """
    unchanged = checked_exact(pixels, colors)
    if unchanged is not None:
        return unchanged
    quantized = algorithm(Image.fromarray(pixels))
    palette = np.asarray(quantized.getpalette("RGB"), dtype=np.uint8).reshape(-1, 3)
    return PaletteImage(np.array(quantized), palette).compact()


def bands(image: NDArray[np.uint8]) -> Iterator[NDArray[np.uint8]]:
    """Yield flat bands, (N, ...), of a bounded number of pixels of an image, (H, W, ...), with a pause after each.

    The bands of a C-contiguous image are views of it.
    """
    flat = image.reshape(-1, *image.shape[2:])
    for band in np.array_split(flat, -(-len(flat) // _BAND)):
        yield band
        pause()
