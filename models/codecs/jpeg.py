"""Pixels as JPEG, the lossy format that palette images are compared with first.

"Digital compression and coding of continuous-tone still images: requirements and guidelines", CCITT T.81, 1992, also
ISO/IEC 10918-1; clause numbers are of that text.
"""

import struct

import numpy as np
import numpy.typing as npt

from models.codecs.pillow import check_quality, save

_START, _END = b"\xff\xd8", b"\xff\xd9"  # SOI and EOI (table B.1)
_SCAN = b"\xff\xda"  # SOS
_HUFFMAN_TABLES = b"\xff\xc4"  # DHT


def encode(pixels: npt.NDArray[np.uint8], quality: int) -> bytes:
    """(H, W, 3) uint8 sRGB as a baseline JPEG.

    Color at half the resolution, as Pillow and most cameras do, and Huffman tables that are fitted to the image.

    Args:
        pixels: (H, W, 3) uint8 sRGB, H and W at most 65500 (libjpeg's limit).
        quality: 1 to 100, the scale of the Independent JPEG Group.

    Raises:
        ValueError: when `pixels` have another shape or dtype, or `quality` is out of its range.
    """
    check_quality(quality)
    return save(pixels, "JPEG", quality=quality, optimize=True)


def fixed_bytes(file: bytes) -> int:
    """Bytes of a JPEG file of one scan, as `encode` writes it, that do not depend on the picture.

    All but the entropy-coded data (clause B.1.1.5) and the Huffman tables, which are fitted to it (clause B.2.4.2).
    Raises ValueError where `file` is not such a file.
    """
    if not (file.startswith(_START) and file.endswith(_END)):
        raise ValueError("not a whole JPEG file")
    at, marker, fitted = len(_START), b"", 0
    while marker != _SCAN:
        if at + 4 > len(file):
            raise ValueError("a JPEG file without a scan")
        marker, length = struct.unpack_from(">2sH", file, at)  # the length counts itself, not the marker (B.1.1.4)
        at += len(marker) + length
        fitted += length - 2 if marker == _HUFFMAN_TABLES else 0
    return at - fitted + len(_END)
