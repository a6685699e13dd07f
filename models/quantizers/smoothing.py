"""Smoother index maps for shorter files: pixels that few of their neighbors agree with take the index of the others."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from models.palette_image import PaletteImage
from models.pauses import pause
from models.rgb import Pixels

_EDGE, _CORNER = 2, 1  # votes of a neighbor
_ALL = 4 * (_EDGE + _CORNER)  # votes of all eight neighbors
_PASSES = 4  # over the image at each number of votes


def smoothed(image: PaletteImage, pixels: Pixels) -> Iterator[PaletteImage]:
    """Yield smoother and smoother versions of an opaque palette image, each made from the one before.

    A pixel takes another index if its eight neighbors give that index enough votes; neighbors at an edge count twice
    as much as those at a corner. At first all votes are needed, so that single pixels go; in the end a majority is
    enough. Every second pixel of a row decides at once, as on a checkerboard, so that neighbors do not swap. A palette
    entry is the mean of the pixels of its index.

    image: (H, W). pixels: (H, W, 3) uint8 sRGB, what the image was quantized from.
    """
    indices = image.indices
    for needed in range(_ALL, _ALL // 2, -1):
        for _ in range(_PASSES):
            pause()
            before = indices
            for half in range(2):
                indices = _with_half_outvoted(indices, image.colors, needed, half)
            if np.array_equal(indices, before):
                break
            yield _with_means(indices, pixels, image.colors)


def _with_half_outvoted(indices: NDArray[np.uint8], colors: int, needed: int, half: int) -> NDArray[np.uint8]:
    """Return the indices after every second pixel took the index with so many votes, more than half of all."""
    height, width = indices.shape
    deciding = np.add.outer(np.arange(height), np.arange(width)) % 2 == half
    result = indices.copy()
    for index in range(colors):
        result[deciding & (_votes(indices == index) >= needed)] = index
    return result


def _votes(mask: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return how many votes each pixel gets from its neighbors in a mask, (H, W); those outside are as at the edge."""
    height, width = mask.shape
    padded = np.pad(mask.astype(np.int64), 1, mode="edge")
    votes = np.zeros(mask.shape, np.int64)
    for down in range(3):
        for right in range(3):
            if (down, right) != (1, 1):
                weight = _EDGE if 1 in (down, right) else _CORNER
                votes += weight * padded[down : down + height, right : right + width]
    return votes


def _with_means(indices: NDArray[np.uint8], pixels: Pixels, colors: int) -> PaletteImage:
    flat = indices.ravel()
    counts = np.bincount(flat, minlength=colors)
    sums = np.stack([np.bincount(flat, pixels[..., channel].ravel(), colors) for channel in range(3)], axis=1)
    palette = np.rint(sums / np.maximum(counts, 1)[:, np.newaxis]).astype(np.uint8)
    return PaletteImage(indices, palette).compact()
