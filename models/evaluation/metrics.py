"""How far a painted image is from its original, and how many bits and colors it takes.

Pixels are (H, W, 3) uint8 sRGB. Large images are worked through in parts, so memory does not grow with them.
"""

import math
from collections.abc import Iterator

import numpy as np
import skimage.metrics

from models.rgb import Pixels, check_pixels, pack

_PEAK = 255
_BAND = 1 << 20  # samples or pixels at a time, where a few numbers of 4 bytes are kept for each
_WINDOW = 7  # scikit-image's default
_SMALLEST_WINDOW = 3  # a window of one pixel has no variance
_TILE = 1 << 14  # windows of SSIM at a time, for which scikit-image takes 7 MB
_FEW = 1 << 16  # pixels that are sorted sooner than a table of 2^24 colors is cleared and counted


def mean_squared_error(original: Pixels, painted: Pixels) -> float:
    """Mean over pixels and channels of the squared difference, 0 to 65025, summed in integers, so exact.

    Raises ValueError unless both are (H, W, 3) uint8 of one shape, not empty.
    """
    _check(original, painted)
    first, second = original.reshape(-1), painted.reshape(-1)
    total = 0
    for start in range(0, first.size, _BAND):
        band = slice(start, start + _BAND)
        difference = np.subtract(first[band], second[band], dtype=np.int32)
        total += int(np.sum(difference * difference, dtype=np.int64))
    return total / first.size


def psnr(mse: float) -> float | None:
    """Peak signal-to-noise ratio in dB, 10 log10(255^2 / mse); None where `mse` is 0 and the ratio infinite."""
    return 10 * math.log10(_PEAK**2 / mse) if mse else None


def ssim(original: Pixels, painted: Pixels) -> float | None:
    """Structural similarity, -1 to 1, 1 for equal images: scikit-image's, mean over the three channels.

    Zhou Wang et al., "Image Quality Assessment: From Error Visibility to Structural Similarity", IEEE Transactions on
    Image Processing 13(4), 2004, with scikit-image's defaults: uniform windows of 7x7 pixels, sample covariance. The
    windows of a large image are shared out over tiles, each to one tile, which gives the value of all at once.

    Images with a side of 3 to 6 pixels have the largest odd window that fits; None where a side is under 3.
    Raises ValueError unless both are (H, W, 3) uint8 of one shape, not empty. Linear in the pixels.
    """
    _check(original, painted)
    height, width = original.shape[:2]
    side = min(height, width)
    window = min(_WINDOW, side - 1 + side % 2)  # odd
    if window < _SMALLEST_WINDOW:
        return None
    windows: int = (height - window + 1) * (width - window + 1)
    tiles = _tiles(height, width, window)
    return math.fsum(_ssim_sum(original[tile], painted[tile], window) for tile in tiles) / (3 * windows)


def bits_per_pixel(size: int, height: int, width: int) -> float:
    """Bits for each of height x width pixels in `size` bytes."""
    return 8 * size / (height * width)


def count_colors(pixels: Pixels) -> int:
    """Number of different colors of (H, W, 3) uint8, in time linear in the pixels."""
    flat = pixels.reshape(-1, 3)
    if len(flat) <= _FEW:
        ordered = np.sort(pack(flat))
        return 1 + int(np.count_nonzero(ordered[1:] != ordered[:-1]))
    seen = np.zeros(1 << 24, dtype=np.bool_)
    for start in range(0, len(flat), _BAND):
        seen[pack(flat[start : start + _BAND])] = True
    return int(np.count_nonzero(seen))


def _tiles(height: int, width: int, window: int) -> Iterator[tuple[slice, slice]]:
    """Parts of an image that overlap so far that each window of window x window pixels lies in exactly one."""
    below, right = height - window + 1, width - window + 1  # windows in a column and in a row
    rows = min(below, max(math.isqrt(_TILE), _TILE // right))
    columns = max(1, _TILE // rows)
    for top in range(0, below, rows):
        for left in range(0, right, columns):
            yield slice(top, top + rows + window - 1), slice(left, left + columns + window - 1)


def _ssim_sum(original: Pixels, painted: Pixels, window: int) -> float:
    """Sum over channels of the similarities of all windows that lie inside.

    The channels are laid side by side: one call for all costs half of one for each where images are small. Windows
    that reach into a neighbor are not counted.
    """
    height, width = original.shape[:2]
    _, similarity = skimage.metrics.structural_similarity(
        _side_by_side(original), _side_by_side(painted), win_size=window, data_range=_PEAK, full=True
    )
    edge = window // 2
    inside = similarity.reshape(height, 3, width)[edge : height - edge, :, edge : width - edge]
    return float(inside.sum())


def _side_by_side(pixels: Pixels) -> Pixels:
    """(H, W, 3) -> (H, 3 W), one channel after the other."""
    return pixels.swapaxes(1, 2).reshape(len(pixels), -1)


def _check(original: Pixels, painted: Pixels) -> None:
    for pixels in (original, painted):
        check_pixels(pixels)
    if original.shape != painted.shape:
        raise ValueError(f"images must be of one size, not {original.shape} and {painted.shape}")
