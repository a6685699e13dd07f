"""The nearest color of a palette for each of many colors, exactly.

Both functions return the same: by Euclidean distance in sRGB, the first of equally near colors.
"""

import numpy as np
import numpy.typing as npt

from models.pauses import pause

_BAND = 1 << 16  # colors whose distances to every entry are computed at a time
_LOOK_UP_BAND = 1 << 18  # colors that are looked up at a time; NumPy widens an index to 8 bytes
_SIDE = 16  # levels of a cell along red, green and blue
_CELL = _SIDE**3  # colors of a cell

Colors = npt.NDArray[np.uint8]
"""(N, 3) uint8 sRGB."""

_Keys = npt.NDArray[np.uint32]


def nearest_indices(colors: Colors, palette: Colors) -> npt.NDArray[np.uint8]:
    """Return the index of the nearest of (K, 3) palette colors for each of (N, 3) colors, by comparing with all."""
    entries = palette.astype(np.float32)  # exact: every value below is an integer under 2^24
    squares = (entries**2).sum(axis=1)
    indices = np.empty(len(colors), dtype=np.uint8)
    for start in range(0, len(colors), _BAND):
        band = colors[start : start + _BAND].astype(np.float32)
        indices[start : start + _BAND] = np.argmin(squares - 2 * band @ entries.T, axis=1)
        pause()
    return indices


def nearest_by_cells(colors: Colors, palette: Colors) -> npt.NDArray[np.uint8]:
    """Return what `nearest_indices` returns, through a table of all colors that is filled where colors occur.

    The color cube is split into cells. An entry is compared with the colors of a cell only if it may be the nearest of
    one of them: its least distance to the cell is no larger than the largest distance of any other entry.
    """
    used = np.zeros(1 << 24, np.bool_)
    for start in range(0, len(colors), _LOOK_UP_BAND):
        used[_keys(colors[start : start + _LOOK_UP_BAND])] = True
        pause()
    table = used.view(np.uint8)  # of each key; a key is read as used before its index is written
    for cell in np.flatnonzero(used.reshape(-1, _CELL).any(axis=1)):
        keys = np.flatnonzero(used[cell * _CELL : (cell + 1) * _CELL]) + cell * _CELL
        candidates = _candidates(int(cell), palette)
        table[keys] = candidates[nearest_indices(_colors(keys), palette[candidates])]
    indices = np.empty(len(colors), np.uint8)
    for start in range(0, len(colors), _LOOK_UP_BAND):
        indices[start : start + _LOOK_UP_BAND] = table[_keys(colors[start : start + _LOOK_UP_BAND])]
        pause()
    return indices


def _candidates(cell: int, palette: Colors) -> npt.NDArray[np.uint8]:
    """Return the indices of the entries that may be nearest to a color of the cell, in order."""
    low = np.array([cell >> 8, cell >> 4 & 15, cell & 15]) * _SIDE
    entries = palette.astype(np.int64)
    least = (np.maximum(0, np.maximum(low - entries, entries - low - _SIDE + 1)) ** 2).sum(axis=1)
    most = (np.maximum(abs(entries - low), abs(low + _SIDE - 1 - entries)) ** 2).sum(axis=1)
    return np.flatnonzero(least <= most.min()).astype(np.uint8)


def _keys(colors: Colors) -> _Keys:
    """Return a number of 24 bits for each color, (N,): four high bits of each channel, then the low bits."""
    red, green, blue = (terms.take(channel) for terms, channel in zip(_TERMS, colors.T, strict=True))
    return np.asarray(red + green + blue)


def _colors(keys: npt.NDArray[np.intp]) -> Colors:
    return np.stack([(keys >> 8 + at & 0xF0 | keys >> at & 0xF) for at in (8, 4, 0)], axis=1).astype(np.uint8)


def _terms(position: int) -> _Keys:
    levels = np.arange(256, dtype=np.uint32)
    return np.asarray((levels >> 4) << (12 + position) | (levels & 15) << position)


_TERMS = tuple(_terms(position) for position in (8, 4, 0))  # of red, green and blue
