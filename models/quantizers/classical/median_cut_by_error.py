"""Median cut on every color of an image, which splits the box with the largest error."""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from models.palette_image import PaletteImage, nearest
from models.pauses import pause
from models.quantizers.base import bands, checked_exact
from models.rgb import Pixels, pack, unpack

_LEVELS = np.arange(256.0)


@dataclass(frozen=True)
class MedianCutByError:
    """Median cut at its best: Paul Heckbert, "Color Image Quantization for Frame Buffer Display", SIGGRAPH 1982.

    The box of all colors is split K - 1 times. Each split divides a box at the median of its longest side. An entry is
    the mean of its box, and each pixel gets the nearest entry. The paper leaves open which box is split next; here it
    is the one with the largest squared error. All pixels count, and no color is rounded. Pillow's median cut splits the
    box with the most pixels and weighs its sides by luma, so its error is larger, most so at many colors.

    Cost: O(n log n) to count the colors of n pixels. With d distinct colors, O(d) for each halving of all boxes, so
    O(d log K). Then the cost of `models.palette_image.nearest`.
    """

    name: ClassVar[str] = "median_cut_by_error"

    def quantize(self, pixels: Pixels, colors: int) -> PaletteImage:
        """See `Quantizer.quantize`."""
        unchanged = checked_exact(pixels, colors)
        if unchanged is not None:
            return unchanged
        boxes = [_Box.of(*_histogram(pixels))]
        order = [(-boxes[0].error, 0)]  # a heap: largest error first, then the oldest box
        while len(order) < colors:
            _, at = heapq.heappop(order)
            for half in boxes[at].halves():
                heapq.heappush(order, (-half.error, len(boxes)))
                boxes.append(half)
            pause()
        palette = np.rint([boxes[at].mean for _, at in order]).astype(np.uint8)
        return nearest(pixels, palette).compact()


def _histogram(pixels: Pixels) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """Return the distinct colors of an image in order, (3, D), and the number of pixels of each, (D,)."""
    counted = [np.unique_counts(pack(band)) for band in bands(pixels)]
    values, positions = np.unique_inverse(np.concatenate([part.values for part in counted]))
    pixels_of_part = np.concatenate([part.counts for part in counted])
    counts = np.bincount(positions, pixels_of_part, len(values)).astype(np.float64)
    return np.ascontiguousarray(unpack(values).T), counts


@dataclass(frozen=True, eq=False)
class _Box:
    """Colors in a box, (3, D) uint8, the number of pixels of each, (D,), and of each level by channel, (3, 256)."""

    colors: NDArray[np.uint8]
    counts: NDArray[np.float64]
    levels: NDArray[np.float64]

    @classmethod
    def of(cls, colors: NDArray[np.uint8], counts: NDArray[np.float64]) -> Self:
        """Count the pixels of each level."""
        return cls(colors, counts, np.stack([np.bincount(channel, counts, 256) for channel in colors]))

    @cached_property
    def mean(self) -> NDArray[np.float64]:
        """Mean of the pixels, (3,)."""
        return np.asarray(self.levels @ _LEVELS / self.levels[0].sum())

    @cached_property
    def error(self) -> float:
        """Squared distance to the mean, summed over the pixels; exactly 0 for a single color, and only for that."""
        return float((self.levels * (_LEVELS - self.mean[:, np.newaxis]) ** 2).sum())

    def halves(self) -> tuple[_Box, _Box]:
        """Return the two parts that the cut nearest to the median of the longest side makes; D is at least 2."""
        ends = [np.flatnonzero(levels)[[0, -1]] for levels in self.levels]
        axis = int(np.argmax([high - low for low, high in ends]))
        low, high = ends[axis]
        below = self.levels[axis].cumsum()
        cut = low + np.abs(2 * below[low:high] - below[-1]).argmin()  # neither part is empty
        lower = self.colors[axis] <= cut
        first = _Box.of(self.colors[:, lower], self.counts[lower])
        upper = ~lower
        return first, _Box(self.colors[:, upper], self.counts[upper], self.levels - first.levels)
