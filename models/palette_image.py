"""The palette image: an index map and its palette. It travels between quantizers, metrics and codecs."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.rgb import check_pixels, pack, unpack

MAX_COLORS = 256
"""An index is one byte, so no palette holds more colors than this."""

_BAND_PIXELS = 1 << 20
"""NumPy widens index arrays to 8 bytes a pixel; working in bands of this many pixels keeps that small."""

_NEAREST_BAND = 1 << 16
"""Pixels at a time where a distance to every color is kept for each."""


@dataclass(frozen=True, eq=False)
class PaletteImage:
    """An image as an index map and a palette of sRGB colors.

    Checked and copied when it is built, read-only from then on. Two are equal when their index maps and palettes are.

    Attributes:
        indices: (H, W) uint8, H and W at least 1, every index below K.
        palette: (K, 3) uint8 sRGB with 1 <= K <= 256. Entries may be unused or repeated; `compact` removes those.

    Raises:
        ValueError: when an array has another shape, dtype or range.
    """

    indices: npt.NDArray[np.uint8]
    palette: npt.NDArray[np.uint8]

    def __post_init__(self) -> None:
        _check_indices(self.indices)
        _check_palette(self.palette)
        largest = int(self.indices.max())
        if largest >= len(self.palette):
            raise ValueError(f"index {largest} points outside a palette of {len(self.palette)} colors")
        # Frozen fields can only be set this way; the rest of the class then works on copies nobody else can write to.
        object.__setattr__(self, "indices", _read_only(self.indices))
        object.__setattr__(self, "palette", _read_only(self.palette))

    @property
    def height(self) -> int:
        """Rows of the image."""
        return int(self.indices.shape[0])

    @property
    def width(self) -> int:
        """Columns of the image."""
        return int(self.indices.shape[1])

    @property
    def colors(self) -> int:
        """Entries of the palette, K, used or not."""
        return len(self.palette)

    @property
    def bit_depth(self) -> int:
        """Bits an index takes in a PNG: the smallest of 1, 2, 4 and 8 that holds K entries."""
        return next(bits for bits in (1, 2, 4, 8) if self.colors <= 1 << bits)

    def counts(self) -> npt.NDArray[np.int64]:
        """Return the number of pixels of each palette entry, (K,) int64."""
        total = np.zeros(self.colors, dtype=np.int64)
        for rows in _bands(self.indices):
            total += np.bincount(self.indices[rows].ravel(), minlength=self.colors)
        return total

    def compact(self) -> "PaletteImage":
        """Return the same picture with unused entries dropped and equal ones merged; the order is kept."""
        packed = pack(self.palette)
        position: dict[int, int] = {}  # of each distinct color that is used, in order of first appearance
        table = np.zeros(self.colors, dtype=np.uint8)
        for entry in np.flatnonzero(self.counts()):
            table[entry] = position.setdefault(int(packed[entry]), len(position))
        if len(position) == self.colors:
            return self
        return PaletteImage(_look_up(table, self.indices), unpack(np.array(list(position), dtype=np.uint32)))

    def render(self) -> npt.NDArray[np.uint8]:
        """Return the picture as (H, W, 3) uint8 sRGB."""
        return _look_up(self.palette, self.indices)

    def hex_palette(self) -> tuple[str, ...]:
        """Return the palette as "#rrggbb" strings, in order."""
        return tuple(f"#{red:02x}{green:02x}{blue:02x}" for red, green, blue in self.palette.tolist())

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, PaletteImage):
            return NotImplemented
        return np.array_equal(self.indices, other.indices) and np.array_equal(self.palette, other.palette)


def nearest(pixels: npt.NDArray[np.uint8], palette: npt.NDArray[np.uint8]) -> PaletteImage:
    """Paint each pixel with the color of the palette at the least distance in sRGB; of equal distances the first.

    Args:
        pixels: (H, W, 3) uint8 sRGB.
        palette: (K, 3) uint8 sRGB.

    Cost: O(K) for each pixel; memory for the distances of 65,536 pixels at a time.
    """
    check_pixels(pixels)
    colors = palette.astype(np.float32)  # every number below is a whole one under 2^24, so exact
    squares = (colors**2).sum(axis=1)
    flat = pixels.reshape(-1, 3)
    indices = np.empty(len(flat), dtype=np.uint8)
    for start in range(0, len(flat), _NEAREST_BAND):
        band = flat[start : start + _NEAREST_BAND].astype(np.float32)
        indices[start : start + _NEAREST_BAND] = np.argmin(squares - 2 * band @ colors.T, axis=1)
    return PaletteImage(indices.reshape(pixels.shape[:2]), palette)


def _check_indices(indices: object) -> None:
    if not isinstance(indices, np.ndarray) or indices.dtype != np.uint8 or indices.ndim != 2 or indices.size == 0:
        raise ValueError(f"indices must be a (H, W) uint8 array with at least one pixel, not {_describe(indices)}")


def _check_palette(palette: object) -> None:
    if (
        not isinstance(palette, np.ndarray)
        or palette.dtype != np.uint8
        or palette.ndim != 2
        or palette.shape[1] != 3
        or not 1 <= len(palette) <= MAX_COLORS
    ):
        raise ValueError(f"palette must be a (K, 3) uint8 array, K from 1 to {MAX_COLORS}, not {_describe(palette)}")


def _describe(value: object) -> str:
    return f"{value.shape} {value.dtype}" if isinstance(value, np.ndarray) else type(value).__name__


def _read_only(array: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    copy = np.array(array, order="C")
    copy.setflags(write=False)
    return copy


def _bands(indices: npt.NDArray[np.uint8]) -> Iterator[slice]:
    """Yield slices of rows that together cover the index map."""
    height, width = indices.shape
    step = max(1, _BAND_PIXELS // width)
    return (slice(top, top + step) for top in range(0, height, step))


def _look_up(table: npt.NDArray[np.uint8], indices: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Return `table[indices]` without NumPy's copy of all indices at 8 bytes each."""
    found = np.empty(indices.shape + table.shape[1:], dtype=np.uint8)
    for rows in _bands(indices):
        # "clip" never clips, the indices were checked; it lets NumPy write into `out` without a buffer.
        np.take(table, indices[rows], axis=0, out=found[rows], mode="clip")
    return found
