"""Files of 12 bits with a QP that FFmpeg decodes to wrong pixels are refused, and no others.

The checksums in these files are those of the encoder. That they, not FFmpeg, are right was found with libde265, which
decodes each of these files to planes with the checksum of the file.
"""

import numpy as np
import pytest

from models.codecs import bpg
from models.codecs.bpg import color, container, hevc, nal_units, parameter_sets
from models.codecs.bpg.bits import BitWriter
from models.codecs.bpg.coding_tools import Tools
from models.codecs.bpg.container import BpgFile
from models.codecs.bpg.header import BpgHeader, ColorSpace, PixelFormat
from models.codecs.bpg.nal_units import Nal, NalType
from models.codecs.bpg.parameter_sets import Shape
from models.codecs.bpg.slice_headers import check_quantization
from models.errors import CodecError
from models.rgb import Pixels

SIDE = 64
LAYOUTS = {"444": PixelFormat.YUV444, "422": PixelFormat.YUV422, "420": PixelFormat.YUV420, "gray": PixelFormat.GRAY}


def photo() -> Pixels:
    y, x = np.mgrid[:SIDE, :SIDE]
    smooth = np.stack([3 * x, 3 * y, 255 - x - y], 2) + 30 * np.sin(x * y / 60)[..., np.newaxis]
    return np.asarray(smooth.clip(0, 255), np.uint8)


def with_checksum(monkeypatch: pytest.MonkeyPatch, layout: PixelFormat, qp: int, depth: int, **options: int) -> bytes:
    """Return a file of x265 with the MD5 of its planes, as `bpgenc -hash` makes it."""

    def dismantle(stream: bytes, shape: Shape, block: int) -> tuple[Tools, list[Nal]]:
        nals = list(nal_units.split(stream))
        assert [nal.type for nal in nals[1:3]] == [NalType.SPS, NalType.PPS] and nals[-1].type == NalType.SUFFIX_SEI
        return parameter_sets.parse_sps(nals[1])[1], nals[2:]

    monkeypatch.setattr(hevc, "_PARAMETERS", hevc._PARAMETERS | {"hash": 1} | options)
    monkeypatch.setattr(hevc, "_dismantle", dismantle)
    header = BpgHeader(SIDE, SIDE, layout, ColorSpace.YCBCR, depth)
    planes = color.from_rgb(photo(), layout, ColorSpace.YCBCR, depth)
    shape = Shape(layout.chroma_format, SIDE, SIDE, depth)
    tools, nals = hevc.encode_picture(planes, shape, 8, qp=qp, transform_skip=True)
    return container.serialize(BpgFile(header, tools, None, tuple(nals)))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(("depth", "qp"), [(8, 51), (10, 51), (12, 0), (12, 49)])
def test_files_that_ffmpeg_decodes_rightly_are_decoded(
    monkeypatch: pytest.MonkeyPatch, layout: str, depth: int, qp: int
) -> None:
    """FFmpeg compares the checksum."""
    data = with_checksum(monkeypatch, LAYOUTS[layout], qp, depth)
    assert bpg.decode(data).shape == (SIDE, SIDE, 3)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("qp", [50, 51])
def test_twelve_bits_with_the_largest_qp_are_refused(monkeypatch: pytest.MonkeyPatch, layout: str, qp: int) -> None:
    """The sentence names the reason: the file is not damaged."""
    data = with_checksum(monkeypatch, LAYOUTS[layout], qp, 12)
    with pytest.raises(CodecError, match=r"12 bits per sample and a QP of 50 or 51 are not supported.*at most 49"):
        bpg.decode(data)


@pytest.mark.parametrize(
    ("layout", "qp", "options", "decoded"),
    [
        ("444", 43, {"cbqpoffs": 6}, True),
        ("444", 44, {"cbqpoffs": 6}, False),
        ("422", 44, {"crqpoffs": 6}, False),
        ("420", 49, {"cbqpoffs": 6}, True),
        ("420", 49, {"crqpoffs": 7}, False),
        ("gray", 49, {"cbqpoffs": 12}, True),
        ("444", 43, {"psy-rd": 2}, True),  # x265 then adds 6 to both offsets in the slice header
        ("444", 44, {"psy-rd": 2}, False),
        ("444", 51, {"cbqpoffs": -12, "crqpoffs": -12}, False),
    ],
)
def test_the_qp_of_chroma_counts(
    monkeypatch: pytest.MonkeyPatch, layout: str, qp: int, options: dict[str, int], decoded: bool
) -> None:
    data = with_checksum(monkeypatch, LAYOUTS[layout], qp, 12, **options)
    if decoded:
        assert bpg.decode(data).shape == (SIDE, SIDE, 3)
    else:
        with pytest.raises(CodecError, match="QP of 50 or 51"):
            bpg.decode(data)


def test_ffmpeg_still_needs_the_check(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the check FFmpeg finds its own picture wrong. Once it does not, the check can go."""
    file = container.parse(with_checksum(monkeypatch, PixelFormat.GRAY, 50, 12))
    with pytest.raises(CodecError, match="cannot be decoded"):
        hevc.decode_picture(file.nals, Shape(0, SIDE, SIDE, 12), file.color)


TOOLS = Tools(3, 6, 2, 5, 1, sample_adaptive_offset=True, strong_intra_smoothing=True)
SHAPE = Shape(chroma_format=3, width=192, height=128, bit_depth=12)  # six of the largest blocks


def unit(kind: NalType, fields: list[tuple[int | str, int]]) -> Nal:
    bits = BitWriter()
    for length, value in fields:
        if length == "ue":
            bits.ue(value)
        elif length == "se":
            bits.ue(2 * value - 1 if value > 0 else -2 * value)
        else:
            bits.u(int(length), value)
    return Nal(bytes([kind << 1, 1]) + bits.padded() + b"\x80")


def parameters(number: int, init_qp: int, extra: int, *, dependent: int = 0, slice_offsets: int = 0) -> Nal:
    """Return a PPS (clause 7.3.2.3) with an output flag, `extra` bits, and QP differences of blocks."""
    switches: list[tuple[int | str, int]] = [(1, dependent), (1, 1), (3, extra), (2, 0), ("ue", 0), ("ue", 0)]
    qp: list[tuple[int | str, int]] = [("se", init_qp - 26), (2, 0), (1, 1), ("ue", 2), ("se", 1), ("se", -1)]
    return unit(NalType.PPS, [("ue", number), ("ue", 0), *switches, *qp, (1, slice_offsets)])


def part(number: int, delta: int, extra: int, address: list[tuple[int | str, int]], *offsets: int) -> Nal:
    """Return a slice header (clause 7.3.6.1) up to its QP; `address` holds what only later slices have."""
    start: list[tuple[int | str, int]] = [(1, not address), (1, 0), ("ue", number), *address]
    rest: list[tuple[int | str, int]] = [(extra, 0), ("ue", 2), (1, 1), (2, 3), ("se", delta)]
    return unit(NalType.IDR_N_LP, [*start, *rest, *(("se", offset) for offset in offsets)])


@pytest.mark.parametrize("qp", [47, 48, 49])
def test_every_field_in_front_of_the_qp_is_read(qp: int) -> None:
    """The offset of Cb in the PPS is 1, so a QP of 49 is 50 there."""
    later: list[tuple[int | str, int]] = [(1, 0), (3, 5)]  # not dependent, address in three bits
    sets = [parameters(0, 30, 2), parameters(7, 20, 3, dependent=1, slice_offsets=1)]
    for slices in (
        [part(0, qp - 30, 2, [])],
        [part(0, 0, 2, []), part(7, qp - 20, 3, later, 0, 0)],
        [part(0, 0, 2, []), part(7, qp - 21, 3, later, 1, -5)],
    ):
        if qp == 49:
            with pytest.raises(CodecError, match="QP of 50 or 51"):
                check_quantization([*sets, *slices], SHAPE, TOOLS)
        else:
            check_quantization([*sets, *slices], SHAPE, TOOLS)


def test_a_dependent_slice_has_the_qp_of_the_slice_before() -> None:
    dependent = unit(NalType.IDR_N_LP, [(1, 0), (1, 0), ("ue", 0), (1, 1), (3, 1)])
    check_quantization([parameters(0, 30, 0, dependent=1), part(0, 0, 0, []), dependent], SHAPE, TOOLS)


def test_a_slice_without_its_parameter_set_is_refused() -> None:
    with pytest.raises(CodecError, match="parameter set that is missing"):
        check_quantization([parameters(1, 30, 0), part(0, 0, 0, [])], SHAPE, TOOLS)
