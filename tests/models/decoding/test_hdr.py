"""Colors of high dynamic range: known levels of PQ and HLG, and the mapping of Chromium."""

import struct

import numpy as np
import pytest
from PIL import Image

from models.decoding.decode import decode
from models.decoding.hdr import HLG, PQ, HdrColors, hdr_colors
from tests.models.image_files import png_file

# Levels of 8 bits nearest to light of 0, 0.1, 1, 10, 100, 203, 1,000 and 10,000 cd/m2 (ITU-R BT.2100, table 4).
PQ_LEVELS = {0: 0.0, 16: 0.105, 38: 0.99, 77: 9.98, 130: 101.7, 148: 202.8, 192: 1012.0, 255: 10_000.0}


def shown(colors: HdrColors, *levels: tuple[int, int, int]) -> list[list[int]]:
    image = Image.fromarray(np.array([levels], np.uint8))
    return list(np.asarray(colors.apply(image))[0].tolist())


def expected_gray(light: float, peak: float = 1000.0) -> float:
    """The level of gray light in cd/m2, by the formula of Chromium."""
    relative, most = light / 203, peak / 203
    linear = min(1.0, relative * (1 + relative / most**2) / (1 + relative))
    return 255 * (12.92 * linear if linear <= 0.0031308 else 1.055 * linear ** (1 / 2.4) - 0.055)


@pytest.mark.parametrize("primaries", [1, 9, 12])
@pytest.mark.parametrize("level", PQ_LEVELS)
def test_pq_gray_has_the_level_of_its_light(level: int, primaries: int) -> None:
    (pixel,) = shown(HdrColors(primaries, PQ), (level, level, level))
    assert pixel == pytest.approx([expected_gray(PQ_LEVELS[level])] * 3, abs=1)


@pytest.mark.parametrize(("level", "light"), [(0, 0.0), (191, 203.0), (255, 1000.0)])
def test_hlg_gray_has_the_level_of_its_light(level: int, light: float) -> None:
    """Three quarters of the signal are the white of 203 cd/m2 (ITU-R BT.2408, table 1)."""
    (pixel,) = shown(HdrColors(9, HLG), (level, level, level))
    assert pixel == pytest.approx([expected_gray(light)] * 3, abs=1)


def test_the_peak_becomes_white_and_lights_below_stay_apart() -> None:
    grays = [(level, level, level) for level in range(148, 193, 4)]
    levels = [pixel[0] for pixel in shown(HdrColors(9, PQ, 1000.0), *grays)]
    assert levels == sorted(set(levels)) and levels[-1] >= 254


def test_a_picture_as_dark_as_a_display_is_not_scaled() -> None:
    (pixel,) = shown(HdrColors(1, PQ, 203.0), (130, 130, 130))
    linear = 101.7 / 203
    assert pixel[0] == pytest.approx(255 * (1.055 * linear ** (1 / 2.4) - 0.055), abs=1)


def test_a_color_keeps_the_order_of_its_channels() -> None:
    for transfer in (PQ, HLG):
        red, green, blue = shown(HdrColors(9, transfer), (150, 140, 130))[0]
        assert red > green > blue


@pytest.mark.parametrize(("primaries", "transfer"), [(9, 13), (9, 1), (2, PQ), (99, HLG)])
def test_other_code_points_are_not_of_high_dynamic_range(primaries: int, transfer: int) -> None:
    assert hdr_colors(primaries, transfer) is None


def gray_png(level: int, *chunks: tuple[bytes, bytes], color_type: int = 2) -> bytes:
    row = b"\0" + bytes([level]) * (3 if color_type == 2 else 1)
    return png_file((1, 1), 8, color_type, row, (b"cICP", bytes([9, PQ, 0, 1])), *chunks)


@pytest.mark.parametrize("color_type", [0, 2])
def test_a_png_of_pq_is_mapped_with_a_note(color_type: int) -> None:
    decoded = decode(gray_png(148, color_type=color_type))
    assert decoded.pixels.reshape(-1).tolist() == pytest.approx([expected_gray(202.8)] * 3, abs=1)
    assert decoded.notes == ("cICP color space of high dynamic range mapped to sRGB",)


def light(*values: float) -> bytes:
    return struct.pack(f">{len(values)}I", *(round(10_000 * value) for value in values))


@pytest.mark.parametrize(
    ("chunks", "peak"),
    [
        ([(b"cLLI", light(4000, 500))], 4000),
        ([(b"cLLI", light(0, 0)), (b"mDCV", bytes(16) + light(2000, 0.1))], 2000),
        ([(b"mDCV", bytes(16) + light(4000, 0.1)), (b"cLLI", light(2000, 500))], 2000),
        ([(b"mDCV", bytes(24))], 1000),
    ],
)
def test_the_peak_is_that_of_the_content_or_the_display(chunks: list[tuple[bytes, bytes]], peak: float) -> None:
    decoded = decode(gray_png(192, *chunks))
    assert decoded.pixels[0, 0, 0] == pytest.approx(expected_gray(1012, peak), abs=1)


@pytest.mark.parametrize("damaged", [(b"cLLI", bytes(7)), (b"mDCV", bytes(23))])
def test_a_damaged_peak_is_skipped_with_a_note(damaged: tuple[bytes, bytes]) -> None:
    decoded = decode(gray_png(192, damaged))
    assert decoded.pixels[0, 0, 0] == pytest.approx(expected_gray(1012), abs=1)
    assert decoded.notes[0] == f"damaged PNG chunks skipped: {damaged[0].decode()}"
