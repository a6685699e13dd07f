"""Parts that all quantizers share: the interface, the range of `colors`, and the rule for images of few colors."""

from collections.abc import Callable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from models.errors import BadOption
from models.palette_image import MAX_COLORS as MAX_COLORS
from models.palette_image import PaletteImage
from models.rgb import Pixels, check_pixels, pack, unpack

MIN_COLORS = 2

_SAMPLE = 4096  # pixels whose colors are counted before all pixels are
_BAND = 1 << 18  # pixels processed together: NumPy takes 8 bytes for an index, and 24 for a color in float64


class Quantizer(Protocol):
    """Reduces an image to few colors. Deterministic: equal arguments give equal results."""

    @property
    def name(self) -> str:
        """Name of the method in requests and result tables."""

    def quantize(self, pixels: Pixels, colors: int) -> PaletteImage:
        """Quantize (H, W, 3) uint8 sRGB pixels to at most `colors` colors.

        Return a compact image: every palette entry is used and no two entries are equal. An image that already has no
        more than `colors` colors is returned exactly. Raises BadOption unless `colors` is 2 to 256.
        """


def check_colors(colors: int) -> None:
    """Raise BadOption unless `colors` is from MIN_COLORS to MAX_COLORS."""
    if not MIN_COLORS <= colors <= MAX_COLORS:
        raise BadOption(f"colors must be {MIN_COLORS} to {MAX_COLORS}, not {colors}")


def exact(pixels: Pixels, colors: int) -> PaletteImage | None:
    """Return the image itself in palette form if it has at most `colors` distinct colors, else None.

    Every quantizer calls this first: the image itself is the best result, and not every algorithm finds it (octrees
    merge neighbors, means round). A sample of the pixels is enough to reject a photo. Otherwise the cost is linear in
    the pixels, with a table of all 2^24 colors.

    Args:
        pixels: (H, W, 3) uint8 sRGB.
        colors: 2 to 256.
    """
    flat = pixels.reshape(-1, 3)
    stride = -(-len(flat) // _SAMPLE)
    if len(np.unique(pack(flat[::stride]))) > colors:
        return None
    seen = np.zeros(1 << 24, dtype=np.bool_)
    for band in bands(pixels):
        seen[pack(band)] = True
    distinct = np.flatnonzero(seen)
    if len(distinct) > colors:
        return None
    rank = seen.view(np.uint8)
    rank[distinct] = np.arange(len(distinct))
    indices = np.concatenate([rank[pack(band)] for band in bands(pixels)])
    return PaletteImage(indices.reshape(pixels.shape[:2]), unpack(distinct))


def checked_exact(pixels: Pixels, colors: int) -> PaletteImage | None:
    """Check both arguments, then return `exact`.

    Raises BadOption unless `colors` is 2 to 256, ValueError unless `pixels` is (H, W, 3) uint8 and not empty.
    """
    check_colors(colors)
    check_pixels(pixels)
    return exact(pixels, colors)


def through_pillow(pixels: Pixels, colors: int, algorithm: Callable[[Image.Image], Image.Image]) -> PaletteImage:
    """Quantize with an algorithm on Pillow images, unless the image already has few colors.

    Pillow may return fewer entries than requested, equal entries and, for octree, unused entries of zeros. The result
    is compact.

    Args:
        pixels: (H, W, 3) uint8 sRGB, not empty; ValueError otherwise.
        colors: 2 to 256; BadOption otherwise.
        algorithm: RGB image -> P image.
    """
    unchanged = checked_exact(pixels, colors)
    if unchanged is not None:
        return unchanged
    quantized = algorithm(Image.fromarray(pixels))
    palette = np.asarray(quantized.getpalette("RGB"), dtype=np.uint8).reshape(-1, 3)
    return PaletteImage(np.array(quantized), palette).compact()


def bands(image: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
    """Split (H, W, ...) into flat pieces (N, ...) of a bounded number of pixels; views where it is C-contiguous."""
    flat = image.reshape(-1, *image.shape[2:])
    return np.array_split(flat, -(-len(flat) // _BAND))
