"""Filling of the parts of an image that nobody sees, so that they bring no color into its palette."""

import numpy as np
from numpy.typing import NDArray

from models.pauses import pause
from models.rgb import Pixels

_BAND = 1 << 18  # pixels at a time; a band needs a dozen integers of 8 bytes for each


def fill_by_mirrors(pixels: Pixels, seen: NDArray[np.bool_]) -> Pixels:
    """Return an image whose unseen pixels repeat seen ones, mirrored at the border between them.

    A row is filled from its own seen pixels, by the nearest run of them, to and fro. A row without any repeats a filled
    row in the same way. So each color of the result is a seen one, colors have about the shares that they have among
    the seen pixels, and no border of an object is an edge.

    Args:
        pixels: (H, W, 3) uint8 sRGB.
        seen: (H, W), at least one True.

    Returns:
        (H, W, 3) uint8, a new array.
    """
    height, width = seen.shape
    result = np.empty_like(pixels)
    step = max(1, _BAND // width)
    for top in range(0, height, step):
        band = slice(top, min(height, top + step))
        columns = mirror(seen[band])
        result[band] = np.take_along_axis(pixels[band], columns[:, :, np.newaxis], axis=1)
        pause()
    filled = np.asarray(seen.any(axis=1))
    rows = mirror(filled[np.newaxis])[0]
    result[~filled] = result[rows[~filled]]
    return result


def mirror(seen: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Return the source of each place: itself where it is seen, else a place of the nearest run of seen ones.

    seen: (N, W). The result, (N, W) from 0 to W - 1, means nothing in a row without a seen place.
    """
    here = np.arange(seen.shape[1])
    before, distance = _from_the_left(seen)
    after, distance_after = _from_the_left(seen[:, ::-1])
    after, distance_after = here[-1] - after[:, ::-1], distance_after[:, ::-1]
    sources = np.where(distance <= distance_after, before, after)
    return np.where(seen, here, sources).clip(0, here[-1])


def _from_the_left(seen: NDArray[np.bool_]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the source of each place in the run of seen places before it, and its distance to that run."""
    width = seen.shape[1]
    here = np.arange(width)
    last = np.maximum.accumulate(np.where(seen, here, -1), axis=1)
    begins = seen.copy()
    begins[:, 1:] &= ~seen[:, :-1]
    length = last - np.maximum.accumulate(np.where(begins, here, -1), axis=1) + 1
    distance = here - last
    turn = (distance - 1) % (2 * length)
    back = np.where(turn < length, turn, 2 * length - 1 - turn)
    return last - back, np.where(last < 0, width, distance)
