"""Pixels as JPEG, the most common lossy format, as a baseline for palette images.

"Digital compression and coding of continuous-tone still images: requirements and guidelines", CCITT T.81, 1992, also
ISO/IEC 10918-1; clause numbers refer to this text.
"""

import struct

from models.codecs.pillow import check_quality, save
from models.rgb import Pixels

_START, _END = b"\xff\xd8", b"\xff\xd9"  # SOI and EOI (table B.1)
_SCAN = b"\xff\xda"  # SOS
_HUFFMAN_TABLES = b"\xff\xc4"  # DHT


def encode(pixels: Pixels, quality: int) -> bytes:
    """Return `pixels` as a baseline JPEG.

    Chroma has half the resolution, as in most cameras, and the Huffman tables are fitted to the image.

    Args:
        pixels: (H, W, 3) uint8 sRGB, H and W at most 65500 (libjpeg's limit).
        quality: 1 to 100, the scale of the Independent JPEG Group.

    Raises:
        ValueError: `pixels` has another shape or dtype, or `quality` is out of range.
    """
    check_quality(quality)
    return save(pixels, "JPEG", quality=quality, optimize=True)


def fixed_bytes(file: bytes) -> int:
    """Return the number of bytes of a JPEG file of one scan that do not depend on the picture.

    The picture determines the entropy-coded data (clause B.1.1.5) and the Huffman tables (clause B.2.4.2).

    Raises:
        ValueError: `file` is not a whole JPEG file of one scan.
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
