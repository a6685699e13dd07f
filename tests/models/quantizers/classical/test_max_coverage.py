"""models/quantizers/classical/max_coverage.py: the farthest-first traversal, against a plain one."""

import numpy as np
import pytest
from numpy.typing import NDArray

from models.quantizers.classical.max_coverage import MaxCoverage


def farthest_first(pixels: NDArray[np.uint8], colors: int) -> list[list[int]]:
    """Return the color farthest from the mean, then each time the color farthest from all before."""
    points = pixels.reshape(-1, 3).astype(float)
    entries = [points[np.square(points - np.floor(points.mean(0) + 0.5)).sum(1).argmax()]]
    while len(entries) < colors:
        nearest = np.min([np.square(points - entry).sum(1) for entry in entries], axis=0)
        entries.append(points[nearest.argmax()])
    return [entry.astype(int).tolist() for entry in entries]


@pytest.mark.parametrize("colors", [2, 3, 10, 40])
def test_the_palette_follows_the_farthest_first_traversal(colors: int) -> None:
    pixels = np.random.default_rng(4).integers(0, 256, (12, 12, 3), dtype=np.uint8)
    palette = MaxCoverage().quantize(pixels, colors).palette
    assert sorted(palette.tolist()) == sorted(farthest_first(pixels, colors))


def test_one_rare_color_is_kept() -> None:
    pixels = np.random.default_rng(0).integers(100, 110, (30, 30, 3), dtype=np.uint8)
    pixels[7, 9] = 250, 0, 0
    assert MaxCoverage().quantize(pixels, 2).render()[7, 9].tolist() == [250, 0, 0]
