"""models/quantizers/classical/gamut.py: the colors that error diffusion to a palette can reach."""

import numpy as np
import pytest
from PIL import Image

from models.quantizers.classical.gamut import Gamut
from models.quantizers.classical.halftone import diffuse

BLACK_AND_WHITE = np.array([[0, 0, 0], [255, 255, 255]], np.uint8)


def test_two_entries_reach_the_line_between_them() -> None:
    pixels = np.array([[[255, 0, 0], [0, 255, 0], [10, 20, 30], [0, 0, 0], [255, 255, 255]]], np.uint8)
    found = Gamut.of(BLACK_AND_WHITE).nearest(pixels)
    assert found.tolist() == [[[85] * 3, [85] * 3, [20] * 3, [0] * 3, [255] * 3]]


def test_two_entries_reach_nothing_beyond_their_ends() -> None:
    gamut = Gamut.of(np.array([[50, 60, 70], [50, 160, 70]], np.uint8))
    pixels = np.array([[[0, 0, 0], [255, 255, 255], [200, 100, 7]]], np.uint8)
    assert gamut.nearest(pixels).tolist() == [[[50, 60, 70], [50, 160, 70], [50, 100, 70]]]


@pytest.mark.parametrize("entries", [1, 3])
def test_equal_entries_reach_themselves_alone(entries: int) -> None:
    gamut = Gamut.of(np.array([[9, 8, 7]] * entries, np.uint8))
    assert (gamut.nearest(np.random.default_rng(0).integers(0, 256, (4, 5, 3), np.uint8)) == [9, 8, 7]).all()


def test_colors_of_the_gamut_stay() -> None:
    random = np.random.default_rng(0)
    for colors in (2, 3, 4, 16):
        palette = random.integers(0, 256, (colors, 3), dtype=np.uint8)
        weights = random.dirichlet(np.ones(colors), (30, 40))
        mixtures = np.rint(weights @ palette).astype(np.uint8)
        assert np.abs(Gamut.of(palette).nearest(mixtures).astype(int) - mixtures).max() <= 1


def test_a_large_image_is_clipped_band_by_band() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (700, 600, 3), dtype=np.uint8)
    gamut = Gamut.of(BLACK_AND_WHITE)
    expected = np.rint(pixels.mean(2)).astype(int)
    assert np.abs(gamut.nearest(pixels)[..., 1] - expected).max() <= 1


def test_errors_that_no_mixture_removes_do_not_disturb_the_rest() -> None:
    """A red field next to a gray one: its error in red would run into the gray one, and change its mean."""
    pixels = np.full((64, 128, 3), 100, np.uint8)
    pixels[:, :64] = [255, 0, 0]
    shown = diffuse(pixels, BLACK_AND_WHITE).render()[..., 0]
    left, right = shown[:, 8:56].mean(), shown[:, 72:120].mean()
    assert left == pytest.approx(85, abs=3)
    assert right == pytest.approx(100, abs=3)
    holder = Image.new("P", (1, 1))
    holder.putpalette(BLACK_AND_WHITE.tobytes())
    plain = Image.fromarray(pixels).quantize(palette=holder, dither=Image.Dither.FLOYDSTEINBERG)
    assert abs(255 * np.asarray(plain)[:, 8:56].mean() - 85) > 8
