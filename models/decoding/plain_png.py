"""A short way for small PNG files that hold nothing but a picture, whose decoding is mostly overhead.

The file is read by the same decoder as any other PNG, Pillow's, without the layers for what such a file does not have:
alpha, palettes, profiles, metadata, animations, other depths, and damage. Any doubt sends it the long way, which names
what is wrong.
"""

import struct
import zlib

import numpy as np
from PIL import Image

from models.codecs.png import SIGNATURE
from models.rgb import Pixels

_MOST_BYTES = 1 << 16
_MOST_PIXELS = 1 << 16
_IHDR_LENGTH, _FRAME = 13, 12
_MODES = {0: "L", 2: "RGB"}  # by color type
_SIMPLE = b"\0\0\0"  # compression, filter method and interlace in the header: deflate, adaptive, none
_IHDR, _IDAT, _IEND = b"IHDR", b"IDAT", b"IEND"


def read_plain_png(data: bytes, max_pixels: int) -> Pixels | None:
    """Return the pixels of a small opaque PNG of 8 bits, gray or RGB, without a color profile; None for other files.

    None also for a file with damage of any kind, with other chunks, or with a last row of zeros, which may be missing.

    Args:
        data: the bytes of an upload.
        max_pixels: limit on width times height; a larger picture is not read.
    """
    if len(data) > _MOST_BYTES or not data.startswith(SIGNATURE):
        return None
    chunks = _chunks(data)
    if chunks is None:
        return None
    header, rows = chunks
    width, height, depth, color_type = struct.unpack_from(">IIBB", header)
    mode = _MODES.get(color_type)
    if depth != 8 or mode is None or header[-3:] != _SIMPLE or not 0 < width * height <= min(max_pixels, _MOST_PIXELS):
        return None
    try:
        image = Image.frombytes(mode, (width, height), rows, "zip", (mode,))
    except ValueError:  # the rows are damaged or cut short
        return None
    colors = image if mode == "RGB" else image.convert("RGB")
    pixels = np.frombuffer(bytearray(colors.tobytes()), np.uint8).reshape(height, width, 3)
    return pixels if pixels[-1].any() else None


def _chunks(data: bytes) -> tuple[bytes, bytes] | None:
    """Return the contents of IHDR and of all IDAT chunks; None unless these are all chunks, intact and in order."""
    at, contents, end = len(SIGNATURE), list[bytes](), len(data)
    while at + _FRAME <= end:
        length, kind = struct.unpack_from(">I4s", data, at)
        if kind == _IEND:
            return (contents[0], b"".join(contents[1:])) if len(contents) > 1 else None
        if kind != (_IDAT if contents else _IHDR) or at + _FRAME + length > end:
            return None
        if not contents and length != _IHDR_LENGTH:
            return None
        content = data[at + 8 : at + 8 + length]
        (checksum,) = struct.unpack_from(">I", data, at + 8 + length)
        if zlib.crc32(content, zlib.crc32(kind)) != checksum:
            return None
        contents.append(content)
        at += _FRAME + length
    return None
