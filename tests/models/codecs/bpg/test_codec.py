"""Decoding compared with the reference decoder, and encoding to files that conform to the specification."""

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from models.codecs import bpg
from models.codecs.bpg import container, hevc
from models.codecs.bpg.coding_tools import RangeExtension
from models.codecs.bpg.header import Alpha, BpgHeader, ColorSpace, PixelFormat, parse_header
from models.codecs.bpg.nal_units import Nal, NalType
from models.errors import CodecError
from models.rgb import Pixels
from tests.models.codecs.bpg.reference import MALFORMED, REFUSED, VALID, Vector, named
from tests.models.codecs.bpg.slices import slice_qp

repeatable = settings(derandomize=True, deadline=None, max_examples=40)


def gradient(height: int, width: int) -> Pixels:
    """Smooth colors with an edge, as in a photo."""
    rows, columns = np.mgrid[:height, :width]
    pixels = np.stack([4 * columns, 3 * rows, 200 - 2 * columns - rows], axis=2)
    pixels[height // 3 :, width // 2 :] += 40
    return np.asarray(np.clip(pixels, 0, 255), dtype=np.uint8)


def psnr(first: Pixels, second: Pixels) -> float:
    error = float(np.mean((first.astype(float) - second) ** 2))
    return 10 * math.log10(255**2 / max(error, 1e-9))


@pytest.mark.parametrize("vector", VALID, ids=str)
def test_decoded_pixels_equal_those_of_the_reference_decoder(vector: Vector) -> None:
    pixels = bpg.decode(vector.data)

    assert pixels.dtype == np.uint8
    np.testing.assert_array_equal(pixels, vector.pixels)


@pytest.mark.parametrize("vector", MALFORMED, ids=str)
def test_malformed_files_are_refused(vector: Vector) -> None:
    with pytest.raises(CodecError):
        bpg.decode(vector.data)


@pytest.mark.parametrize("vector", REFUSED, ids=str)
def test_a_file_that_ffmpeg_decodes_to_wrong_pixels_is_refused(vector: Vector) -> None:
    with pytest.raises(CodecError, match="implicit RDPCM"):
        bpg.decode(vector.data)


@pytest.mark.parametrize("flag", ["extended_precision", "cabac_bypass_alignment"])
def test_extensions_that_bpg_does_not_allow_are_refused(flag: str) -> None:
    file = container.parse(named("own_1x1_444").data)
    flags: dict[str, Any] = dict.fromkeys(RangeExtension.__annotations__, False) | {flag: True}
    tools = replace(file.color, range_extension=RangeExtension(**flags))

    with pytest.raises(CodecError, match="does not allow"):
        bpg.decode(container.serialize(replace(file, color=tools)))


@pytest.mark.parametrize("depth", [11, 13, 14])
def test_bit_depths_that_ffmpeg_does_not_support_are_refused(depth: int) -> None:
    file = container.parse(named("smooth_96x64_x265_b10_444").data)

    with pytest.raises(CodecError, match=f"{depth} bits"):
        bpg.decode(container.serialize(replace(file, header=replace(file.header, bit_depth=depth))))


def test_the_limit_on_pixels_is_exact_and_is_checked_first(monkeypatch: pytest.MonkeyPatch) -> None:
    data = named("text_31x17_x265_420").data
    assert bpg.decode(data, max_pixels=31 * 17).shape == (17, 31, 3)
    monkeypatch.delattr(hevc, "decode_picture")  # nothing is decoded or allocated

    with pytest.raises(CodecError, match="at most 526 pixels"):
        bpg.decode(data, max_pixels=31 * 17 - 1)


def test_a_narrow_image_counts_with_its_whole_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """40 million pixels in one column become 2.5 billion in blocks of 64x64."""
    file = container.parse(named("own_1x1_444").data)
    tools = replace(file.color, log2_min_block=6, log2_max_block=6)
    header = replace(file.header, width=1, height=40_000_000)
    monkeypatch.delattr(hevc, "decode_picture")

    with pytest.raises(CodecError, match="so narrow"):
        bpg.decode(container.serialize(replace(file, header=header, color=tools)))


SIZES = [(1, 1), (1, 70), (2, 3), (40, 7), (8, 8), (9, 9), (16, 16), (17, 33), (31, 32), (65, 64)]
CODINGS: list[dict[str, Any]] = [
    {"chroma": chroma, "bit_depth": depth} for chroma in ("444", "422", "420", "gray") for depth in (8, 10)
] + [{"color_space": "rgb"}, {"color_space": "rgb", "bit_depth": 10}]


@pytest.mark.parametrize("coding", CODINGS, ids=lambda coding: "-".join(map(str, coding.values())))
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_every_coding_works_at_every_size(size: tuple[int, int], coding: dict[str, Any]) -> None:
    pixels = gradient(*size)
    gray = coding.get("chroma") == "gray"
    if gray:
        pixels = np.repeat(pixels[:, :, :1], 3, axis=2)

    data = bpg.encode(pixels, qp=4, **coding)

    decoded = bpg.decode(data, max_pixels=size[0] * size[1])
    assert decoded.shape == pixels.shape
    # In a tiny image with subsampled chroma most of the color may be lost, so its error has no useful limit.
    if min(size) > 8 or gray or coding.get("chroma", "444") == "444":
        assert psnr(decoded, pixels) > 32
    check_conformance(data, size, coding)


def check_conformance(data: bytes, size: tuple[int, int], coding: dict[str, Any]) -> None:
    formats = {"gray": PixelFormat.GRAY, "420": PixelFormat.YUV420, "422": PixelFormat.YUV422}
    header, start = parse_header(data)
    assert header == BpgHeader(
        size[1],
        size[0],
        formats.get(coding.get("chroma", ""), PixelFormat.YUV444),
        ColorSpace.RGB if coding.get("color_space") == "rgb" else ColorSpace.YCBCR,
        coding.get("bit_depth", 8),
        Alpha.NONE,
    )
    assert header.data_length == len(data) - start
    file = container.parse(data)
    assert [nal.type for nal in file.nals] == [NalType.PPS, NalType.IDR_N_LP]
    assert [nal.layer for nal in file.nals] == [0, 0]
    assert file.color.range_extension is None and file.color.pcm is None
    assert data[start:].count(b"\0\0\1") == 1  # the first unit has no start code


@repeatable
@given(hnp.arrays(np.uint8, st.tuples(st.integers(1, 20), st.integers(1, 20), st.just(3))))
def test_lossless_rgb_is_exact(pixels: Pixels) -> None:
    np.testing.assert_array_equal(bpg.decode(bpg.encode(pixels, lossless=True, color_space="rgb")), pixels)


@repeatable
@given(hnp.arrays(np.uint8, st.tuples(st.integers(1, 20), st.integers(1, 20), st.just(1))))
def test_lossless_gray_is_exact(plane: Pixels) -> None:
    pixels = np.repeat(plane, 3, axis=2)

    np.testing.assert_array_equal(bpg.decode(bpg.encode(pixels, lossless=True, chroma="gray")), pixels)


def test_a_higher_qp_gives_a_smaller_file_of_lower_quality() -> None:
    pixels = gradient(70, 90)
    pixels[20:40, 20:60] = np.random.default_rng(1).integers(0, 256, (20, 40, 3))

    files = [bpg.encode(pixels, qp=qp) for qp in (0, 10, 20, 30, 40, 51)]

    sizes = [len(file) for file in files]
    quality = [psnr(bpg.decode(file), pixels) for file in files]
    assert sizes == sorted(sizes, reverse=True) and len(set(sizes)) == 6
    assert quality == sorted(quality, reverse=True) and quality[0] > 45


def test_threads_do_not_change_a_byte() -> None:
    images = [gradient(20 + step, 30) for step in range(12)]
    alone = [bpg.encode(image, qp=20) for image in images]

    with ThreadPoolExecutor(4) as threads:
        together = list(threads.map(lambda image: bpg.encode(image, qp=20), images))
        decoded = list(threads.map(bpg.decode, together))

    assert together == alone
    for image, pixels in zip(images, decoded, strict=True):
        np.testing.assert_array_equal(pixels, bpg.decode(bpg.encode(image, qp=20)))


def test_fixed_bytes_are_those_that_do_not_depend_on_the_pixels() -> None:
    """Header 9, fields of the SPS 3, picture parameter set 6, start code 3, header of the slice's unit 2."""
    data = bpg.encode(gradient(32, 32))

    assert bpg.fixed_bytes(data) == 23
    with pytest.raises(CodecError):
        bpg.fixed_bytes(data[:-1])


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"qp": -1}, "qp must be 0 to 51"),
        ({"qp": 52}, "qp must be 0 to 51"),
        ({"bit_depth": 12}, "bit_depth must be 8 or 10"),
        ({"chroma": "411"}, "chroma must be one of"),
        ({"color_space": "lab"}, "color_space must be one of"),
        ({"color_space": "rgb", "chroma": "420"}, "requires chroma 444"),
        ({"mode": "best"}, "is unknown or does not support"),
    ],
)
def test_unknown_options_are_refused(options: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        bpg.encode(gradient(16, 16), **options)


@pytest.mark.parametrize(
    "pixels",
    [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 4), np.uint8), np.zeros((4, 4, 3)), np.zeros((0, 4, 3), np.uint8)],
)
def test_arrays_that_are_not_pixels_are_refused(pixels: NDArray[Any]) -> None:
    with pytest.raises(ValueError, match="pixels must be"):
        bpg.encode(pixels)


@pytest.mark.parametrize(
    ("option", "value", "reason"),
    [
        ("scaling-list", "default", "scaling_list_enabled_flag"),
        ("info", 1, "units are of types"),
        ("hash", 1, "units are of types"),
        ("aud", 1, "units are of types"),
        ("overscan", "show", "overscan_info_present_flag"),
    ],
)
def test_a_stream_that_a_bpg_file_cannot_hold_is_refused(
    option: str, value: object, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The encoder is our own, but its stream is checked."""
    monkeypatch.setitem(hevc._PARAMETERS, option, value)

    with pytest.raises(CodecError, match=reason):
        bpg.encode(gradient(16, 16))


@pytest.mark.parametrize("qp", [0, 17, 28, 51])
def test_each_slice_has_the_requested_qp(qp: int) -> None:
    """By default x265 lowers the QP of intra pictures."""
    assert slice_qp(bpg.encode(gradient(40, 56), qp=qp)) == qp


def test_messages_before_the_picture_are_ignored() -> None:
    """BPG defines one prefix SEI, for the timing of animations (clause 3.2), and none that changes a picture."""
    file = container.parse(bpg.encode(gradient(40, 56)))
    parameters, picture = file.nals
    message = Nal(bytes([NalType.PREFIX_SEI << 1, 1, 5, 16, *bytes(range(1, 17)), 0x80]))

    with_message = container.serialize(replace(file, nals=(parameters, message, picture)))

    np.testing.assert_array_equal(bpg.decode(with_message), bpg.decode(container.serialize(file)))
