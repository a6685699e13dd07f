"""Pixels as lossy WebP, the best of the common lossy formats at small file sizes.

J. Zern, P. Massimino and J. Alakuijala, "WebP Image Format", RFC 9649, 2024; section numbers refer to this text.
"""

import struct

from models.codecs.pillow import check_quality, save
from models.rgb import Pixels

_METHOD = 4  # the default of libwebp, 0 to 6; 6 needs twice the time for 2 to 7 percent fewer bytes
_HEADER = struct.Struct("<4s4x8sI")  # RIFF, file size, WEBP and chunk name, size of the chunk data


def encode(pixels: Pixels, quality: int) -> bytes:
    """Return `pixels` as a lossy WebP.

    Args:
        pixels: (H, W, 3) uint8 sRGB, H and W at most 16383.
        quality: 1 to 100 on the scale of libwebp, which differs from the scale of JPEG.

    Raises:
        ValueError: `pixels` has another shape or dtype, or `quality` is out of range.
    """
    check_quality(quality)
    return save(pixels, "WEBP", quality=quality, method=_METHOD)


def fixed_bytes(file: bytes) -> int:
    """Return the number of bytes of a WebP file of one lossy picture outside the data of its VP8 chunk.

    `encode` writes 20: 12 for the file header and 8 for the chunk header (sections 2.4 and 2.5).

    Raises:
        ValueError: `file` is not a WebP file of one lossy picture.
    """
    if len(file) < _HEADER.size:
        raise ValueError("not a WebP file")
    riff, kind, length = _HEADER.unpack_from(file)
    if (riff, kind) != (b"RIFF", b"WEBPVP8 "):
        raise ValueError("not a WebP file of one lossy picture")
    return len(file) - int(length)
