"""The palette image, an index map with its palette, which quantizers, metrics and codecs exchange."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.color_range import MAX_COLORS as MAX_COLORS
from models.nearest import nearest_by_cells, nearest_indices
from models.pauses import pause
from models.rgb import Pixels, check_pixels, pack, unpack

_OPAQUE = 255

_BAND_PIXELS = 1 << 20
"""Pixels that are looked up at a time. NumPy widens indices to 8 bytes, so bands bound the memory of these copies."""

_MOST_DIRECT = 1 << 19
"""Pixels up to which comparing each with the whole palette is no slower than a table of all 2^24 colors."""


@dataclass(frozen=True, eq=False)
class PaletteImage:
    """An image as an index map and a palette of sRGB colors.

    The constructor checks and copies the arrays, and makes the copies read-only. Two images are equal when all arrays
    are equal.

    Attributes:
        indices: (H, W) uint8, H and W at least 1, every index below K.
        palette: (K, 3) uint8 sRGB with 1 <= K <= 256. Entries may be unused or repeated; see `compact`.
        alpha: (K,) uint8, the alpha of each entry, 0 for a transparent and 255 for an opaque one. None where every
            entry is opaque, also where 255 was given for all. Colors are straight: not multiplied by alpha.

    Raises:
        ValueError: an array has the wrong shape, dtype or range.
    """

    indices: npt.NDArray[np.uint8]
    palette: npt.NDArray[np.uint8]
    alpha: npt.NDArray[np.uint8] | None = None

    def __post_init__(self) -> None:
        _check_indices(self.indices)
        _check_palette(self.palette)
        _check_alpha(self.alpha, len(self.palette))
        largest = int(self.indices.max())
        if largest >= len(self.palette):
            raise ValueError(f"index {largest} points outside a palette of {len(self.palette)} colors")
        # The only way to set the fields of a frozen dataclass. No caller can write to the copies.
        object.__setattr__(self, "indices", _read_only(self.indices))
        object.__setattr__(self, "palette", _read_only(self.palette))
        opaque = self.alpha is None or int(self.alpha.min()) == _OPAQUE
        object.__setattr__(self, "alpha", None if self.alpha is None or opaque else _read_only(self.alpha))

    @property
    def height(self) -> int:
        """Number of rows."""
        return int(self.indices.shape[0])

    @property
    def width(self) -> int:
        """Number of columns."""
        return int(self.indices.shape[1])

    @property
    def colors(self) -> int:
        """Number of palette entries, K, used or not."""
        return len(self.palette)

    @property
    def bit_depth(self) -> int:
        """Bits of an index in a PNG: the smallest of 1, 2, 4 and 8 that distinguishes K entries."""
        return next(bits for bits in (1, 2, 4, 8) if self.colors <= 1 << bits)

    def counts(self) -> npt.NDArray[np.int64]:
        """Return the number of pixels of each palette entry, (K,) int64."""
        total = np.zeros(self.colors, dtype=np.int64)
        for rows in _bands(self.indices):
            total += np.bincount(self.indices[rows].ravel(), minlength=self.colors)
        return total

    def compact(self) -> "PaletteImage":
        """Return the same picture without unused palette entries and with equal entries merged, in the same order.

        Entries are equal if color and alpha are equal.
        """
        opacity = self.opacity()
        packed = pack(self.palette) | opacity.astype(np.uint32) << 24
        position: dict[int, int] = {}  # of each distinct used entry, in order of first appearance
        table = np.zeros(self.colors, dtype=np.uint8)
        for entry in np.flatnonzero(self.counts()):
            table[entry] = position.setdefault(int(packed[entry]), len(position))
        if len(position) == self.colors:
            return self
        kept = np.array(list(position), dtype=np.uint32)
        return PaletteImage(_look_up(table, self.indices), unpack(kept), (kept >> 24).astype(np.uint8))

    def reordered(self, order: npt.NDArray[np.intp]) -> "PaletteImage":
        """Return the same picture with its palette in another order: entry `order[i]`, (K,), becomes entry i."""
        rank = np.zeros(self.colors, np.uint8)
        rank[order] = np.arange(self.colors)
        return PaletteImage(_look_up(rank, self.indices), self.palette[order], self.opacity()[order])

    def opacity(self) -> npt.NDArray[np.uint8]:
        """Return the alpha of each entry, (K,) uint8, also where all are opaque."""
        return np.full(self.colors, _OPAQUE, np.uint8) if self.alpha is None else self.alpha

    def render(self) -> Pixels:
        """Return the colors of the picture as (H, W, 3) uint8 sRGB, without regard to alpha."""
        return _look_up(self.palette, self.indices)

    def render_alpha(self) -> npt.NDArray[np.uint8]:
        """Return the alpha of the picture, (H, W) uint8."""
        return _look_up(self.opacity(), self.indices)

    def over(self, background: tuple[int, int, int]) -> Pixels:
        """Return the picture over a plain sRGB background, (H, W, 3) uint8; each value is correctly rounded."""
        if self.alpha is None:
            return self.render()
        alpha = self.alpha[:, np.newaxis].astype(np.int64)
        sums = alpha * self.palette + (_OPAQUE - alpha) * np.array(background)
        return _look_up(((2 * sums + _OPAQUE) // (2 * _OPAQUE)).astype(np.uint8), self.indices)

    def hex_palette(self) -> tuple[str, ...]:
        """Return the palette as "#rrggbb" strings, in palette order."""
        return tuple(f"#{red:02x}{green:02x}{blue:02x}" for red, green, blue in self.palette.tolist())

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, PaletteImage):
            return NotImplemented
        return (
            np.array_equal(self.indices, other.indices)
            and np.array_equal(self.palette, other.palette)
            and np.array_equal(self.opacity(), other.opacity())
        )


def nearest(pixels: Pixels, palette: npt.NDArray[np.uint8]) -> PaletteImage:
    """Map each pixel to the nearest palette color by Euclidean distance in sRGB, the first of equally near colors.

    Args:
        pixels: (H, W, 3) uint8 sRGB.
        palette: (K, 3) uint8 sRGB.

    Raises:
        ValueError: `pixels` or `palette` has another shape or dtype.

    Cost: O(K) a pixel, and memory for the distances of 65,536 pixels at a time. A large image costs O(1) a pixel and
    O(K) a distinct color, but for the colors of the palette that are too far from a cell of the color cube.
    """
    check_pixels(pixels)
    _check_palette(palette)
    flat = pixels.reshape(-1, 3)
    find = nearest_indices if len(flat) <= _MOST_DIRECT else nearest_by_cells
    return PaletteImage(find(flat, palette).reshape(pixels.shape[:2]), palette)


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


def _check_alpha(alpha: object, colors: int) -> None:
    if alpha is not None and not (
        isinstance(alpha, np.ndarray) and alpha.dtype == np.uint8 and alpha.shape == (colors,)
    ):
        raise ValueError(f"alpha must be None or a ({colors},) uint8 array, one value an entry, not {_describe(alpha)}")


def _describe(value: object) -> str:
    return f"{value.shape} {value.dtype}" if isinstance(value, np.ndarray) else type(value).__name__


def _read_only(array: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    copy = np.array(array, order="C")
    copy.setflags(write=False)
    return copy


def _bands(indices: npt.NDArray[np.uint8]) -> Iterator[slice]:
    """Yield slices of rows that together cover the index map, with a pause after each."""
    height, width = indices.shape
    step = max(1, _BAND_PIXELS // width)
    for top in range(0, height, step):
        yield slice(top, top + step)
        pause()


def _look_up(table: npt.NDArray[np.uint8], indices: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Return `table[indices]` without a copy of all indices at 8 bytes each, which NumPy would make."""
    values = np.empty(indices.shape + table.shape[1:], dtype=np.uint8)
    for rows in _bands(indices):
        # Checked indices never need clipping; the mode "clip" lets NumPy write into `out` without a buffer.
        np.take(table, indices[rows], axis=0, out=values[rows], mode="clip")
    return values
