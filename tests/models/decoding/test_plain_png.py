"""models/decoding/plain_png.py: the short way reads what the long way reads, or nothing."""

import struct
import zlib
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from models.decoding import decode as decoding
from models.decoding.decode import DecodedImage, decode
from models.decoding.plain_png import read_plain_png
from models.errors import ColorCNNError, ImageTooLarge
from tests.models.image_files import encoded, picture

LIMIT = 10**6


def the_long_way(data: bytes) -> DecodedImage:
    with patch.object(decoding, "read_plain_png", lambda data, max_pixels: None):
        return decode(data)


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def file_of(rows: bytes, *, side: int = 4, mode: int = 2, parts: int = 1, extra: bytes = b"") -> bytes:
    """A PNG of these rows, which are compressed into several chunks."""
    stream = zlib.compress(rows)
    step = -(-len(stream) // parts)
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, mode, 0, 0, 0))
    data = b"".join(chunk(b"IDAT", stream[at : at + step]) for at in range(0, len(stream), step))
    return b"\x89PNG\r\n\x1a\n" + header + extra + data + chunk(b"IEND", b"")


ROWS = b"".join(b"\0" + bytes(range(1 + 12 * row, 13 + 12 * row)) for row in range(4))
PLAIN = file_of(ROWS)


@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize("size", [(1, 1), (32, 32), (100, 3), (3, 100)])
def test_a_plain_png_is_read_as_the_long_way_reads_it(mode: str, size: tuple[int, int]) -> None:
    data = encoded(Image.fromarray(picture(*size) | 1).convert(mode), "PNG")

    pixels, expected = read_plain_png(data, LIMIT), the_long_way(data)

    assert pixels is not None
    assert np.array_equal(pixels, expected.pixels)
    assert pixels.flags.writeable and pixels.flags.c_contiguous
    assert (decode(data).format, decode(data).notes, decode(data).layer) == (expected.format, expected.notes, None)


def test_several_chunks_of_rows_are_one_stream() -> None:
    pixels = read_plain_png(file_of(ROWS, parts=5), LIMIT)

    assert pixels is not None
    assert np.array_equal(pixels, the_long_way(PLAIN).pixels)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        PLAIN[:-5],
        PLAIN[:33],
        b"GIF89a" + PLAIN[6:],
        PLAIN[:16] + b"\0\0\0\5" + PLAIN[20:],
        PLAIN.replace(b"IEND", b"IENX"),
        file_of(ROWS, extra=chunk(b"gAMA", struct.pack(">I", 45455))),
        file_of(ROWS, extra=chunk(b"tRNS", bytes(6))),
        file_of(ROWS[:-13]),
        file_of(ROWS[:-13] + bytes(13)),
        file_of(ROWS[:20], mode=0),
        file_of(b"".join(b"\0" + bytes(range(1, 17)) for _ in range(4)), mode=6),
        encoded(Image.fromarray(picture(9, 9)).quantize(4), "PNG"),
        encoded(Image.fromarray(picture(9, 9)), "JPEG"),
    ],
    ids=lambda data: f"{len(data)}-{zlib.crc32(data):08x}",
)
def test_any_other_file_goes_the_long_way(data: bytes) -> None:
    assert read_plain_png(data, LIMIT) is None


def test_a_picture_above_the_limit_gets_the_error_of_the_long_way() -> None:
    assert read_plain_png(PLAIN, 16) is not None
    assert read_plain_png(PLAIN, 15) is None
    with pytest.raises(ImageTooLarge, match="4 x 4"):
        decode(PLAIN, max_pixels=15)


@settings(max_examples=150)
@given(
    at=st.integers(0, len(PLAIN) - 1),
    byte=st.integers(0, 255),
    end=st.integers(0, len(PLAIN)) | st.just(len(PLAIN)),
    repair=st.booleans(),
)
def test_damage_is_never_read_in_another_way(at: int, byte: int, end: int, repair: bool) -> None:
    """A changed byte or a cut, with checksums that are right again or not."""
    changed = bytearray(PLAIN)
    changed[at] = byte
    data = _with_checksums(bytes(changed)) if repair else bytes(changed)
    pixels = read_plain_png(data[:end], LIMIT)
    if pixels is None:
        return
    try:
        expected = the_long_way(data[:end])
    except ColorCNNError as error:
        pytest.fail(f"the long way refuses the file: {error}")
    assert np.array_equal(pixels, expected.pixels)
    assert expected.notes == ()


def _with_checksums(data: bytes) -> bytes:
    """Return a PNG with the right checksum in each chunk that is whole."""
    at, written = 8, bytearray(data)
    while at + 12 <= len(data):
        end = at + 8 + int.from_bytes(data[at : at + 4], "big")
        if end + 4 > len(data):
            break
        written[end : end + 4] = struct.pack(">I", zlib.crc32(data[at + 4 : end]))
        at = end + 4
    return bytes(written)
