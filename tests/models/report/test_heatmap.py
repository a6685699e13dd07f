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
