"""models/nearest.py: both searches against distances in whole numbers, and each other."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest

from models.nearest import nearest_by_cells, nearest_indices
from models.palette_image import nearest

Search = Callable[[npt.NDArray[np.uint8], npt.NDArray[np.uint8]], npt.NDArray[np.uint8]]


def _colors(count: int, low: int = 0, high: int = 256, seed: int = 0) -> npt.NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(low, high, (count, 3), dtype=np.uint8)


@pytest.mark.parametrize("search", [nearest_indices, nearest_by_cells])
@pytest.mark.parametrize("entries", [1, 2, 3, 16, 255, 256])
def test_the_first_of_the_least_distances_wins(search: Search, entries: int) -> None:
    colors, palette = _colors(3000), _colors(entries, seed=1)
    squares = ((colors[:, np.newaxis].astype(int) - palette) ** 2).sum(2)
    assert np.array_equal(search(colors, palette), squares.argmin(1))


@pytest.mark.parametrize(("low", "high"), [(0, 256), (100, 140), (0, 2)])
def test_cells_change_nothing(low: int, high: int) -> None:
    """Close entries leave many candidates in a cell; entries of few levels are often equally far, or equal."""
    colors = np.concatenate([_colors(200_000), _colors(1000, low, high, 2)])
    palette = _colors(256, low, high, 1)
    assert np.array_equal(nearest_by_cells(colors, palette), nearest_indices(colors, palette))


def test_colors_on_both_sides_of_the_border_of_a_cell() -> None:
    levels = np.array([0, 15, 16, 31, 32, 127, 128, 239, 240, 255], np.uint8)
    colors = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(-1, 3)
    palette = colors[::7][:143]
    assert np.array_equal(nearest_by_cells(colors, palette), nearest_indices(colors, palette))


def test_a_large_image_is_searched_through_cells_with_the_same_result() -> None:
    pixels, palette = _colors(1024 * 600).reshape(600, 1024, 3), _colors(256, seed=1)
    assert np.array_equal(nearest(pixels, palette).indices.ravel(), nearest_indices(pixels.reshape(-1, 3), palette))
