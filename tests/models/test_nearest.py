"""models/nearest.py: both searches against distances in whole numbers, and each other."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest

from models.nearest import nearest_by_cells, nearest_indices
from models.palette_image import nearest
from models.pauses import at_each_pause

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


@pytest.mark.parametrize(("count", "pauses"), [(1 << 16, 1), ((1 << 16) + 1, 2), (1 << 18, 4)])
def test_a_comparison_pauses_after_65536_colors(count: int, pauses: int) -> None:
    calls: list[int] = []
    with at_each_pause(lambda: calls.append(1)):
        nearest_indices(np.zeros((count, 3), np.uint8), np.array([[0, 0, 0], [9, 9, 9]], np.uint8))

    assert len(calls) == pauses


def test_a_table_pauses_for_each_cell_that_occurs_and_each_band_that_is_looked_up() -> None:
    """Two passes over bands of 262,144 colors, and one cell of 16 levels a side with two candidates."""
    calls: list[int] = []
    colors = np.zeros(((1 << 19) + 1, 3), np.uint8)
    colors[0] = 15
    with at_each_pause(lambda: calls.append(1)):
        found = nearest_by_cells(colors, np.array([[0, 0, 0], [15, 15, 15]], np.uint8))

    assert found[:2].tolist() == [1, 0]
    few = len(calls)
    calls.clear()
    colors[1] = 16  # in another cell
    with at_each_pause(lambda: calls.append(1)):
        nearest_by_cells(colors, np.array([[0, 0, 0], [15, 15, 15]], np.uint8))
    assert (few, len(calls)) == (2 * 3 + 1, 2 * 3 + 2)
