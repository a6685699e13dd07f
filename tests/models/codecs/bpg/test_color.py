"""The pixel arithmetic alone. test_codec.py compares it with the reference decoder."""

import numpy as np
import pytest

from models.codecs.bpg import color
from models.codecs.bpg.header import ColorSpace, PixelFormat
from models.rgb import Pixels

LAYOUTS = [PixelFormat.YUV420, PixelFormat.YUV422, PixelFormat.YUV444]


def random_pixels(height: int, width: int) -> Pixels:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def round_trip(pixels: Pixels, layout: PixelFormat, space: ColorSpace, depth: int) -> Pixels:
    return color.to_rgb(color.from_rgb(pixels, layout, space, depth), layout, space, depth, limited=False)


@pytest.mark.parametrize(
    ("rgb", "samples"),
    [
        ((0, 0, 0), (0, 128, 128)),
        ((255, 255, 255), (255, 128, 128)),
        ((255, 0, 0), (76, 85, 255)),
        ((0, 255, 0), (150, 44, 21)),
        ((0, 0, 255), (29, 255, 107)),
        ((100, 150, 200), (141, 161, 99)),
    ],
)
def test_ycbcr_matches_jpeg(rgb: tuple[int, int, int], samples: tuple[int, int, int]) -> None:
    planes = color.from_rgb(np.array([[rgb]], dtype=np.uint8), PixelFormat.YUV444, ColorSpace.YCBCR, 8)

    assert tuple(int(plane[0, 0]) for plane in planes) == samples


def test_rgb_is_stored_as_green_blue_red() -> None:
    planes = color.from_rgb(np.array([[(1, 2, 3)]], dtype=np.uint8), PixelFormat.YUV444, ColorSpace.RGB, 8)

    assert [int(plane[0, 0]) for plane in planes] == [2, 3, 1]


@pytest.mark.parametrize(("depth", "space"), [(8, ColorSpace.RGB), (10, ColorSpace.RGB), (10, ColorSpace.YCBCR)])
def test_samples_of_enough_precision_round_trip_exactly(depth: int, space: ColorSpace) -> None:
    pixels = random_pixels(60, 70)

    np.testing.assert_array_equal(round_trip(pixels, PixelFormat.YUV444, space, depth), pixels)


def test_eight_bits_of_ycbcr_lose_one_level() -> None:
    """Blue loses most: one step of Cb is 1.772 levels of blue, so rounding Cb and luma costs up to 0.886 + 0.5."""
    pixels = random_pixels(60, 70)

    lost = np.abs(round_trip(pixels, PixelFormat.YUV444, ColorSpace.YCBCR, 8).astype(int) - pixels)

    assert lost.max(axis=(0, 1)).tolist() == [1, 1, 1]


@pytest.mark.parametrize("depth", [8, 10])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_plain_color_is_preserved_at_any_size(layout: PixelFormat, depth: int) -> None:
    for height, width in [(1, 1), (1, 2), (2, 1), (3, 5), (16, 9)]:
        pixels = np.full((height, width, 3), (200, 90, 10), dtype=np.uint8)

        planes = color.from_rgb(pixels, layout, ColorSpace.YCBCR, depth)

        halves = [-(-height // 2) if layout is PixelFormat.YUV420 else height]
        halves += [width if layout is PixelFormat.YUV444 else -(-width // 2)]
        assert [list(plane.shape) for plane in planes] == [[height, width], halves, halves]
        assert planes[0].dtype == (np.uint8 if depth == 8 else np.uint16)
        whole = round_trip(pixels, PixelFormat.YUV444, ColorSpace.YCBCR, depth)
        np.testing.assert_array_equal(round_trip(pixels, layout, ColorSpace.YCBCR, depth), whole)


@pytest.mark.parametrize("layout", [PixelFormat.YUV420, PixelFormat.YUV422])
def test_half_size_chroma_does_not_shift_a_slope(layout: PixelFormat) -> None:
    """A filter with an offset of a quarter sample would shift a slope of 4 levels a pixel by a level."""
    ramp = np.arange(0, 240, 4, dtype=np.uint8)
    pixels = np.zeros((30, 60, 3), dtype=np.uint8)
    pixels[:, :, 0] = ramp
    pixels[:, :, 2] = 240 - ramp

    lost = np.abs(round_trip(pixels, layout, ColorSpace.YCBCR, 10).astype(int) - pixels)[:, 8:-8]

    assert lost.max() <= 1


@pytest.mark.parametrize("layout", [*LAYOUTS, PixelFormat.YUV420_VIDEO, PixelFormat.YUV422_VIDEO])
def test_bands_join_without_a_seam(layout: PixelFormat, monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = random_pixels(41, 37)
    shrunk = layout if layout in LAYOUTS else PixelFormat(layout - 3)
    planes = color.from_rgb(pixels, shrunk, ColorSpace.YCBCR, 8)
    whole = color.to_rgb(planes, layout, ColorSpace.YCBCR, 8, limited=False)

    monkeypatch.setattr(color, "_BAND", 1)

    for plane, banded in zip(planes, color.from_rgb(pixels, shrunk, ColorSpace.YCBCR, 8), strict=True):
        np.testing.assert_array_equal(banded, plane)
    np.testing.assert_array_equal(color.to_rgb(planes, layout, ColorSpace.YCBCR, 8, limited=False), whole)


def test_limited_range_stretches_16_to_235() -> None:
    gray = [np.array([[16, 235, 0, 255]], dtype=np.uint8)]

    assert color.to_rgb(gray, PixelFormat.GRAY, ColorSpace.YCBCR, 8, limited=True)[0, :, 0].tolist() == [
        0,
        255,
        0,
        255,
    ]


def test_twelve_bit_samples_are_rounded_to_eight_bits() -> None:
    plane = np.array([[0, 7, 9, 2048, 4087, 4095]], dtype=np.uint16)

    gray = color.to_rgb([plane], PixelFormat.GRAY, ColorSpace.YCBCR, 12, limited=False)

    assert gray[0, :, 1].tolist() == color.to_eight_bits(plane, 12)[0].tolist() == [0, 0, 1, 128, 255, 255]


def test_the_white_plane_darkens_the_other_planes() -> None:
    pixels = np.full((1, 3, 3), 200, dtype=np.uint8)

    color.multiply_white(pixels, np.array([[0, 128, 255]], dtype=np.uint8), 8)

    assert pixels[0, :, 0].tolist() == [0, 100, 199]


def test_premultiplied_alpha_is_divided_out() -> None:
    pixels = np.array([[(0, 50, 100, 100), (1, 2, 3, 0), (7, 8, 9, 255), (90, 200, 10, 60)]], dtype=np.uint8)

    color.divide_alpha(pixels)

    assert pixels[0].tolist() == [[0, 128, 255, 100], [255, 255, 255, 0], [7, 8, 9, 255], [255, 255, 43, 60]]
