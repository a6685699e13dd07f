"""Indices of palette images as packed bytes, without a header, as displays and their controllers read them."""

import numpy as np
import numpy.typing as npt

from models.palette_image import PaletteImage


def encode(image: PaletteImage) -> bytes:
    """Return the indices at `image.bit_depth` bits each, row by row; the file holds neither the size nor the palette.

    The leftmost pixel of a byte is in its high bits. Each row begins with a new byte; zeros fill its last one.
    """
    return pack_rows(image.indices, image.bit_depth).tobytes()


def pack_rows(indices: npt.NDArray[np.uint8], bits: int, *, margin: int = 0) -> npt.NDArray[np.uint8]:
    """Pack indices, (H, W) uint8, into rows of whole bytes, (H, margin + ceil(W * bits / 8)) uint8.

    Args:
        indices: below 2 to the power of `bits`.
        bits: 1, 2, 4 or 8. The leftmost index of a byte is in its high bits.
        margin: number of zero bytes at the beginning of each row.
    """
    height, width = indices.shape
    per_byte = 8 // bits
    rows = np.zeros((height, margin + -(-width // per_byte)), dtype=np.uint8)
    packed = rows[:, margin:]
    if bits == 1:
        packed[:] = np.packbits(indices, axis=1)
        return rows
    for position in range(per_byte):
        columns = indices[:, position::per_byte]
        packed[:, : columns.shape[1]] |= columns << (8 - bits * (position + 1))
    return rows


def unpack_rows(rows: npt.NDArray[np.uint8], width: int, bits: int) -> npt.NDArray[np.uint8]:
    """Return the indices, (H, width) uint8, that `pack_rows` packed into `rows` at `bits` bits, without a margin."""
    per_byte = 8 // bits
    indices = np.empty((len(rows), width), np.uint8)
    for position in range(per_byte):
        columns = indices[:, position::per_byte]
        columns[:] = rows[:, : columns.shape[1]] >> (8 - bits * (position + 1)) & ((1 << bits) - 1)
    return indices
