"""BPG files: those of the reference encoder, round trips, and every invalid file."""

from dataclasses import replace

import pytest
from hypothesis import settings

from models.codecs.bpg import container
from models.codecs.bpg.bits import write_ue7
from models.codecs.bpg.coding_tools import Tools
from models.codecs.bpg.container import BpgFile
from models.codecs.bpg.header import (
    Alpha,
    parse_header,
    serialize_header,
)
from models.errors import CodecError
from tests.models.codecs.bpg.reference import VALID, Vector, named

repeatable = settings(derandomize=True, deadline=None, max_examples=200)

FORMATS = ["Gray", "4:2:0", "4:2:2", "4:4:4", "4:2:0_video", "4:2:2_video"]
SPACES = ["YCbCr", "RGB", "YCgCo", "YCbCr_BT709", "YCbCr_BT2020"]
ALPHAS = {None: Alpha.NONE, "straight": Alpha.STRAIGHT, "premul": Alpha.PREMULTIPLIED, "w": Alpha.WHITE}


@pytest.mark.parametrize("vector", VALID, ids=str)
def test_headers_of_the_reference_encoder_are_parsed(vector: Vector) -> None:
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
def test_serializing_a_parsed_file_restores_everything_but_the_length(vector: Vector) -> None:
    """bpgenc leaves picture_data_length 0, and starts some units with four bytes where three suffice."""
    header, size = parse_header(vector.data)
    file = container.parse(vector.data)

    assert serialize_header(header) == vector.data[:size]
    assert container.parse(container.serialize(file)) == file
    assert container.serialize_tools(file.color) in vector.data


GOOD = b"BPG\xfb\x60\x00\x04\x03\x00"


def with_tools(tools: bytes) -> bytes:
    return GOOD + write_ue7(len(tools)) + tools + b"\x44\x01\xc1\x71\x81\x12"


def test_the_usual_fields_of_the_sps_are_accepted() -> None:
    file = container.parse(with_tools(bytes.fromhex("924740")))

    assert file.color == Tools(3, 6, 2, 5, 2, sample_adaptive_offset=True, strong_intra_smoothing=True)
    assert container.serialize_tools(file.color) == bytes.fromhex("03924740")


@pytest.mark.parametrize(
    "tools",
    [
        "",
        "92",
        "9247",
        "92474000",  # a byte too many
        "924741",  # a one among the padding bits
        "92475fe0",  # an extension that is not the range extension
        "00000000" * 8 + "00",
        "00000000ff",
    ],
)
def test_invalid_fields_of_the_sps_are_refused(tools: str) -> None:
    with pytest.raises(CodecError):
        container.parse(with_tools(bytes.fromhex(tools)))


def test_a_file_with_more_units_than_any_image_needs_is_refused() -> None:
    with pytest.raises(CodecError, match="more HEVC units"):
        container.parse(with_tools(bytes.fromhex("924740")) + b"\0\0\1\x4e\1\x80" * (1 << 16))


def test_a_file_and_its_header_agree_on_the_second_picture() -> None:
    file = container.parse(named("own_1x1_444").data)

    with pytest.raises(ValueError, match="agree"):
        replace(file, alpha=file.color)
    with pytest.raises(ValueError, match="agree"):
        BpgFile(replace(file.header, alpha=Alpha.STRAIGHT), file.color, None, file.nals)


def test_bytes_after_the_picture_are_ignored() -> None:
    data = named("own_1x1_444").data

    assert container.parse(data + b"\0\0\1 anything") == container.parse(data)
