"""models/quantizers/classical/halftone.py: local means on a photograph, and the stretch of its palette."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from models.quantizers.classical.catalog import CLASSICAL
from models.quantizers.classical.halftone import stretch
from models.quantizers.classical.kmeans import KMeans
from models.rgb import Pixels

CAT = Path(__file__).parents[3] / "photos" / "cat.jpg"


@pytest.fixture(scope="module")
def cat() -> Pixels:
    """A photograph of 450 x 300 pixels."""
    with Image.open(CAT) as photo:
        return np.asarray(photo.convert("RGB"))[:, :450]


def halved(pixels: Pixels) -> NDArray[np.float64]:
    """Scale down by two in each direction, by means."""
    height, width = pixels.shape[:2]
    means: NDArray[np.float64] = pixels.reshape(height // 2, 2, width // 2, 2, 3).mean((1, 3))
    return means


def error_of_view(method: str, pixels: Pixels, colors: int) -> float:
    """Mean squared error after scaling both images down."""
    quantized = CLASSICAL[method].quantize(pixels, colors).render()
    return float(np.square(halved(quantized) - halved(pixels)).mean())


@pytest.mark.parametrize(("colors", "decibels"), [(2, 2), (4, 1), (16, 1), (256, 1)])
def test_a_photograph_scaled_down_is_closer_to_the_original_than_with_kmeans(
    cat: Pixels, colors: int, decibels: float
) -> None:
    """Measured: 2.3, 1.1, 1.3 and 1.1 dB."""
    assert error_of_view("halftone", cat, colors) < 10 ** (-decibels / 10) * error_of_view("kmeans", cat, colors)


def test_the_palette_is_that_of_kmeans_stretched_from_the_mean_pixel(cat: Pixels) -> None:
    centers, mean = KMeans("srgb").centers(cat, 4), cat.reshape(-1, 3).mean(0)
    stretched = (mean + stretch(4) * (centers - mean)).clip(0, 255)
    palette = CLASSICAL["halftone"].quantize(cat, 4).palette
    of_sample = 3  # the implementation takes the mean of a sample of the pixels
    assert np.abs(palette - stretched).max() < of_sample


def test_the_palette_of_a_large_photograph_is_that_of_a_small_one(cat: Pixels) -> None:
    large = cat.repeat(4, axis=0).repeat(4, axis=1)
    small, quantized = (CLASSICAL["halftone"].quantize(pixels, 2).palette for pixels in (cat, large))
    assert np.abs(np.sort(small, 0).astype(int) - np.sort(quantized, 0)).max() <= 4  # of two samples


def test_the_stretch_falls_from_sixteen_colors_on() -> None:
    assert stretch(2) == 2
    assert stretch(3) == stretch(16) == 1.5
    factors = [stretch(colors) for colors in range(16, 257)]
    assert factors == sorted(factors, reverse=True)
    assert 1 < factors[-1] < 1.1
