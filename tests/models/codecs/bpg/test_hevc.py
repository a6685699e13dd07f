"""What x265 is asked for: parameters that a BPG decoder relies on, and sizes of blocks."""

import numpy as np
import pytest

from models.codecs.bpg import hevc
from models.codecs.bpg.coding_tools import Tools
from models.codecs.bpg.hevc import _fill, _format, _x265_parameters, encode_picture
from models.codecs.bpg.nal_units import Nal
from models.codecs.bpg.parameter_sets import Shape
from models.errors import CodecError


def shape(width: int, height: int, *, chroma_format: int = 3, bit_depth: int = 8) -> Shape:
    return Shape(width=width, height=height, chroma_format=chroma_format, bit_depth=bit_depth)


def parameters(text: str) -> dict[str, str]:
    return dict(part.split("=") for part in text.split(":"))


def test_every_parameter_has_its_value() -> None:
    found = parameters(_x265_parameters(shape(640, 480), 8, 28, True))

    off = (
        *("info", "aud", "hrd", "bframes", "b-adapt", "open-gop", "rc-lookahead", "lookahead-slices", "scenecut"),
        *("cutree", "wpp", "pmode", "pme", "aq-mode", "psy-rd", "psy-rdoq"),
    )
    on = ("annexb", "repeat-headers", "keyint", "min-keyint", "ref", "frame-threads", "allow-non-conformance", "tskip")
    assert found == {
        **dict.fromkeys(off, "0"),
        **dict.fromkeys(on, "1"),
        "log-level": "none",
        "pools": "none",
        "log2-max-poc-lsb": "8",
        "scaling-list": "off",
        "ipratio": "1.0",
        "min-cu-size": "8",
        "ctu": "64",
        "max-tu-size": "32",
        "qp": "28",
    }


@pytest.mark.parametrize(
    ("width", "height", "ctu", "transform"),
    [(16, 16, 16, 16), (31, 99, 16, 16), (32, 32, 32, 32), (99, 63, 32, 32), (64, 64, 64, 32), (64, 999, 64, 32)],
)
def test_blocks_are_no_larger_than_the_picture(width: int, height: int, ctu: int, transform: int) -> None:
    found = parameters(_x265_parameters(shape(width, height), 16, 0, False))

    assert (found["ctu"], found["max-tu-size"]) == (str(ctu), str(transform))
    assert (found["min-cu-size"], found["qp"], found["tskip"]) == ("16", "0", "0")


def test_without_a_quantization_parameter_the_coding_is_lossless() -> None:
    found = parameters(_x265_parameters(shape(16, 16), 8, None, True))

    assert found["lossless"] == "1" and "qp" not in found


@pytest.mark.parametrize(
    ("chroma_format", "bit_depth", "name"),
    [
        (0, 8, "gray"),
        (1, 8, "yuv420p"),
        (2, 8, "yuv422p"),
        (3, 8, "yuv444p"),
        (3, 10, "yuv444p10le"),
        (0, 9, "gray9le"),
    ],
)
def test_formats_have_the_names_of_ffmpeg(chroma_format: int, bit_depth: int, name: str) -> None:
    assert _format(shape(16, 16, chroma_format=chroma_format, bit_depth=bit_depth)) == name


def test_the_last_column_and_row_are_repeated() -> None:
    padded = np.zeros((4, 5), np.uint8)
    _fill(padded, np.array([[1, 2, 3], [4, 5, 6]], np.uint8))

    assert padded.tolist() == [[1, 2, 3, 3, 3], [4, 5, 6, 6, 6], [4, 5, 6, 6, 6], [4, 5, 6, 6, 6]]


@pytest.mark.parametrize("block", [8, 16])
def test_a_picture_becomes_parameters_and_one_slice(block: int) -> None:
    plane = np.random.default_rng(0).integers(0, 256, (32, 48)).astype(np.uint8)
    tools, nals = encode_picture([plane], shape(48, 32, chroma_format=0), block, qp=20, transform_skip=False)

    assert 1 << tools.log2_min_block == block
    assert len(nals) == 2 and nals[1].is_slice and not nals[0].is_slice


def test_a_stream_of_another_shape_is_refused() -> None:
    plane = np.zeros((32, 48), np.uint8)
    made: list[bytes] = []
    dismantle = hevc._dismantle

    def keep(stream: bytes, whole: Shape, block: int) -> tuple[Tools, list[Nal]]:
        made.append(stream)
        return dismantle(stream, whole, block)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hevc, "_dismantle", keep)
        encode_picture([plane], shape(48, 32, chroma_format=0), 8, qp=20, transform_skip=False)
    with pytest.raises(CodecError, match="cannot become a BPG file"):
        dismantle(made[0], shape(32, 48, chroma_format=0), 8)
    with pytest.raises(CodecError, match="cannot become a BPG file"):
        dismantle(made[0], shape(48, 32, chroma_format=0), 16)
    with pytest.raises(CodecError, match="its units are of types"):
        dismantle(made[0] + made[0][made[0].rindex(b"\0\0\1") :], shape(48, 32, chroma_format=0), 8)
