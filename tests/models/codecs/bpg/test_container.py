"""The header of a BPG file: the reference encoder's own, round trips, and everything that must be refused."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.codecs.bpg import container, parameter_sets
from models.codecs.bpg.bits import write_ue7
from models.codecs.bpg.container import Alpha, BpgFile, BpgHeader, ColorSpace, Extension, ExtensionTag, PixelFormat
from models.errors import CodecError
from tests.models.codecs.bpg.reference import VALID, Vector, named

repeatable = settings(derandomize=True, deadline=None, max_examples=200)

TIMING = Extension(ExtensionTag.ANIMATION, bytes([2, 1, 10]))
FORMATS = ["Gray", "4:2:0", "4:2:2", "4:4:4", "4:2:0_video", "4:2:2_video"]
SPACES = ["YCbCr", "RGB", "YCgCo", "YCbCr_BT709", "YCbCr_BT2020"]
ALPHAS = {None: Alpha.NONE, "straight": Alpha.STRAIGHT, "premul": Alpha.PREMULTIPLIED, "w": Alpha.WHITE}


@pytest.mark.parametrize("vector", VALID, ids=str)
def test_headers_of_the_reference_encoder(vector: Vector) -> None:
    entry = vector.entry

    file = container.parse(vector.data)

    header = file.header
    assert (header.width, header.height, header.bit_depth) == (entry["width"], entry["height"], entry["bit_depth"])
    assert FORMATS[header.pixel_format] == entry["pixel_format"]
    assert SPACES[header.color_space] == entry["color_space"]
    assert header.alpha is ALPHAS[entry["alpha"]]
    assert [header.limited_range, header.animation] == [entry["limited_range"], entry["animation"]]
    assert [[each.tag, len(each.data)] for each in header.extensions] == entry["extensions"]
    tools = entry["hevc_header"]
    assert (file.color.log2_min_block, file.color.log2_max_block) == (tools["log2_min_cb"], tools["log2_ctb"])
    assert file.color.sample_adaptive_offset == tools["sao"]
    assert [nal.type for nal in file.nals] == entry["nal_types"]


@pytest.mark.parametrize("vector", VALID, ids=str)
def test_what_is_written_again_is_the_same_but_for_the_length(vector: Vector) -> None:
    """bpgenc leaves picture_data_length 0, and starts some units with four bytes where three do."""
    header, size = container.parse_header(vector.data)
    file = container.parse(vector.data)

    assert container.serialize_header(header) == vector.data[:size]
    assert container.parse(container.serialize(file)) == file
    assert container.serialize_tools(file.color) in vector.data


def test_metadata_are_kept_as_they_are() -> None:
    [exif] = container.parse_header(named("jpeg420_exif_x265").data)[0].extensions
    [icc] = container.parse_header(named("png_icc_x265").data)[0].extensions

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
    data = container.serialize_header(header)

    read, size = container.parse_header(data + behind)

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
def test_headers_that_no_bpg_file_may_have(changes: dict[str, Any]) -> None:
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
def test_bytes_that_are_no_header(data: bytes) -> None:
    with pytest.raises(CodecError):
        container.parse_header(data)


def with_tools(tools: bytes) -> bytes:
    return GOOD + write_ue7(len(tools)) + tools + b"\x44\x01\xc1\x71\x81\x12"


def test_the_usual_fields_of_the_sps() -> None:
    file = container.parse(with_tools(bytes.fromhex("924740")))

    assert file.color == parameter_sets.Tools(3, 6, 2, 5, 2, sample_adaptive_offset=True, strong_intra_smoothing=True)
    assert container.serialize_tools(file.color) == bytes.fromhex("03924740")


@pytest.mark.parametrize(
    "tools",
    [
        "",
        "92",
        "9247",
        "92474000",  # a byte too many
        "924741",  # a one among the bits that fill it up
        "92475fe0",  # an extension other than of range
        "00000000" * 8 + "00",
        "00000000ff",
    ],
)
def test_fields_of_the_sps_that_are_not_read(tools: str) -> None:
    with pytest.raises(CodecError):
        container.parse(with_tools(bytes.fromhex(tools)))


def test_a_file_of_more_units_than_any_image_needs() -> None:
    with pytest.raises(CodecError, match="more HEVC units"):
        container.parse(with_tools(bytes.fromhex("924740")) + b"\0\0\1\x4e\1\x80" * (1 << 16))


def test_a_file_and_its_header_agree_on_the_second_picture() -> None:
    file = container.parse(named("own_1x1_444").data)

    with pytest.raises(ValueError, match="agree"):
        replace(file, alpha=file.color)
    with pytest.raises(ValueError, match="agree"):
        BpgFile(replace(file.header, alpha=Alpha.STRAIGHT), file.color, None, file.nals)


def test_what_lies_behind_the_picture_is_not_read() -> None:
    data = named("own_1x1_444").data

    assert container.parse(data + b"\0\0\1 anything") == container.parse(data)
