"""Distance of an image from its original, bits per pixel, and number of colors.

Pixels are (H, W, 3) uint8 sRGB. Large images are processed in parts of bounded memory.
"""

import math
from collections.abc import Iterator

import numpy as np

from models.rgb import Pixels, check_pixels, pack

_PEAK = 255
_BAND = 1 << 20  # samples or pixels at a time; each needs a few numbers of 4 bytes
_WINDOW = 7  # scikit-image's default
_SMALLEST_WINDOW = 3  # a window of one pixel has no variance
_TILE = 1 << 14  # windows of SSIM at a time, for which scikit-image allocates 7 MB
_FEW = 1 << 16  # pixels; up to this number, sorting is faster than clearing and counting a table of 2^24 colors


def mean_squared_error(original: Pixels, other: Pixels) -> float:
    """Return the mean over pixels and channels of the squared difference, 0 to 65025.

    The squares are summed as integers, so only the division rounds.

    Raises ValueError unless both are (H, W, 3) uint8 of the same shape, not empty.
    """
    _check(original, other)
    first, second = original.reshape(-1), other.reshape(-1)
    total = 0
    for start in range(0, first.size, _BAND):
        band = slice(start, start + _BAND)
        difference = np.subtract(first[band], second[band], dtype=np.int32)
        total += int(np.sum(difference * difference, dtype=np.int64))
    return total / first.size


def psnr(mse: float) -> float | None:
    """Return the peak signal-to-noise ratio in dB, 10 log10(255^2 / mse); None for an `mse` of 0."""
    return 10 * math.log10(_PEAK**2 / mse) if mse else None


def ssim(original: Pixels, other: Pixels) -> float | None:
    """Return the structural similarity, -1 to 1, mean over the three channels; 1 for equal images.

    Zhou Wang et al., "Image Quality Assessment: From Error Visibility to Structural Similarity", IEEE Transactions on
    Image Processing 13(4), 2004, with the defaults of scikit-image: uniform windows of 7x7 pixels, sample covariance.
    Each window of a large image belongs to exactly one tile, so the value does not depend on the tiles.

    An image with a side of 3 to 6 pixels gets the largest odd window that fits; an image with a shorter side gets None.
    Run time is linear in the pixels. Raises ValueError unless both are (H, W, 3) uint8 of the same shape, not empty.
    """
    _check(original, other)
    height, width = original.shape[:2]
    side = min(height, width)
    window = min(_WINDOW, side - 1 + side % 2)  # odd
    if window < _SMALLEST_WINDOW:
        return None
    windows: int = (height - window + 1) * (width - window + 1)
    tiles = _tiles(height, width, window)
    return math.fsum(_ssim_sum(original[tile], other[tile], window) for tile in tiles) / (3 * windows)


def bits_per_pixel(size: int, height: int, width: int) -> float:
    """Return the bits of `size` bytes for each of height x width pixels."""
    return 8 * size / (height * width)


def count_colors(pixels: Pixels) -> int:
    """Return the number of different colors of (H, W, 3) uint8, in time linear in the pixels."""
    flat = pixels.reshape(-1, 3)
    if len(flat) <= _FEW:
        ordered = np.sort(pack(flat))
        return 1 + int(np.count_nonzero(ordered[1:] != ordered[:-1]))
    used = np.zeros(1 << 24, dtype=np.bool_)
    for start in range(0, len(flat), _BAND):
        used[pack(flat[start : start + _BAND])] = True
    return int(np.count_nonzero(used))


def _tiles(height: int, width: int, window: int) -> Iterator[tuple[slice, slice]]:
    """Yield parts of an image that overlap so that each window of window x window pixels lies in exactly one part."""
    below, right = height - window + 1, width - window + 1  # windows in a column and in a row
    rows = min(below, max(math.isqrt(_TILE), _TILE // right))
    columns = max(1, _TILE // rows)
    for top in range(0, below, rows):
        for left in range(0, right, columns):
            yield slice(top, top + rows + window - 1), slice(left, left + columns + window - 1)


def _ssim_sum(original: Pixels, other: Pixels, window: int) -> float:
    """Return the sum over channels of the similarities of all windows that lie inside the image.

    The channels lie side by side, since one call for all three takes half the time of three calls where images are
    small. Windows that reach into a neighboring channel do not count.
    """
    import skimage.metrics  # imported here, because a service that measures no similarity starts faster without it

    height, width = original.shape[:2]
    _, similarity = skimage.metrics.structural_similarity(
        _side_by_side(original), _side_by_side(other), win_size=window, data_range=_PEAK, full=True
    )
    edge = window // 2
    valid = similarity.reshape(height, 3, width)[edge : height - edge, :, edge : width - edge]
    return float(valid.sum())


def _side_by_side(pixels: Pixels) -> Pixels:
    """Return (H, W, 3) as (H, 3 W), one channel after the other."""
    return pixels.swapaxes(1, 2).reshape(len(pixels), -1)


def _check(original: Pixels, other: Pixels) -> None:
    for pixels in (original, other):
        check_pixels(pixels)
    if original.shape != other.shape:
        raise ValueError(f"images must have the same size, not {original.shape} and {other.shape}")
