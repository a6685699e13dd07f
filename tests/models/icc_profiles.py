"""ICC profiles made by hand, so that their effect on a color can be worked out on paper, and the one of sRGB."""

import struct
from collections.abc import Mapping

from PIL import ImageCms


def xyz(*values: float) -> bytes:
    """An XYZ tag: each number as s15Fixed16."""
    return b"XYZ \0\0\0\0" + b"".join(struct.pack(">i", round(value * 65536)) for value in values)


def gamma(exponent: float) -> bytes:
    """A curve tag: a pure power curve."""
    return b"curv\0\0\0\0" + struct.pack(">IH", 1, round(exponent * 256)) + b"\0\0"


SRGB_COLUMNS = {b"r": (0.4360, 0.2225, 0.0139), b"g": (0.3851, 0.7169, 0.0971), b"b": (0.1431, 0.0606, 0.7141)}
D50 = xyz(0.9642, 1.0, 0.8249)


def icc_profile(space: bytes, tags: Mapping[bytes, bytes], *, pcs: bytes = b"XYZ ", version: int = 2) -> bytes:
    """A display profile with these tags (ICC.1:2001-04, clause 6)."""
    start = 128 + 4 + 12 * len(tags)
    table, body = struct.pack(">I", len(tags)), b""
    for signature, data in tags.items():
        table += signature + struct.pack(">II", start + len(body), len(data))
        body += data
    header = struct.pack(">I", start + len(body)) + b"\0\0\0\0" + bytes([version, 0x10, 0, 0]) + b"mntr" + space + pcs
    header += struct.pack(">6H", 2026, 1, 1, 0, 0, 0) + b"acsp" + bytes(28) + D50[8:]
    return header.ljust(128, b"\0") + table + body


def rgb_tags(red: bytes = b"r", blue: bytes = b"b", exponent: float = 1.0) -> dict[bytes, bytes]:
    tags = {b"wtpt": D50, b"rTRC": gamma(exponent), b"gTRC": gamma(exponent), b"bTRC": gamma(exponent)}
    columns = {b"rXYZ": SRGB_COLUMNS[red], b"gXYZ": SRGB_COLUMNS[b"g"], b"bXYZ": SRGB_COLUMNS[blue]}
    return tags | {signature: xyz(*column) for signature, column in columns.items()}


def rgb_profile(red: bytes = b"r", blue: bytes = b"b", exponent: float = 1.0) -> bytes:
    """A profile with a pure power curve and the primaries of sRGB, where red and blue may be exchanged."""
    return icc_profile(b"RGB ", rgb_tags(red, blue, exponent))


def float_table(elements: int) -> bytes:
    """A float table (ICC.1:2010, clause 10.14) that repeats one matrix, which makes every color black."""
    matrix = b"matf\0\0\0\0" + struct.pack(">HH", 3, 3) + bytes(4 * (3 * 3 + 3))
    places = struct.pack(">II", 16 + 8 * elements, len(matrix)) * elements
    return b"mpet\0\0\0\0" + struct.pack(">HHI", 3, 3, elements) + places + matrix


def gray_profile(exponent: float = 1.0) -> bytes:
    return icc_profile(b"GRAY", {b"wtpt": D50, b"kTRC": gamma(exponent)})


def cmyk_profile(black: int = 0) -> bytes:
    """A profile with white paper and L* = black / 2.55 for full ink, linear between: 50 % ink is L* 50, sRGB 119."""
    ramp = bytes(range(256))
    grid = b"".join(bytes([255 if corner == 0 else black, 128, 128]) for corner in range(16))
    identity = b"".join(struct.pack(">i", 65536 * (place % 4 == 0)) for place in range(9))
    table = b"mft1\0\0\0\0" + bytes([4, 3, 2, 0]) + identity + ramp * 4 + grid + ramp * 3
    return icc_profile(b"CMYK", {b"wtpt": D50, b"A2B0": table, b"A2B1": table}, pcs=b"Lab ")


def srgb_profile() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
