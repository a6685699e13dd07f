"""Which files and images are small enough for the event loop, and that no file hides work from the estimate."""

import math
import struct
import zlib
from collections.abc import Sequence

import pytest

from models.codecs import png
from service.inference.workload import is_quick, pixels_to_decode, scale_of

IHDR = (b"IHDR", struct.pack(">IIBBBBB", 30, 20, 8, 2, 0, 0, 0))
IDAT, IEND = (b"IDAT", b"compressed rows"), (b"IEND", b"")


def file_of(chunks: Sequence[tuple[bytes, bytes]]) -> bytes:
    """A PNG of these chunks, none of which is decoded."""
    written = [
        struct.pack(">I4s", len(content), kind) + content + struct.pack(">I", zlib.crc32(kind + content))
        for kind, content in chunks
    ]
    return png.SIGNATURE + b"".join(written)


def test_as_much_as_64_by_64_pixels_is_quick() -> None:
    assert is_quick(0) and is_quick(64 * 64)
    assert not is_quick(64 * 64 + 1) and not is_quick(math.inf)


def test_a_scale_ends_at_one_and_at_eight_times_2_to_the_20_pixels() -> None:
    assert scale_of(1) == scale_of(1 << 20) == "small"
    assert scale_of((1 << 20) + 1) == scale_of(1 << 23) == "medium"
    assert scale_of((1 << 23) + 1) == scale_of(math.inf) == "large"


def test_the_pixels_of_a_plain_png_are_those_of_its_header() -> None:
    plain = [(kind, b"") for kind in (b"PLTE", b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"sBIT", b"bKGD", b"pHYs", b"tIME")]

    assert pixels_to_decode(file_of([IHDR, IDAT, IEND])) == 600
    assert pixels_to_decode(file_of([IHDR, *plain, IDAT, IDAT, IEND])) == 600


@pytest.mark.parametrize("kind", [b"iCCP", b"tEXt", b"zTXt", b"iTXt", b"eXIf", b"acTL", b"fdAT", b"cICP"])
@pytest.mark.parametrize("place", [1, 2, 3])
def test_a_png_that_holds_more_than_a_picture_may_hold_any_work(kind: bytes, place: int) -> None:
    chunks = [IHDR, IDAT, IEND]
    chunks.insert(place, (kind, b""))

    assert pixels_to_decode(file_of(chunks)) == math.inf


@pytest.mark.parametrize(
    "chunks",
    [[IHDR, IHDR, IDAT, IEND], [IDAT, IHDR, IEND], [(b"gAMA", bytes(20)), IHDR, IDAT, IEND]],
    ids=["two headers", "late header", "another chunk first"],
)
def test_a_png_without_one_header_at_its_start_may_hold_any_work(chunks: list[tuple[bytes, bytes]]) -> None:
    assert pixels_to_decode(file_of(chunks)) == math.inf


def test_a_file_of_another_format_or_of_no_size_may_hold_any_work() -> None:
    whole = file_of([IHDR, IDAT, IEND])

    assert pixels_to_decode(whole[:24]) == 600
    assert pixels_to_decode(whole[:23]) == pixels_to_decode(b"") == math.inf
    assert pixels_to_decode(b"GIF89a..." + whole[9:]) == math.inf


def test_a_file_of_more_than_four_kilobytes_may_hold_any_work() -> None:
    others = len(file_of([IHDR, (b"IDAT", b""), IEND]))
    for length, pixels in ((4096, 600), (4097, math.inf)):
        file = file_of([IHDR, (b"IDAT", bytes(length - others)), IEND])
        assert len(file) == length
        assert pixels_to_decode(file) == pixels
