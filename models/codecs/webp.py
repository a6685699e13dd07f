"""Pixels as lossy WebP, the best of the common formats at few bytes that palette images are compared with.

J. Zern, P. Massimino and J. Alakuijala, "WebP Image Format", RFC 9649, 2024; section numbers are of that text.
"""

import struct

import numpy as np
import numpy.typing as npt

from models.codecs.pillow import check_quality, save

_METHOD = 4  # libwebp's own choice of 0 to 6: 6 takes twice the time for 2 to 7 percent fewer bytes
_HEADER = struct.Struct("<4s4x8sI")  # RIFF, size of the file, WEBP and the chunk's name, size of the chunk's data


def encode(pixels: npt.NDArray[np.uint8], quality: int) -> bytes:
    """(H, W, 3) uint8 sRGB as a lossy WebP.

    Args:
        pixels: (H, W, 3) uint8 sRGB, H and W at most 16383.
        quality: 1 to 100, libwebp's scale; other than JPEG's of the same numbers.

    Raises:
        ValueError: when `pixels` have another shape or dtype, or `quality` is out of its range.
    """
    check_quality(quality)
    return save(pixels, "WEBP", quality=quality, method=_METHOD)


def fixed_bytes(file: bytes) -> int:
    """Bytes of a WebP file of one lossy picture, as `encode` writes it, but for the data of its VP8 chunk.

    20: 12 of the file's header and 8 of the chunk's (sections 2.4 and 2.5).
    Raises ValueError where `file` is not such a file.
    """
    if len(file) < _HEADER.size:
        raise ValueError("not a WebP file")
    riff, kind, length = _HEADER.unpack_from(file)
    if (riff, kind) != (b"RIFF", b"WEBPVP8 "):
        raise ValueError("not a WebP file of one lossy picture")
    return len(file) - int(length)
