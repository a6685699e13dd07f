"""What all quantizers share: the interface, the range of `colors`, and the rule for images that need no quantizing."""

from collections.abc import Callable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from models.errors import BadOption
from models.palette_image import MAX_COLORS as MAX_COLORS
from models.palette_image import PaletteImage
from models.rgb import check_pixels, pack, unpack

MIN_COLORS = 2

_SAMPLE = 4096  # pixels looked at before all of them are
_BAND = 1 << 18  # pixels looked at together: NumPy takes 8 bytes for an index, and 24 for a color in floats


class Quantizer(Protocol):
    """Paints an image with few colors. Deterministic: equal arguments give equal results."""

    @property
    def name(self) -> str:
        """The name that requests and result tables use."""

    def quantize(self, pixels: NDArray[np.uint8], colors: int) -> PaletteImage:
        """Paint `pixels`, (H, W, 3) uint8 sRGB, with at most `colors` colors.

        Returns a compact image: every palette entry is used and no two are equal. An image that has no more than
        `colors` colors comes back exactly. Raises BadOption if `colors` is not 2 to 256.
        """


def check_colors(colors: int) -> None:
    """Raise BadOption unless `colors` is from MIN_COLORS to MAX_COLORS."""
    if not MIN_COLORS <= colors <= MAX_COLORS:
        raise BadOption(f"colors must be {MIN_COLORS} to {MAX_COLORS}, not {colors}")


def exact(pixels: NDArray[np.uint8], colors: int) -> PaletteImage | None:
    """The image itself, in palette form, if it has at most `colors` distinct colors; None if it has more.

    Every quantizer asks this first: nothing can be better than the image, and not every algorithm finds it (octrees
    merge neighbors, means round). A photo is turned down after a sample of its pixels; the rest is linear in the
    pixels, with a table of all 2^24 colors.

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


def checked_exact(pixels: NDArray[np.uint8], colors: int) -> PaletteImage | None:
    """`exact`, after BadOption unless `colors` is 2 to 256, and ValueError unless `pixels` is (H, W, 3) uint8."""
    check_colors(colors)
    check_pixels(pixels)
    return exact(pixels, colors)


def through_pillow(
    pixels: NDArray[np.uint8], colors: int, algorithm: Callable[[Image.Image], Image.Image]
) -> PaletteImage:
    """Quantize with an algorithm that makes a Pillow image of mode P, unless the image is exact as it is.

    Pillow may give fewer entries than it was asked for, equal entries, and (octree) unused ones of zeros; the result
    is compact.

    Args:
        pixels: (H, W, 3) uint8 sRGB, not empty; ValueError otherwise.
        colors: 2 to 256; BadOption otherwise.
        algorithm: RGB image -> P image.
    """
    unchanged = checked_exact(pixels, colors)
    if unchanged is not None:
        return unchanged
    painted = algorithm(Image.fromarray(pixels))
    palette = np.asarray(painted.getpalette("RGB"), dtype=np.uint8).reshape(-1, 3)
    return PaletteImage(np.array(painted), palette).compact()


def bands(image: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
    """(H, W, ...) as flat pieces, (N, ...), of a bounded number of pixels, views of an image that is C-contiguous."""
    flat = image.reshape(-1, *image.shape[2:])
    return np.array_split(flat, -(-len(flat) // _BAND))
