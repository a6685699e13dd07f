"""The bytes of TIFF samples as numbers: byte order, predictors, and samples that are not whole bytes."""

import numpy as np
import numpy.typing as npt

from models.decoding.tiff.layout import Layout
from models.decoding.tiff.tags import Kind

Samples = npt.NDArray[np.generic]
"""(rows, columns, channels) of the numbers in a file: unsigned or signed integers or floats, in native byte order."""

_CODES = {Kind.UNSIGNED: "u", Kind.SIGNED: "i", Kind.FLOAT: "f"}


def numbers(rows: npt.NDArray[np.uint8], layout: Layout, order: str) -> Samples:
    """Return the samples of rows of a strip or tile.

    Args:
        rows: (rows, `layout.row_bytes`) uint8, without compression.
        layout: the layout of the file.
        order: byte order of the file, "<" or ">".
    """
    shape = (len(rows), layout.segment_width, layout.plane_channels)
    if layout.predictor == 3:
        return _undifferenced_floats(rows, layout).reshape(shape)
    if layout.bits == 24:
        return _triples(rows, order).reshape(shape)
    if layout.bits not in (8, 16, 32, 64):
        return _unpacked(rows, layout.bits, shape[1] * shape[2]).reshape(shape)
    stored = rows.view(f"{order}u{layout.bits // 8}")
    native = stored.astype(stored.dtype.newbyteorder("=")).reshape(shape)
    if layout.predictor == 2:
        native = np.cumsum(native, axis=1, dtype=native.dtype)
    return native.view(f"{_CODES[layout.kind]}{layout.bits // 8}")


def _undifferenced_floats(rows: npt.NDArray[np.uint8], layout: Layout) -> Samples:
    """Undo differences of bytes: each row has the first byte of all samples, then the second (Technical Note 3)."""
    size, channels = layout.bits // 8, layout.plane_channels
    summed = np.cumsum(rows.reshape(len(rows), -1, channels), axis=1, dtype=np.uint8)
    joined = np.ascontiguousarray(summed.reshape(len(rows), size, -1).transpose(0, 2, 1))
    return joined.view(f">f{size}").astype(f"f{size}")


def _triples(rows: npt.NDArray[np.uint8], order: str) -> Samples:
    octets = rows.reshape(len(rows), -1, 3).astype(np.uint32)
    low, middle, high = (octets[..., at] for at in ((0, 1, 2) if order == "<" else (2, 1, 0)))
    return low | middle << 8 | high << 16


def _unpacked(rows: npt.NDArray[np.uint8], bits: int, count: int) -> Samples:
    """Return `count` samples of each row, which are packed with the highest bit first in either byte order."""
    ones = np.unpackbits(rows, axis=1, count=count * bits).reshape(len(rows), count, bits)
    dtype = np.dtype(np.uint8 if bits < 8 else np.uint16 if bits < 16 else np.uint32)
    samples = np.zeros((len(rows), count), dtype)
    for at in range(bits):
        samples |= ones[..., at].astype(dtype) << dtype.type(bits - 1 - at)
    return samples
