"""models/quantizers/classical/kmeans.py: known clusters in both color spaces, and images that are sampled."""

import numpy as np
import pytest
from numpy.typing import NDArray

from models.quantizers.classical import oklab
from models.quantizers.classical.kmeans import KMeans
from models.quantizers.classical.median_cut import MedianCut
from models.quantizers.classical.wu import Wu
from models.rgb import Pixels

CENTERS = np.array([[20, 30, 200], [200, 40, 30], [120, 220, 90], [230, 230, 230], [40, 90, 40]])


def blobs() -> tuple[Pixels, NDArray[np.intp]]:
    """Return 40 x 50 pixels, each within 10 levels of one of five centers, and the index of its center."""
    generator = np.random.default_rng(1)
    which = generator.integers(0, len(CENTERS), (40, 50))
    return (CENTERS[which] + generator.integers(-10, 11, (40, 50, 3))).astype(np.uint8), which


def smooth(side: int) -> Pixels:
    y, x = np.mgrid[0:side, 0:side] * (192 / side)
    noise = np.random.default_rng(0).integers(-8, 8, (side, side, 3))
    return (np.stack([x, y, 255 - (x + y) / 2], -1) + noise).clip(0, 255).astype(np.uint8)


def error(quantized: Pixels, pixels: Pixels) -> float:
    return float(np.square(quantized - pixels.astype(float)).mean())


def test_entries_are_the_means_of_clusters_that_are_apart() -> None:
    pixels, which = blobs()
    quantized = KMeans("srgb").quantize(pixels, len(CENTERS)).render()
    for cluster in range(len(CENTERS)):
        assert np.abs(quantized[which == cluster] - pixels[which == cluster].mean(0)).max() <= 0.5


def test_means_are_computed_in_the_color_space() -> None:
    pixels, which = blobs()
    quantized = KMeans("oklab").quantize(pixels, len(CENTERS)).render()
    for cluster in range(len(CENTERS)):
        mean = oklab.to_srgb(oklab.from_srgb(pixels[which == cluster]).mean(0, keepdims=True))
        assert (quantized[which == cluster] == mean).all()


def test_distances_are_computed_in_the_color_space() -> None:
    """The closer pair is 0 and 60 in sRGB, but 60 and 130 to the eye."""
    pixels = np.array([0, 60, 130], np.uint8).repeat(30).repeat(3).reshape(9, 10, 3)
    palettes = {space: KMeans(space).quantize(pixels, 2).palette[:, 0] for space in ("srgb", "oklab")}
    assert sorted(palettes["srgb"].tolist()) == [30, 130]
    assert min(palettes["oklab"]) == 0


@pytest.mark.parametrize("colors", [4, 16, 64])
def test_the_squared_error_is_the_least_of_the_quantizers_that_cut(colors: int) -> None:
    pixels = smooth(64)
    ours, *others = (
        error(each.quantize(pixels, colors).render(), pixels) for each in (KMeans("srgb"), MedianCut(), Wu())
    )
    assert ours < min(others)


def test_a_sample_gives_nearly_the_same_error() -> None:
    """With 10,000 of 160,000 pixels clustered, the error is hardly above that of a small image."""
    small, large = (
        error(KMeans("srgb").quantize(pixels, 16).render(), pixels) for pixels in (smooth(100), smooth(400))
    )
    assert large < 1.05 * small


@pytest.mark.parametrize("space", ["srgb", "oklab"])
def test_a_sample_with_too_few_colors_is_quantized_without_a_warning(space: str) -> None:
    """scikit-learn would warn, and warnings are errors here."""
    pixels = np.zeros((400, 400, 3), np.uint8)
    pixels[200, 100:120] = np.arange(60).reshape(20, 3) + 100
    quantized = KMeans("oklab" if space == "oklab" else "srgb").quantize(pixels, 12)
    assert 1 <= quantized.colors <= 12
    assert not quantized.render()[0].any()
