"""The header of a BPG file: metadata, round trips, and every invalid header."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.codecs.bpg.header import (
    Alpha,
    BpgHeader,
    ColorSpace,
    Extension,
    ExtensionTag,
    PixelFormat,
    parse_header,
    serialize_header,
)
from models.errors import CodecError
from tests.models.codecs.bpg.reference import named

repeatable = settings(derandomize=True, deadline=None, max_examples=200)

TIMING = Extension(ExtensionTag.ANIMATION, bytes([2, 1, 10]))


def test_metadata_are_kept_unchanged() -> None:
    [exif] = parse_header(named("jpeg420_exif_x265").data)[0].extensions
    [icc] = parse_header(named("png_icc_x265").data)[0].extensions

    assert (exif.tag, exif.data[:4]) == (ExtensionTag.EXIF, b"MM\0*")
    assert (icc.tag, icc.data[36:40]) == (ExtensionTag.ICC, b"acsp")


headers = st.builds(
    BpgHeader,
    width=st.integers(1, 2**30 - 1),
    height=st.integers(1, 2**30 - 1),
    pixel_format=st.sampled_from(PixelFormat).filter(lambda kind: kind is not PixelFormat.GRAY),
    color_space=st.sampled_from(ColorSpace),
    bit_depth=st.integers(8, 14),
    alpha=st.sampled_from(Alpha),
    limited_range=st.booleans(),
    animation=st.booleans(),
    extensions=st.lists(st.builds(Extension, st.integers(6, 2**32 - 1), st.binary(max_size=200)), max_size=3).map(
        lambda some: (*some, TIMING)
    ),
    data_length=st.integers(0, 2**32 - 1),
)


@repeatable
@given(headers, st.binary(max_size=3))
def test_headers_round_trip(header: BpgHeader, behind: bytes) -> None:
    data = serialize_header(header)

    read, size = parse_header(data + behind)

    assert (read, read.data_length, size) == (header, header.data_length, len(data))


@pytest.mark.parametrize(
    "changes",
    [
        {"width": 0},
        {"height": 0},
        {"width": 1 << 30},
        {"bit_depth": 15},
        {"bit_depth": 7},
        {"pixel_format": PixelFormat.GRAY, "color_space": ColorSpace.RGB},
        {"pixel_format": PixelFormat.GRAY, "alpha": Alpha.WHITE},
        {"animation": True},
        {"animation": True, "extensions": (replace(TIMING, data=b"\0\0\1"),)},
        {"animation": True, "extensions": (replace(TIMING, data=b"\0\1"),)},
        {"animation": True, "extensions": (replace(TIMING, data=b"\1\1\x84\x80\0"),)},
    ],
)
def test_invalid_header_fields_are_refused(changes: dict[str, Any]) -> None:
    good = BpgHeader(4, 3, PixelFormat.YUV444)

    with pytest.raises(CodecError):
        replace(good, **changes)


GOOD = b"BPG\xfb\x60\x00\x04\x03\x00"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"BPG",
        b"RIFF" + GOOD[4:],
        b"BPG\xfb\xc0" + GOOD[5:],
        b"BPG\xfb\xe0" + GOOD[5:],
        b"BPG\xfb\x67" + GOOD[5:],
        b"BPG\xfb\x60\x50" + GOOD[6:],
        b"BPG\xfb\x60\xf0" + GOOD[6:],
        b"BPG\xfb\x60\x08\x04\x03\x00\x05\x01\x04" + b"x" * 3,
        b"BPG\xfb\x60\x08\x04\x03\x00\x05\x01\x02" + b"x" * 3,
        b"BPG\xfb\x60\x08\x04\x03\x00\x01\x01" + b"x" * 3,
        b"BPG\xfb\x60\x08\x04\x03\x00\x81\x50" + b"\x06\x00" * 104,
        *(GOOD[:length] for length in range(len(GOOD))),
    ],
)
def test_bytes_that_are_not_a_header_are_refused(data: bytes) -> None:
    with pytest.raises(CodecError):
        parse_header(data)


@pytest.mark.parametrize("timing", [b"\0\1\1", b"\x83\xff\x7f" * 3])
def test_numbers_of_the_timing_have_16_bits_and_only_the_loops_may_be_endless(timing: bytes) -> None:
    good = BpgHeader(4, 3, PixelFormat.YUV444)

    assert replace(good, animation=True, extensions=(replace(TIMING, data=timing),)).animation
    for place in range(3):
        numbers = [b"\1"] * 3
        numbers[place] = b"\x84\x80\0"  # 65536
        with pytest.raises(CodecError, match="timing"):
            replace(good, animation=True, extensions=(replace(TIMING, data=b"".join(numbers)),))


def test_the_last_timing_counts_and_others_may_be_anything() -> None:
    good = BpgHeader(4, 3, PixelFormat.YUV444)
    damaged = replace(TIMING, data=b"\0\0\0")

    assert replace(good, animation=True, extensions=(damaged, TIMING)).animation
    assert replace(good, extensions=(damaged,)).extensions == (damaged,)
    with pytest.raises(CodecError, match="timing"):
        replace(good, animation=True, extensions=(TIMING, damaged))


@pytest.mark.parametrize(
    "changes",
    [
        {"width": 1, "height": (1 << 30) - 1},
        {"bit_depth": 8},
        {"bit_depth": 14},
        {"pixel_format": PixelFormat.GRAY},
        {"pixel_format": PixelFormat.GRAY, "alpha": Alpha.STRAIGHT},
        {"color_space": ColorSpace.RGB, "alpha": Alpha.WHITE},
    ],
)
def test_the_last_valid_fields_are_accepted(changes: dict[str, Any]) -> None:
    header = replace(BpgHeader(4, 3, PixelFormat.YUV444), **changes)

    assert parse_header(serialize_header(header)) == (header, len(serialize_header(header)))


def test_a_header_has_64_extensions_at_most() -> None:
    header = BpgHeader(4, 3, PixelFormat.YUV444, extensions=(Extension(6, b""),) * 64)
    more = replace(header, extensions=(Extension(6, b""),) * 65)

    assert parse_header(serialize_header(header))[0] == header
    with pytest.raises(CodecError, match="too many"):
        parse_header(serialize_header(more))


def test_chroma_formats_and_positions_are_those_of_the_specification() -> None:
    assert [kind.chroma_format for kind in PixelFormat] == [0, 1, 2, 3, 1, 2]
    assert [kind.cosited for kind in PixelFormat] == [False] * 4 + [True] * 2


def test_a_header_without_more_is_that_of_a_plain_picture() -> None:
    header = BpgHeader(3, 2, PixelFormat.YUV444)

    assert (header.color_space, header.bit_depth, header.alpha) == (ColorSpace.YCBCR, 8, Alpha.NONE)
    assert (header.limited_range, header.animation, header.extensions, header.data_length) == (False, False, (), 0)
