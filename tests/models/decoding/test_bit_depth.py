"""Samples of every depth come out on the scale of 0 to 255, rounded, with the black and white of the file."""

import struct

import numpy as np
import pytest
from PIL import Image

from models.decoding.decode import decode
from tests.models.image_files import encoded, picture, png_file, ramp, tiff_file, tiff_tags


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF"])
def test_one_bit_samples_become_black_and_white(kind: str) -> None:
    bits = picture()[..., 0] > 127

    expected = np.where(bits, 255, 0)[..., np.newaxis].repeat(3, axis=2)
    np.testing.assert_array_equal(decode(encoded(Image.fromarray(bits), kind)).pixels, expected)


@pytest.mark.parametrize(("depth", "row"), [(1, b"\xa0"), (2, b"\xb1"), (4, b"\x0f\x30")])
def test_shallow_gray_uses_the_whole_range(depth: int, row: bytes) -> None:
    levels = decode(png_file((3, 1), depth, 0, b"\0" + row)).pixels[0, :, 0]

    assert levels.tolist() == {1: [255, 0, 255], 2: [170, 255, 0], 4: [0, 255, 51]}[depth]


RAMP_IN_8_BITS = np.rint(np.arange(65536) / 257).astype(np.uint8).reshape(256, 256)


@pytest.mark.parametrize(("kind", "options"), [("PNG", {}), ("TIFF", {}), ("TIFF", {"compression": "tiff_lzw"})])
@pytest.mark.parametrize("order", ["<", ">"])
def test_16_bit_gray_is_scaled_and_rounded_not_saturated(kind: str, options: dict[str, object], order: str) -> None:
    decoded = decode(encoded(Image.fromarray(ramp().astype(f"{order}u2")), kind, **options))

    for channel in range(3):
        np.testing.assert_array_equal(decoded.pixels[..., channel], RAMP_IN_8_BITS)
    assert decoded.notes == ()


def test_16_bit_gray_may_have_zero_as_white() -> None:
    decoded = decode(tiff_file(ramp().tobytes(), tiff_tags((256, 256), [16], 0)))

    np.testing.assert_array_equal(decoded.pixels[..., 0], 255 - RAMP_IN_8_BITS)


def test_12_bit_gray_is_scaled_to_8_bits() -> None:
    packed = bytes.fromhex("000800fff0")  # 0x000, 0x800, 0xfff

    decoded = decode(tiff_file(packed, tiff_tags((3, 1), [12], 1)))

    assert decoded.pixels[0, :, 0].tolist() == [0, 128, 255]  # 2048 / 4095 of 255 is 127.53


def test_16_bit_color_keeps_its_high_byte() -> None:
    rows = b"\0" + struct.pack(">6H", 0x1234, 0x8000, 0xFFFF, 0x00FF, 0x7FFF, 0xFE01)

    assert decode(png_file((2, 1), 16, 2, rows)).pixels[0].tolist() == [[0x12, 0x80, 0xFF], [0x00, 0x7F, 0xFE]]


@pytest.mark.parametrize("compression", [None, "tiff_lzw"])
def test_wide_integers_are_stretched_to_their_range(compression: str | None) -> None:
    wide = Image.fromarray(np.array([[-1000, 0, 1000, 99000]], np.int32))

    levels = decode(encoded(wide, "TIFF", compression=compression)).pixels[0, :, 0]

    assert levels.tolist() == [0, 3, 5, 255]


@pytest.mark.parametrize(
    ("values", "levels"),
    [
        ([0.0, 0.25, 0.5], [0, 64, 128]),
        ([-1.0, 0.0, 3.0], [0, 64, 255]),
        ([0.0, 40.0, 80.0], [0, 128, 255]),
        ([np.nan, 0.0, np.inf, -np.inf, 1.0], [0, 0, 255, 0, 255]),
        ([np.nan, np.nan], [0, 0]),
        ([7.0, 7.0], [0, 0]),
    ],
    ids=["0 to 1 as they are", "stretched", "stretched up", "not finite", "no number at all", "flat"],
)
def test_float_samples_are_scaled_to_8_bits(values: list[float], levels: list[int]) -> None:
    decoded = decode(encoded(Image.fromarray(np.array([values], np.float32)), "TIFF"))

    assert decoded.pixels[0, :, 0].tolist() == levels


def test_a_signaling_nan_is_black_and_raises_no_warning() -> None:
    values = np.array([[0x7FA00000, 0x3F800000]], np.uint32).view(np.float32)
    tags = tiff_tags((2, 1), [32], 1) | {339: ("H", [3])}

    assert decode(tiff_file(values.tobytes(), tags)).pixels[0, :, 0].tolist() == [0, 255]
