"""The pixel arithmetic alone. test_codec.py compares it with the reference decoder."""

import numpy as np
import pytest
from numpy.typing import NDArray

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


def ycbcr(planes: list[NDArray[np.float64]], kr: float, kb: float) -> NDArray[np.float64]:
    """Red, green and blue of luma, 0 to 1, and chroma, -0.5 to 0.5 (ITU-R BT.601, BT.709 and BT.2020)."""
    luma, blue, red = planes
    r, b = luma + 2 * (1 - kr) * red, luma + 2 * (1 - kb) * blue
    return np.stack([r, (luma - kr * r - kb * b) / (1 - kr - kb), b], axis=-1)


def in_floats(planes: list[NDArray[np.int64]], space: ColorSpace, depth: int, limited: bool) -> NDArray[np.float64]:
    """The pixels of planes of full size, in floats and without rounding."""
    step, most = 1 << depth - 8, (1 << depth) - 1
    luma = [(plane - 16 * step) / (219 * step) if limited else plane / most for plane in planes]
    chroma = [(plane - 128 * step) / (224 * step if limited else most) for plane in planes]
    if space is ColorSpace.RGB:
        return np.stack([luma[2], luma[0], luma[1]], axis=-1)
    if space is ColorSpace.YCGCO:
        scale = 1 / (219 * step) if limited else 1 / most
        green, orange = ((plane - 128 * step) * scale for plane in planes[1:])
        return np.stack([luma[0] - green + orange, luma[0] + green, luma[0] - green - orange], axis=-1)
    weights = {ColorSpace.YCBCR: (0.299, 0.114), ColorSpace.YCBCR_BT709: (0.2126, 0.0722)}
    return ycbcr([luma[0], *chroma[1:]], *weights.get(space, (0.2627, 0.0593)))


@pytest.mark.parametrize("limited", [False, True])
@pytest.mark.parametrize("depth", [8, 10, 12, 14])
@pytest.mark.parametrize("space", ColorSpace)
def test_every_color_space_is_that_of_its_standard(space: ColorSpace, depth: int, limited: bool) -> None:
    random = np.random.default_rng(depth)
    planes = [random.integers(0, 1 << depth, (9, 13)) for _ in range(3)]
    for plane in planes[1:]:  # far outside of the colors, 32 bits wrap
        plane[:] = (1 << depth - 1) + (plane - (1 << depth - 1)) // 2
    stored: list[color.Plane] = [plane.astype(np.uint8) if depth == 8 else plane.astype(np.uint16) for plane in planes]

    shown = color.to_rgb(stored, PixelFormat.YUV444, space, depth, limited)

    expected = 255 * in_floats(planes, space, depth, limited).clip(0, 1)
    assert np.abs(shown - expected).max() <= 0.51


@pytest.mark.parametrize("depth", [8, 10])
@pytest.mark.parametrize("layout", [*LAYOUTS, PixelFormat.YUV420_VIDEO, PixelFormat.YUV422_VIDEO])
def test_chroma_that_a_filter_overshoots_is_cut_at_its_range(layout: PixelFormat, depth: int) -> None:
    """Stripes of extreme chroma: an overshoot would wrap, or shift the colors of the stripes."""
    high = (1 << depth) - 1
    dtype: type[np.uint8 | np.uint16] = np.uint8 if depth == 8 else np.uint16
    shape = (8 if layout.chroma_format == 1 else 16, 16 if layout.chroma_format == 3 else 8)
    stripes: color.Plane = np.zeros(shape, dtype)
    stripes[:, shape[1] // 2 :] = high
    luma: color.Plane = np.full((16, 16), high // 2, dtype)

    shown = color.to_rgb([luma, stripes, stripes], layout, ColorSpace.YCBCR, depth, limited=False)

    left, right = shown[:, 0].astype(int), shown[:, -1].astype(int)
    for columns, edge in ((shown[:, :6], left), (shown[:, 10:], right)):
        assert np.abs(columns.astype(int) - edge[:, None]).max() <= 8
    assert np.abs(np.diff(np.sort(shown[0, :, 2].astype(int)))).sum() <= 255


@pytest.mark.parametrize("depth", [8, 10, 12])
def test_white_multiplies_rounded(depth: int) -> None:
    random = np.random.default_rng(depth)
    pixels = random.integers(0, 256, (5, 7, 3)).astype(np.uint8)
    white = random.integers(0, 1 << depth, (5, 7)).astype(np.uint16)
    expected = np.floor(pixels * white[..., None].astype(float) / (1 << depth) + 0.5)

    color.multiply_white(pixels, white, depth)

    assert np.array_equal(pixels, expected)
