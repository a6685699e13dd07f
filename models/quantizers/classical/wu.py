"""Wu's quantizer."""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from models.palette_image import PaletteImage
from models.quantizers.base import bands, checked_exact
from models.rgb import Pixels

_CELLS = 32  # along each side of the color cube
_OTHERS = (1, 2), (0, 2), (0, 1)  # the two other axes of each axis
_STRIDES = np.array([[_CELLS * _CELLS], [_CELLS], [1]])

Moments = NDArray[np.float64]
"""(..., 5): number of pixels, their red, green and blue sums, and the sum of their squared lengths.

All are whole numbers under 2^53 for any image that fits into memory, so float64 holds them exactly."""

Box = tuple[tuple[int, int], tuple[int, int], tuple[int, int]]
"""First cell, and the cell after the last, along red, green and blue."""


@dataclass(frozen=True)
class Wu:
    """Wu's quantizer: Xiaolin Wu, "Efficient Statistical Computations for Optimal Color Quantization", Graphics Gems
    II, 1991.

    The box of all colors is split K - 1 times. Each split divides the box with the largest squared error by the plane
    that leaves the least error. An entry is the mean of its box. Boxes consist of cells, 32 along each side of the
    color cube. The moments of the cells are accumulated from the dark corner, so eight lookups give the moments of any
    box. The cells span the colors of the image, not all colors, so an image of low contrast still has many cells. The
    boxes for K + 1 colors are the boxes for K with one of them split. Except for rounding, the error thus never grows
    with K.

    Cost: O(n) for n pixels, O(32^3) for the moments and O(32 K) for the cuts.
    """

    name: ClassVar[str] = "wu"

    def quantize(self, pixels: Pixels, colors: int) -> PaletteImage:
        """See `Quantizer.quantize`."""
        unchanged = checked_exact(pixels, colors)
        if unchanged is not None:
            return unchanged
        cell_of_level = _cell_of_level(pixels)
        cube = _cube(pixels, cell_of_level)
        boxes = _split(cube, colors)
        moments = np.array([_slabs(cube, box, 0)[-1] for box in boxes])
        palette = np.rint(moments[:, 1:4] / moments[:, :1]).astype(np.uint8)
        return PaletteImage(_indices(pixels, cell_of_level, boxes), palette).compact()


def _cell_of_level(pixels: Pixels) -> NDArray[np.intp]:
    """Return the term of each level of each channel in a cell number, (3, 256); a cell number sums three terms."""
    low = pixels.min((0, 1))[:, np.newaxis].astype(np.intp)
    high = pixels.max((0, 1))[:, np.newaxis].astype(np.intp)
    cell = ((np.arange(256) - low) * _CELLS // (high - low + 1)).clip(0, _CELLS - 1)
    return np.asarray(cell * _STRIDES)


def _cells(band: NDArray[np.uint8], cell_of_level: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return the cell number of each color: (N, 3) uint8 -> (N,)."""
    red, green, blue = (levels[channel] for levels, channel in zip(cell_of_level, band.T, strict=True))
    return np.asarray(red + green + blue)


def _cube(pixels: Pixels, cell_of_level: NDArray[np.intp]) -> Moments:
    """Return, at [r, g, b], the moments of all cells below r, g and b, (33, 33, 33, 5)."""
    histogram = np.zeros((5, _CELLS**3))
    for band in bands(pixels):
        cells, colors = _cells(band, cell_of_level), band.T.astype(np.float64)
        for moment, plane in zip(histogram, [np.ones(len(band)), *colors, (colors**2).sum(0)], strict=True):
            moment += np.bincount(cells, plane, _CELLS**3)
    cube = np.zeros((_CELLS + 1,) * 3 + (5,))
    cube[1:, 1:, 1:] = histogram.T.reshape(_CELLS, _CELLS, _CELLS, 5)
    for axis in range(3):
        np.cumsum(cube, axis=axis, out=cube)
    return cube


def _split(cube: Moments, colors: int) -> list[Box]:
    """Return at most `colors` boxes, none of them empty, that contain all pixels."""
    entire_cube: Box = ((0, _CELLS), (0, _CELLS), (0, _CELLS))
    final: list[Box] = []  # boxes that no plane can split
    queue = [(0.0, entire_cube)]  # a heap, largest error first
    while queue and len(queue) + len(final) < colors:
        box = heapq.heappop(queue)[1]
        halves = _halves(cube, box)
        if not halves:
            final.append(box)
        for half in halves:
            heapq.heappush(queue, (-_error(_slabs(cube, half, 0)[-1]), half))
    return final + [box for _, box in queue]


def _halves(cube: Moments, box: Box) -> tuple[Box, ...]:
    """Return the two parts of the box with the least total error; none if no plane has pixels on both sides."""
    best = 0.0
    halves: tuple[Box, ...] = ()
    for axis, (low, high) in enumerate(box):
        slabs = _slabs(cube, box, axis)
        gains = _explained(slabs) + _explained(slabs[-1] - slabs) - _explained(slabs[-1])
        cut = int(gains.argmax())
        if gains[cut] > best:  # an empty half gains exactly nothing
            best = gains[cut]
            halves = _with(box, axis, (low, low + cut + 1)), _with(box, axis, (low + cut + 1, high))
    return halves


def _with(box: Box, axis: int, side: tuple[int, int]) -> Box:
    red, green, blue = (side if position == axis else old for position, old in enumerate(box))
    return red, green, blue


def _slabs(cube: Moments, box: Box, axis: int) -> Moments:
    """Return the moments of the first 1, 2, ..., C layers of cells of the box along `axis`, (C, 5)."""
    (low, high), (left, right), (near, far) = (box[position] for position in (axis, *_OTHERS[axis]))
    along = cube.transpose(axis, *_OTHERS[axis], 3)[low : high + 1]
    sums = along[:, right, far] - along[:, left, far] - along[:, right, near] + along[:, left, near]
    return np.asarray(sums[1:] - sums[0])


def _explained(moments: Moments) -> NDArray[np.float64]:
    """Return the part of the squared lengths that the mean of the pixels explains, (...); 0 for no pixels."""
    sums = moments[..., 1:4]
    return np.asarray((sums * sums).sum(-1) / np.maximum(moments[..., 0], 1))


def _error(moments: Moments) -> float:
    """Return the squared error of the mean of a box, summed over its pixels."""
    return float(moments[4] - _explained(moments))


def _indices(pixels: Pixels, cell_of_level: NDArray[np.intp], boxes: Sequence[Box]) -> NDArray[np.uint8]:
    box_of_cell = np.empty((_CELLS, _CELLS, _CELLS), np.uint8)
    for index, sides in enumerate(boxes):
        box_of_cell[tuple(slice(*side) for side in sides)] = index
    indices = np.empty(pixels.shape[:2], np.uint8)
    for band, part in zip(bands(pixels), bands(indices), strict=True):
        part[:] = box_of_cell.reshape(-1)[_cells(band, cell_of_level)]
    return indices
