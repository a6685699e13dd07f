"""JPEG files whose picture is whole although a marker beside it is not: a missing end, and short application segments.

The same means find files that are cut short although they have an end. Kinds of JPEG that are not read are named.

Specification: ISO/IEC 10918-1, annex B.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from PIL import Image, ImageChops

from models.decoding.preflight import JPEG_END, JPEG_SCAN, JPEG_SEGMENT
from models.errors import BadImage, UnsupportedFormat

_END_MARKER = b"\xff\xd9"
# Bytes that begin with other bits. Each has all restart markers, one of which a decoder waits for after an interval.
_PADDINGS = [
    b"".join(bytes([level]) * 64 + bytes([0xFF, 0xD0 + marker % 8]) for marker in range(64))
    for level in (0x00, 0x55, 0xAA, 0xFE)
]
_FRAMES = frozenset({*range(0xC0, 0xC4), *range(0xC5, 0xC8), *range(0xC9, 0xCC), *range(0xCD, 0xD0)})
_SHORTEST = {(0xE0, b"JFIF"): (14, "APP0"), (0xEE, b"Adobe"): (12, "APP14")}  # bytes of content, and the name
_COEFFICIENTS = 64
_FEW_SEGMENTS = 32  # before the first scan; cameras write some ten
_LOSSLESS, _HIERARCHICAL = frozenset({0xC3, 0xC7, 0xCB, 0xCF}), frozenset({0xC5, 0xC6, 0xCD, 0xCE})
_MOST_BEFORE_FRAME = 1 << 16
_JPEG_LS = re.compile(rb"\xff\xf7\0.[\x02-\x10]", re.DOTALL)  # ISO/IEC 14495-1, annex C: marker, length, bits
_FILLED = (127, 128)  # levels of blocks whose coefficients libjpeg does not find


@dataclass(frozen=True)
class _Segment:
    code: int
    start: int  # of its marker
    content: bytes
    end: int


def without_short_segments(data: bytes) -> tuple[bytes, tuple[str, ...]]:
    """Return a JPEG without application segments that are too short for their name, and the names of these segments.

    Pillow reads numbers from them and would fail; libjpeg ignores them.
    """
    kept, skipped, at = [], [], 0
    for segment in _segments(data):
        if segment.code == JPEG_SCAN:
            break
        for (code, name), (length, label) in _SHORTEST.items():
            if segment.code == code and segment.content.startswith(name) and len(segment.content) < length:
                kept.append(data[at : segment.start])
                skipped.append(label)
                at = segment.end
    return (b"".join([*kept, data[at:]]), tuple(dict.fromkeys(skipped))) if skipped else (data, ())


def size_of_frame(data: bytes) -> tuple[int, int] | None:
    """Return width and height of a JPEG; None unless its header has few segments, one after the other, and one frame.

    A second frame could state another size, so a JPEG with two is none of these.
    """
    at, size = 2, None
    for _ in range(_FEW_SEGMENTS):
        marker, length = data[at : at + 2], int.from_bytes(data[at + 2 : at + 4], "big")
        if marker[:1] != b"\xff" or len(marker) < 2 or length < 2:
            return None
        if marker[1] == JPEG_SCAN:
            return size
        if marker[1] in _FRAMES:
            if size is not None or length < 7:
                return None
            size = int.from_bytes(data[at + 7 : at + 9], "big"), int.from_bytes(data[at + 5 : at + 7], "big")
        elif not JPEG_SEGMENT.fullmatch(marker) or marker[1] == JPEG_END:
            return None
        at += 2 + length
    return None


def check_kind(data: bytes) -> None:
    """Raise UnsupportedFormat for a kind of JPEG that is not read: lossless, hierarchical, or not of 8 bits."""
    for segment in _segments(data):
        if segment.code in _FRAMES and segment.content:
            bits = segment.content[0]
            name = "a lossless JPEG" if segment.code in _LOSSLESS else f"a JPEG of {bits} bits"
            name = "a hierarchical JPEG" if segment.code in _HIERARCHICAL else name
            if segment.code in _LOSSLESS | _HIERARCHICAL or bits in (12, 16):
                raise UnsupportedFormat(f"This is {name}, which is not accepted. Save it again as PNG or 8-bit JPEG.")
            return
        if segment.code == JPEG_SCAN:
            break
    if _JPEG_LS.search(data, 2, _MOST_BEFORE_FRAME):
        raise UnsupportedFormat("This is a JPEG-LS image, which is not accepted. Save it again as PNG or 8-bit JPEG.")


def check_rows(data: bytes, image: Image.Image) -> None:
    """Raise BadImage for a JPEG that ends before its picture does, although it has its end marker.

    libjpeg fills missing blocks with gray and tells Pillow nothing. Only a picture whose last pixels are gray is
    decoded again.

    Args:
        data: the file.
        image: its picture, decoded.
    """
    corner = image.crop((max(0, image.width - 2), max(0, image.height - 2), *image.size))
    levels = np.asarray(corner)
    if levels.min() < _FILLED[0] or levels.max() > _FILLED[1]:
        return
    end = _end_of_picture(data)
    if end is not None and with_end(data[:end]) is None:
        raise BadImage("The JPEG file ends before its picture does. Save it again and send the whole file.")


def with_end(data: bytes) -> bytes | None:
    """Return a JPEG that lacks its end marker with this marker; None unless every row of the picture is there.

    libjpeg fills missing rows and tells Pillow nothing. So the file is decoded with several paddings behind its end: a
    decoder that has all rows reads none of them. A scan that is missing as a whole is found by the coefficients
    that the scans cover.
    """
    if not _covers_all_coefficients(data):
        return None
    start = data.rstrip(b"\xff")
    first = _decoded(start + _PADDINGS[0] + _END_MARKER)
    for padding in _PADDINGS[1:]:
        if ImageChops.difference(first, _decoded(start + padding + _END_MARKER)).getbbox():
            return None
    return start + _END_MARKER


def _decoded(data: bytes) -> Image.Image:
    image = Image.open(BytesIO(data), formats=("JPEG",))
    image.load()
    return image


def _segments(data: bytes) -> Iterator[_Segment]:
    """Yield the segments of the first picture, as `check_jpeg` walks over them."""
    at, scanning = 2, False
    while found := JPEG_SEGMENT.search(data, at):
        code, at = data[found.end() - 1], found.end()
        if code == JPEG_END:
            if scanning:
                return
            continue
        scanning = scanning or code == JPEG_SCAN
        end = at + int.from_bytes(data[at : at + 2], "big")
        yield _Segment(code, found.start(), data[at + 2 : end], end)
        at = end


def _end_of_picture(data: bytes) -> int | None:
    """Return where the end marker of the first picture stands."""
    at, scanning = 2, False
    while found := JPEG_SEGMENT.search(data, at):
        code, at = data[found.end() - 1], found.end()
        if code == JPEG_END:
            if scanning:
                return found.start()
            continue
        scanning = scanning or code == JPEG_SCAN
        at += int.from_bytes(data[at : at + 2], "big")
    return None


def _covers_all_coefficients(data: bytes) -> bool:
    """Return whether the scans code every coefficient of every component to its last bit (clause G.1.1.1)."""
    missing: dict[int, set[int]] = {}
    for segment in _segments(data):
        content = segment.content
        if segment.code in _FRAMES and len(content) > 5:
            components = content[6 : 6 + 3 * content[5] : 3]
            missing = {component: set(range(_COEFFICIENTS)) for component in components}
        elif segment.code == JPEG_SCAN and content and len(content) == 4 + 2 * content[0]:
            first, last, precision = content[-3:]
            for component in content[1:-3:2]:
                if precision & 15 == 0 and component in missing:
                    missing[component] -= set(range(first, last + 1))
    return bool(missing) and not any(missing.values())
