"""models/quantizers/learned/mapping.py: mapping with error diffusion or to the nearest entry, and which pixels move."""

import numpy as np
import pytest
from numpy.typing import NDArray

from models.quantizers.learned.mapping import Diffusion, Mapping, NearestEntry

GRAYS = np.array([[0, 0, 0], [100, 100, 100], [255, 255, 255]], np.uint8)


def gray(*levels: int) -> NDArray[np.uint8]:
    return np.repeat(np.array([levels], np.uint8)[..., np.newaxis], 3, axis=2)


def test_the_nearest_entry_is_taken() -> None:
    assert NearestEntry(GRAYS).map(gray(0, 49, 51, 99, 200, 255)).indices.tolist() == [[0, 0, 1, 1, 2, 2]]


def test_diffusion_keeps_the_mean() -> None:
    flat = np.full((64, 64, 3), 77, np.uint8)
    mapping: Mapping = Diffusion(GRAYS[[0, 2]])
    assert mapping.map(flat).render().mean() == pytest.approx(77, abs=2)
    assert mapping.mobility(flat) is None


def test_a_pixel_midway_between_two_entries_moves_most() -> None:
    mobility = NearestEntry(GRAYS).mobility(gray(0, 25, 50, 75, 100))
    assert mobility.dtype == np.float32
    assert mobility.shape == (1, 5)
    assert mobility[0, 2] == pytest.approx(1)
    assert (np.diff(mobility[0, :3]) > 0).all()
    assert (np.diff(mobility[0, 2:]) < 0).all()


@pytest.mark.parametrize("entries", [[1, 1], [1]])
def test_without_a_second_color_every_pixel_may_move(entries: list[int]) -> None:
    assert (NearestEntry(GRAYS[entries]).mobility(gray(0, 255)) == 1).all()
