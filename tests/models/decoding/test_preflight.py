"""Formats are identified by their first bytes; a file built to exhaust a decoder is refused before one runs."""

import struct
import time
import zlib
from collections.abc import Callable

import pytest

from models.decoding.preflight import (
    ACCEPTED_FORMATS,
    _png_stream_length,
    check_jpeg,
    check_png,
    identify,
    png_stream_is_short,
)
from models.errors import BadImage, ColorCNNError, UnsupportedFormat
from tests.models.image_files import encoded, solid


def sample(kind: str, **options: object) -> bytes:
    """A small valid file of the format."""
    return encoded(solid("RGB", (200, 100, 50)), kind, **options)


def gray_png(rows: bytes, width: int, height: int, interlace: int = 0) -> bytes:
    """An 8-bit gray PNG with its rows in two IDAT chunks. All CRCs are zero, because nothing here reads them."""
    deflated = zlib.compress(rows)
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, interlace)
    chunks = [(b"IHDR", header), (b"IDAT", deflated[:9]), (b"IDAT", deflated[9:]), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(struct.pack(">I", len(d)) + kind + d + bytes(4) for kind, d in chunks)


def refusal(check: Callable[..., None], *file: object) -> str | None:
    """The message with which `check` refuses a file; None when the file passes."""
    try:
        check(*file)
    except ColorCNNError as error:
        return str(error)
    return None


def header_segments(jpeg: bytes) -> int:
    """The number of segments of a JPEG up to and including the header of its first scan."""
    count, at = 1, 2
    while jpeg[at + 1] != 0xDA:
        count, at = count + 1, at + 2 + int.from_bytes(jpeg[at + 2 : at + 4], "big")
    return count


@pytest.mark.parametrize("kind", ACCEPTED_FORMATS)
def test_identifies_the_files_of_encoders(kind: str) -> None:
    assert identify(sample(kind)) == kind


@pytest.mark.parametrize("mark", [b"MM\0*", b"II*\0", b"MM*\0", b"II\0*", b"MM\0+", b"II+\0"])
def test_identifies_every_start_of_a_tiff(mark: bytes) -> None:
    assert identify(mark + bytes(8)) == "TIFF"


@pytest.mark.parametrize(
    ("start", "name"),
    [
        (b"\0\0\0\x1cftypavif\0\0\0\0", "AVIF"),
        (b"\0\0\0\x18ftypheic\0\0\0\0", "HEIC"),
        (b"\0\0\0\x18ftypmif1\0\0\0\0", "HEIF"),
        (b"\0\0\0\x18ftypcrx \0\0\0\0", "camera raw"),
        (b"II*\0\x10\0\0\0CR\2\0", "camera raw"),
        (b"\0\0\0\x18ftypisom\0\0\0\0", "video"),
        (b"RIFF\0\0\0\0AVI LIST", "video"),
        (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG 2000"),
        (b"\xff\x4f\xff\x51\0", "JPEG 2000"),
        (b"\0\0\0\x0cJXL \r\n\x87\n", "JPEG XL"),
        (b"\xff\x0a\xfa\x3f", "JPEG XL"),
        (b"8BPS\0\1", "Photoshop"),
        (b"\0\0\1\0\1\0", "icon"),
        (b"\0\0\2\0\1\0", "cursor"),
        (b"\0\0\2" + bytes(9) + b"\4\0\4\0\x18\0", "TGA"),
        (b"\5\0\n" + bytes(9) + b"\4\0\4\0\x20\x28", "TGA"),
        (b"\0\0\3" + bytes(9) + b"\4\0\4\0\x08\0", "TGA"),
        (b"\0\1\1\0\0\0\1\x18" + bytes(4) + b"\4\0\4\0\x08\0", "TGA"),
        (b"\x28\0\0\0" + bytes(8) + b"\1\0\x18\0", "DIB"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\4CgBI", "CgBI"),
        (b"%PDF-1.7\n%", "PDF"),
        (b"%!PS-Adobe-3.0", "PostScript"),
        (b'<svg xmlns="http://www.w3.org/2000/svg"/>', "SVG"),
        (b'\xef\xbb\xbf<?xml version="1.0"?>\n<!-- made by hand -->\n<svg>', "SVG"),
        (b"P6 16 16 255\n", "Netpbm"),
        (b"qoif\0\0\0\1", "QOI"),
    ],
)
def test_names_a_format_that_is_not_accepted(start: bytes, name: str) -> None:
    with pytest.raises(UnsupportedFormat, match=f"{name}.*Send PNG, JPEG, WebP, GIF, BMP, TIFF or BPG"):
        identify(start)


@pytest.mark.parametrize(
    "data",
    [
        b"hello, world\n",
        b"<!DOCTYPE html><html><svg></svg></html>",
        b'{"file": "iVBORw0KGgo="}',
        b"\x89PNX",
        b"\0" * 64,
    ],
)
def test_anything_else_is_not_an_image(data: bytes) -> None:
    with pytest.raises(BadImage, match="not an image"):
        identify(data)


def test_no_bytes_are_reported_as_empty() -> None:
    with pytest.raises(BadImage, match="empty"):
        identify(b"")


@pytest.mark.parametrize("progressive", [False, True])
def test_ordinary_jpegs_pass(progressive: bool) -> None:
    jpeg = sample("JPEG", progressive=progressive, exif=b"Exif\0\0", icc_profile=bytes(200_000))

    assert refusal(check_jpeg, jpeg) is None


def test_refuses_a_jpeg_of_a_thousand_header_segments() -> None:
    # Pillow joins these in quadratic time: 20 MB of segments need minutes.
    plain = sample("JPEG")
    segment = b"\xff\xe1\0\x0aExif\0\0xx"
    own = header_segments(plain)

    check_jpeg(plain[:2] + segment * (1000 - own) + plain[2:])
    with pytest.raises(BadImage, match="more than 1000 header segments"):
        check_jpeg(plain[:2] + segment * (1001 - own) + plain[2:])
    with pytest.raises(BadImage, match="header segments"):  # no end marker before a scan stops Pillow
        check_jpeg(plain[:2] + b"\xff\xd9" + segment * 1001 + plain[2:])


@pytest.mark.parametrize("padding", [b"\xff", b"\xff\xd8", b"\xff\xd9", b"\xff\0"])
def test_refuses_a_jpeg_of_endless_padding(padding: bytes) -> None:
    # Pillow skips padding byte by byte, in Python: 20 MB need ten seconds.
    plain = sample("JPEG")

    check_jpeg(plain[:2] + padding * (65_536 // len(padding)) + plain[2:])
    with pytest.raises(BadImage, match="65536 bytes between them"):
        check_jpeg(plain[:2] + padding * (65_537 // len(padding)) + b"\xff" + plain[2:])


def test_padding_between_segments_adds_up_and_that_behind_a_scan_does_not_count() -> None:
    plain = sample("JPEG")
    second = 4 + int.from_bytes(plain[4:6], "big")
    padded = plain[:2] + b"\xff" * 40_000 + plain[2:second] + b"\xff" * 25_536

    check_jpeg(padded + plain[second:-2] + b"\xff" * 70_000 + plain[-2:])
    with pytest.raises(BadImage, match="between them"):
        check_jpeg(padded + b"\xff" + plain[second:])


def test_refuses_a_png_of_tens_of_thousands_of_chunks() -> None:
    plain = sample("PNG")
    empty = bytes(4) + b"tEXt" + bytes(4)

    others = 3  # IHDR, IDAT, IEND

    check_png(plain[:33] + empty * (32_768 - others) + plain[33:])
    with pytest.raises(BadImage, match="more than 32768 chunks"):
        check_png(plain[:33] + empty * (32_769 - others) + plain[33:])


def test_data_after_the_end_of_a_png_is_ignored() -> None:
    assert refusal(check_png, sample("PNG") + bytes(400_000)) is None


@pytest.mark.parametrize("hidden", [b"", b"tEXt"])
def test_refuses_a_png_of_two_headers(hidden: bytes) -> None:
    # Pillow reads the size and depth from the last header.
    plain = sample("PNG")
    between = bytes(4) + hidden + bytes(4) if hidden else b""

    with pytest.raises(BadImage, match="IHDR"):
        check_png(plain[:33] + between + plain[8:])


def test_refuses_a_png_that_does_not_start_with_a_whole_header() -> None:
    plain = sample("PNG")

    for start in (bytes(4) + b"tEXt" + bytes(4) + plain[8:], b"", plain[8:20], b"\0\0\0\x0eIHDR" + bytes(18)):
        with pytest.raises(BadImage, match="IHDR"):
            check_png(plain[:8] + start)


def test_refuses_a_jpeg_of_a_hundred_scans() -> None:
    progressive = sample("JPEG", progressive=True)
    last = progressive.rindex(b"\xff\xda")
    scan = progressive[last:-2]
    before = progressive[:last].count(b"\xff\xda")

    check_jpeg(progressive[:last] + scan * (100 - before) + b"\xff\xd9")
    with pytest.raises(BadImage, match="100 scans"):
        check_jpeg(progressive[:last] + scan * (101 - before) + b"\xff\xd9")


def test_scans_hidden_behind_an_end_marker_in_a_table_are_still_counted() -> None:
    # A comment after the first scan contains the end marker, which must not end the walk.
    progressive = sample("JPEG", progressive=True)
    first, last = progressive.index(b"\xff\xda"), progressive.rindex(b"\xff\xda")
    second = progressive.index(b"\xff\xda", first + 2)
    comment = b"\xff\xfe\0\4\xff\xd9"

    with pytest.raises(BadImage, match="scans"):
        check_jpeg(progressive[:second] + comment + progressive[second:-2] + progressive[last:-2] * 101)


def test_data_after_the_end_of_a_jpeg_is_ignored() -> None:
    # Phones append a video, whose bytes may look like any marker.
    assert refusal(check_jpeg, sample("JPEG") + b"\0\0" + b"\xff\xda\0\2" * 500) is None


def test_the_jpeg_walk_is_linear_in_hostile_input() -> None:
    hostile = b"\xff\xd8\xff" + b"\xff\xd8" * 500_000 + b"\xff\0" * 500_000

    start = time.process_time()
    check_jpeg(hostile)

    assert time.process_time() - start < 2  # about 0.05 s; a quadratic walk would need hours


def test_recognizes_a_png_with_missing_rows() -> None:
    rows = b"".join(b"\0" + bytes(40) for _ in range(30))

    assert not png_stream_is_short(gray_png(rows, 40, 30))
    assert not png_stream_is_short(gray_png(rows + b"more", 40, 30))
    assert png_stream_is_short(gray_png(rows[:-1], 40, 30))
    assert png_stream_is_short(gray_png(rows, 40, 31))


def test_recognizes_an_interlaced_png_with_missing_rows() -> None:
    passes = bytes(2 + 2 + 3 + 4 + 4)  # 3 x 3 pixels: passes 1, 4, 5, 6 and 7 have rows, 2 and 3 have none

    assert not png_stream_is_short(gray_png(passes, 3, 3, interlace=1))
    assert png_stream_is_short(gray_png(passes[:-1], 3, 3, interlace=1))


def test_counts_more_rows_than_one_step_of_inflating() -> None:
    rows = bytes(1001 * 2500)  # 2.5 MB: three steps

    assert not png_stream_is_short(gray_png(rows, 1000, 2500))
    assert png_stream_is_short(gray_png(rows, 1000, 2501))


# The pass of each pixel of a square of eight (PNG, clause 8.2).
PASSES = ["16462646", "77777777", "56565656", "77777777", "36463646", "77777777", "56565656", "77777777"]


@pytest.mark.parametrize("bits", [1, 2, 4, 8, 24, 64])
@pytest.mark.parametrize("width", range(1, 18))
def test_an_interlaced_picture_has_the_bytes_of_its_seven_passes(width: int, bits: int) -> None:
    for height in range(1, 18):
        length = 0
        for number in "1234567":
            rows = [sum(PASSES[y % 8][x % 8] == number for x in range(width)) for y in range(height)]
            length += sum(1 + -(-columns * bits // 8) for columns in rows if columns)
        assert _png_stream_length(width, height, bits, interlaced=True) == length
        assert _png_stream_length(width, height, bits, interlaced=False) == height * (1 + -(-width * bits // 8))
