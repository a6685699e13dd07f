"""The contents of single PNG chunks: what they state, and whether it is valid.

Clause numbers refer to "Portable Network Graphics (PNG) Specification (Third Edition)", W3C 2025.
"""

import struct
import zlib
from collections.abc import Callable, Mapping

from models.decoding.bands import Box
from models.decoding.color_space import Chromaticities, profile_of_code_points, profile_of_gamma
from models.decoding.hdr import DEFAULT_PEAK, hdr_colors

MAX_PROFILE = 1 << 22  # bytes of an ICC profile after decompression
MAX_RAW_EXIF = 1 << 18  # bytes of EXIF data that ImageMagick writes as a text
GRAY_TYPES = (0, 4)  # color types


def gamma(content: bytes) -> float:
    return int(struct.unpack(">I", content)[0]) / 100_000


def chromaticities(content: bytes) -> Chromaticities:
    a, b, c, d, e, f, g, h = (number / 100_000 for number in struct.unpack(">8I", content))
    return a, b, c, d, e, f, g, h


def profile(content: bytes) -> bytes:
    """Return the profile in an iCCP chunk (clause 11.3.2.3). Raises ValueError or zlib.error for a damaged one."""
    name, separator, packed = content.partition(b"\0")
    if not separator or not 0 < len(name) < 80 or packed[:1] != b"\0":
        raise ValueError("not a profile")
    inflater = zlib.decompressobj()
    profile = inflater.decompress(packed[1:], MAX_PROFILE)
    if not inflater.eof:
        raise ValueError("the profile is cut short or too large")
    return profile


def peak(contents: Mapping[bytes, bytes]) -> float:
    """Return the brightest light in cd/m2 that cLLI states for the picture, or mDCV for its display, or the default."""
    for kind, at in ((b"cLLI", 0), (b"mDCV", 16)):
        if kind in contents:
            (light,) = struct.unpack_from(">I", contents[kind], at)
            if light:
                return float(light / 10_000)
    return DEFAULT_PEAK


def _checks_gamma(content: bytes, color_type: int) -> bool:
    return 0.01 < gamma(content) < 100


def _checks_chromaticities(content: bytes, color_type: int) -> bool:
    profile_of_gamma(1.0, chromaticities(content), gray=False)
    return True


def _checks_code_points(content: bytes, color_type: int) -> bool:
    primaries, transfer, matrix, full_range = struct.unpack(">4B", content)
    if hdr_colors(primaries, transfer) is None:
        profile_of_code_points(primaries, transfer, gray=color_type in GRAY_TYPES)
    return (matrix, full_range) == (0, 1)


CHECKS: Mapping[bytes, Callable[[bytes, int], bool]] = {
    b"tRNS": lambda content, _: True,  # checked with the palette
    b"gAMA": _checks_gamma,
    b"cHRM": _checks_chromaticities,
    b"sRGB": lambda content, _: len(content) == 1 and content[0] < 4,
    b"cICP": _checks_code_points,
    b"iCCP": lambda content, _: bool(profile(content)),
    b"cLLI": lambda content, _: len(content) == 8,
    b"mDCV": lambda content, _: len(content) == 24,
    b"pHYs": lambda content, _: len(content) == 9,
    b"tIME": lambda content, _: len(content) == 7,
    b"acTL": lambda content, _: len(content) == 8 and struct.unpack_from(">I", content)[0] > 0,
}


def frame_box(content: memoryview) -> Box:
    width, height, left, top = struct.unpack_from(">4I", content, 4)
    return left, top, left + width, top + height


def lies_in(box: Box, canvas: Box) -> bool:
    return box[0] < box[2] <= canvas[2] and box[1] < box[3] <= canvas[3]


def raw_exif(kind: bytes, content: bytes) -> bytes | None:
    """Return EXIF data that ImageMagick writes as a text of hexadecimal digits, or None."""
    name, _, text = content.partition(b"\0")
    if name != b"Raw profile type exif":
        return None
    try:
        if kind == b"zTXt":
            text = zlib.decompressobj().decompress(text[1:], MAX_RAW_EXIF)
        digits = b"".join(text.split(b"\n")[3:])  # after an empty line, the name, and the number of bytes
        return bytes.fromhex(digits.decode("ascii"))
    except (ValueError, zlib.error):
        return None
