"""Activation maps are drawn in bounded memory, in any aspect."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.report.heatmap import draw, fit
from tests.models.image_files import picture


@given(st.integers(1, 300), st.integers(1, 300), st.integers(1, 2000))
def test_fit_respects_the_pixel_limit(height: int, width: int, max_pixels: int) -> None:
    fitted = fit(np.zeros((height, width, 3), dtype=np.uint8), max_pixels)

    assert 1 <= fitted.shape[0] * fitted.shape[1] <= max_pixels
    assert fitted.shape[0] <= height and fitted.shape[1] <= width


def test_an_image_that_fits_is_left_alone() -> None:
    pixels = picture()

    assert fit(pixels, pixels.shape[0] * pixels.shape[1]) is pixels


@pytest.mark.parametrize("shape", [(20, 40), (40, 20), (20, 20)])
def test_the_heat_of_a_crop_lies_over_the_central_square(shape: tuple[int, int]) -> None:
    pixels = np.full((*shape, 3), 200, dtype=np.uint8)

    drawn = draw(pixels, np.ones((2, 2), dtype=np.float32), crop=0.5)

    changed = (drawn != pixels).any(axis=2)
    rows, columns = np.nonzero(changed)
    top, left = (side // 2 - 5 for side in shape)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (top, top + 9, left, left + 9)
    assert changed.sum() == 100


@pytest.mark.parametrize("shape", [(1, 1), (1, 50), (3, 2)])
def test_a_crop_of_a_tiny_image(shape: tuple[int, int]) -> None:
    pixels = np.full((*shape, 3), 200, dtype=np.uint8)

    assert draw(pixels, np.ones((2, 2), dtype=np.float32), crop=0.875).shape == pixels.shape


@pytest.mark.parametrize(("heat", "color"), [(0.0, (100, 100, 164)), (1.0, (164, 100, 100))])
def test_the_map_is_blended_half_and_half_with_the_image(heat: float, color: tuple[int, int, int]) -> None:
    drawn = draw(np.full((2, 3, 3), 200, dtype=np.uint8), np.full((2, 3), heat, dtype=np.float32))

    assert drawn.shape == (2, 3, 3)
    assert tuple(drawn[1, 2]) == color


@pytest.mark.parametrize(
    ("level", "color"),
    [
        (0, (0, 0, 128)),
        (51, (0, 64, 255)),
        (102, (0, 255, 255)),
        (153, (255, 255, 0)),
        (204, (255, 48, 0)),
        (255, (128, 0, 0)),
    ],
)
def test_heat_goes_from_dark_blue_over_cyan_and_yellow_to_dark_red(level: int, color: tuple[int, int, int]) -> None:
    """The mean of a color with black and with white, both rounded down, determines the color."""
    for background in (0, 255):
        pixels = np.full((2, 2, 3), background, dtype=np.uint8)
        drawn = draw(pixels, np.full((2, 2), level / 255, dtype=np.float32))
        assert drawn[0, 0].tolist() == [(background + part) // 2 for part in color]


def test_heat_outside_its_range_is_drawn_as_the_nearest_color() -> None:
    heat = np.array([[-3.0, 7.0]], dtype=np.float32)

    assert draw(np.zeros((1, 2, 3), dtype=np.uint8), heat).tolist() == [[[0, 0, 64], [64, 0, 0]]]


@pytest.mark.parametrize(
    ("height", "width", "max_pixels", "shape"),
    [(100, 100, 10_000, (100, 100)), (100, 100, 2500, (50, 50)), (10, 1000, 5000, (7, 707)), (1, 1000, 3, (1, 3))],
)
def test_fit_scales_as_little_as_the_limit_allows(
    height: int, width: int, max_pixels: int, shape: tuple[int, int]
) -> None:
    assert fit(np.zeros((height, width, 3), dtype=np.uint8), max_pixels).shape[:2] == shape


def test_a_scaled_image_is_the_mean_of_its_pixels() -> None:
    stripes = np.zeros((4, 4, 3), dtype=np.uint8)
    stripes[::2] = 200

    assert (fit(stripes, 4) == 100).all()
