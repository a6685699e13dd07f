"""models/quantizers/smoothing.py: which pixels change, in which order, and what the palette is then."""

import numpy as np
import pytest
from numpy.typing import NDArray

from models.palette_image import PaletteImage
from models.quantizers.smoothing import smoothed
from models.rgb import Pixels


def picture(indices: NDArray[np.uint8], colors: int = 2) -> tuple[PaletteImage, Pixels]:
    """A palette image, and pixels near its colors."""
    palette = np.array([[30, 20, 10], [200, 210, 220], [90, 160, 40]], np.uint8)[:colors]
    noise = np.random.default_rng(0).integers(-9, 10, (*indices.shape, 3))
    return PaletteImage(indices, palette), (palette[indices] + noise).astype(np.uint8)


def noisy(size: int, colors: int) -> NDArray[np.uint8]:
    """Large areas with a fifth of the pixels drawn anew."""
    random = np.random.default_rng(1)
    areas = np.repeat(np.repeat(random.integers(0, colors, (3, 3)), size // 3, 0), size // 3, 1)
    return np.where(random.random(areas.shape) < 0.2, random.integers(0, colors, areas.shape), areas).astype(np.uint8)


def disagreements(indices: NDArray[np.uint8]) -> int:
    """Pairs of neighbors with different indices."""
    return int((indices[1:] != indices[:-1]).sum() + (indices[:, 1:] != indices[:, :-1]).sum())


@pytest.mark.parametrize("place", [(3, 2), (0, 3), (7, 7), (5, 0)])
def test_a_single_pixel_goes_first(place: tuple[int, int]) -> None:
    expected = np.zeros((8, 8), np.uint8)
    expected[:, 5:] = 1  # a straight border stays
    indices = expected.copy()
    indices[place] = 1 - indices[place]
    assert np.array_equal(next(smoothed(*picture(indices))).indices, expected)


def test_even_areas_and_straight_borders_stay() -> None:
    indices = np.zeros((6, 9), np.uint8)
    assert list(smoothed(*picture(indices))) == []
    indices[:, 4:] = 1
    assert list(smoothed(*picture(indices))) == []


def test_a_pixel_takes_the_index_that_most_of_its_neighbors_have() -> None:
    indices = np.full((5, 5), 2, np.uint8)
    indices[2, 2], indices[2, 3] = 0, 1
    image, pixels = picture(indices, 3)
    last = list(smoothed(image, pixels))[-1]
    assert last.colors == 1
    assert np.array_equal(last.palette[0], np.rint(pixels.reshape(-1, 3).mean(0)).astype(np.uint8))


@pytest.mark.parametrize("colors", [2, 3])
def test_each_version_has_fewer_borders_and_the_mean_colors_of_its_areas(colors: int) -> None:
    image, pixels = picture(noisy(24, colors), colors)
    versions = list(smoothed(image, pixels))
    borders = [disagreements(each.indices) for each in (image, *versions)]
    assert len(versions) > 3 and borders == sorted(borders, reverse=True) and borders[-1] < borders[0] / 2
    for version in versions:
        for index in range(version.colors):
            mean = pixels[version.indices == index].mean(0)
            assert np.array_equal(version.palette[index], np.rint(mean).astype(np.uint8))
    assert np.array_equal(image.indices, noisy(24, colors))  # the argument is left as it was
