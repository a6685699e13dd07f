"""Palette images as PNG: the smallest bit depth, rows unfiltered, compressed by libdeflate.

"Portable Network Graphics (PNG) Specification (Second Edition)", W3C 2003, also ISO/IEC 15948; clause numbers are of
that text. Only the four critical chunks are written. Rows carry filter 0, as clause 12.8 recommends for palette images:
indices are names, not quantities, and their differences are no easier to compress than they are.
"""

import struct
import zlib
from typing import Literal

import deflate
import numpy as np
import numpy.typing as npt

from models.palette_image import PaletteImage

Effort = Literal["fast", "default", "max"]

SIGNATURE = b"\x89PNG\r\n\x1a\n"
"""The eight bytes every PNG starts with (clause 5.2)."""

_LEVELS: dict[str, int] = {"fast": 6, "default": 9, "max": 12}  # libdeflate's levels go to 12, a near-optimal parser
_FRAME = 12  # bytes of a chunk beside its data: length, type and CRC (clause 5.3)
_PALETTE = 3  # colour type (clause 11.2.2): each sample is a palette index
_DEFLATE, _ADAPTIVE_FILTERS, _NOT_INTERLACED = 0, 0, 0  # the three methods of the header


def encode(image: PaletteImage, *, effort: Effort = "default") -> bytes:
    """Return `image` as a PNG file with the palette as it is, at `image.bit_depth` bits per pixel before compression.

    Args:
        image: the palette image; unused entries are written too, so compact() it first for the smallest file.
        effort: "fast", "default" or "max": time against bytes, the pixels are the same.

    Raises:
        ValueError: when `effort` is none of the three.
    """
    if effort not in _LEVELS:
        raise ValueError(f"effort must be one of {', '.join(_LEVELS)}, not {effort!r}")
    header = struct.pack(
        ">IIBBBBB", image.width, image.height, image.bit_depth, _PALETTE, _DEFLATE, _ADAPTIVE_FILTERS, _NOT_INTERLACED
    )
    rows = deflate.zlib_compress(_pack_rows(image.indices, image.bit_depth), _LEVELS[effort])
    chunks = (b"IHDR", header), (b"PLTE", image.palette.tobytes()), (b"IDAT", rows), (b"IEND", b"")
    return SIGNATURE + b"".join(part for kind, data in chunks for part in _chunk(kind, data))


def fixed_bytes(file: bytes) -> int:
    """Bytes of a PNG file that do not depend on its pixels: all but the data of its PLTE and IDAT chunks.

    Signature 8 (clause 5.2), IHDR 25, IEND 12, and 12 for the frame of each other chunk (clause 5.3): 69 for a palette
    image as `encode` writes it. Raises ValueError where `file` is not a PNG file or is cut short.
    """
    if not file.startswith(SIGNATURE):
        raise ValueError("not a PNG file")
    fixed, at, kind = len(SIGNATURE), len(SIGNATURE), b""
    while kind != b"IEND":
        if at + _FRAME > len(file):
            raise ValueError("the PNG file is cut short")
        length, kind = struct.unpack_from(">I4s", file, at)
        fixed += _FRAME + (0 if kind in (b"PLTE", b"IDAT") else length)
        at += _FRAME + length
    return fixed


def _pack_rows(indices: npt.NDArray[np.uint8], bits: int) -> npt.NDArray[np.uint8]:
    """Return the scanlines: a filter byte of 0, then indices packed leftmost in the high bits (clause 7.2), uint8."""
    height, width = indices.shape
    per_byte = 8 // bits
    scanlines = np.zeros((height, 1 + -(-width // per_byte)), dtype=np.uint8)
    packed = scanlines[:, 1:]
    for place in range(per_byte):
        every = indices[:, place::per_byte]
        packed[:, : every.shape[1]] |= every << (8 - bits * (place + 1))
    return scanlines


def _chunk(kind: bytes, data: bytes | bytearray) -> tuple[bytes, bytes, bytes | bytearray, bytes]:
    """Return the parts of one chunk: length, type, data, and the CRC over type and data (clause 5.3)."""
    return struct.pack(">I", len(data)), kind, data, struct.pack(">I", zlib.crc32(data, zlib.crc32(kind)))
