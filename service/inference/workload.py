"""Estimates of the work on an image: whether a thread is worth it, and with which images it may wait in one line."""

from __future__ import annotations

import math
import struct
from typing import Literal, get_args

from models.codecs import png

Scale = Literal["small", "medium", "large"]
"""Scale of the work on an image. Work waits behind work of its own scale only, which takes a similar time."""

SCALES: tuple[Scale, ...] = get_args(Scale)

_MOST_PIXELS: tuple[tuple[Scale, int], ...] = (("small", 1 << 20), ("medium", 1 << 23))

_QUICK_PIXELS = 1 << 12
_QUICK_BYTES = 1 << 12  # of a file that is decoded in the event loop

_PNG_SIZE = slice(16, 24)  # width and height in a PNG file
_PNG_FRAME = 12  # bytes of a chunk around its data: length, type and CRC
# Chunks that hold the picture or a few numbers. Others hold profiles and texts, which can take long to inflate.
_PLAIN_CHUNKS = frozenset(
    (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND", b"gAMA", b"cHRM", b"sRGB", b"sBIT", b"bKGD", b"pHYs", b"tIME")
)


def scale_of(pixels: float) -> Scale:
    """Return the scale of work on `pixels` pixels: small up to 2^20, medium up to 2^23."""
    return next((scale for scale, most in _MOST_PIXELS if pixels <= most), "large")


def is_quick(pixels: float) -> bool:
    """Return whether a stage on `pixels` pixels takes less time than handing it to a thread and back."""
    return pixels <= _QUICK_PIXELS


def pixels_to_decode(file: bytes) -> float:
    """Return the pixels of a small PNG that holds nothing but a picture; infinity for files that may hold more."""
    if len(file) > _QUICK_BYTES or not file.startswith(png.SIGNATURE) or len(file) < _PNG_SIZE.stop:
        return math.inf
    kinds = _chunk_types(file)
    if kinds[0] != b"IHDR" or kinds.count(b"IHDR") > 1 or not _PLAIN_CHUNKS.issuperset(kinds):
        return math.inf
    width, height = struct.unpack(">II", file[_PNG_SIZE])
    return int(width * height)


def _chunk_types(file: bytes) -> list[bytes]:
    """Return the types of the chunks of a PNG file, in order."""
    at, kinds = len(png.SIGNATURE), []
    while at + 8 <= len(file):
        length, kind = struct.unpack_from(">I4s", file, at)
        kinds.append(kind)
        at += _PNG_FRAME + length
    return kinds
