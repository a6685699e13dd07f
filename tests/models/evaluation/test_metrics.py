"""Metrics against known values, plain formulas and scikit-image on the whole image."""

import tracemalloc
from collections.abc import Callable
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from skimage.metrics import structural_similarity

from models.evaluation import metrics
from models.rgb import Pixels
from tests.models.image_files import picture

BLACK, WHITE = np.zeros((9, 8, 3), np.uint8), np.full((9, 8, 3), 255, np.uint8)


def pair(height: int, width: int, seed: int = 0) -> tuple[Pixels, Pixels]:
    """Noise on a slope, and the same with few levels."""
    noise = np.random.default_rng(seed).integers(0, 128, (height, width, 3))
    original = (noise + np.linspace(0, 127, width)[:, np.newaxis]).astype(np.uint8)
    return original, original // 64 * 64


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Pixels, Pixels]:
    shape = (*draw(hnp.array_shapes(min_dims=2, max_dims=2, max_side=9)), 3)
    return draw(hnp.arrays(np.uint8, shape)), draw(hnp.arrays(np.uint8, shape))


@given(pairs(), st.integers(1, 100))
def test_mean_squared_error_is_exact_in_bands_of_any_size(images: tuple[Pixels, Pixels], band: int) -> None:
    squares = [(int(a) - int(b)) ** 2 for a, b in zip(*(image.ravel() for image in images), strict=True)]
    with patch.object(metrics, "_BAND", band):
        assert metrics.mean_squared_error(*images) == sum(squares) / len(squares)


@pytest.mark.parametrize("images", [(BLACK, WHITE), (WHITE, BLACK)])
def test_the_largest_error_does_not_overflow(images: tuple[Pixels, Pixels]) -> None:
    assert metrics.mean_squared_error(*(np.tile(image, (15, 15, 1)) for image in images)) == 65025


@pytest.mark.parametrize(("mse", "decibels"), [(65025, 0), (650.25, 20), (1, 48.1308), (0, None)])
def test_psnr_has_its_known_values(mse: float, decibels: float | None) -> None:
    assert metrics.psnr(mse) == (None if decibels is None else pytest.approx(decibels, abs=1e-4))


def test_psnr_of_a_negative_error_is_refused() -> None:
    with pytest.raises(ValueError):
        metrics.psnr(-1)


@given(st.integers(7, 60), st.integers(7, 60), st.integers(1, 400))
def test_ssim_in_tiles_equals_ssim_of_the_whole_image(height: int, width: int, tile: int) -> None:
    images = pair(height, width)
    with patch.object(metrics, "_TILE", tile):
        value = metrics.ssim(*images)
    assert value == pytest.approx(structural_similarity(*images, channel_axis=2, data_range=255), rel=1e-12)


@pytest.mark.parametrize("shape", [(400, 90), (90, 400), (3000, 7), (7, 3000)])
def test_ssim_of_images_of_several_tiles_matches_scikit_image(shape: tuple[int, int]) -> None:
    images = pair(*shape)
    whole = structural_similarity(*images, channel_axis=2, data_range=255)
    assert metrics.ssim(*images) == pytest.approx(whole, rel=1e-12)


@pytest.mark.parametrize(("side", "window"), [(3, 3), (4, 3), (5, 5), (6, 5), (7, 7), (8, 7)])
def test_ssim_of_small_images_has_the_largest_window_that_fits(side: int, window: int) -> None:
    for images in (pair(side, 20), pair(20, side)):
        whole = structural_similarity(*images, channel_axis=2, data_range=255, win_size=window)
        assert metrics.ssim(*images) == pytest.approx(whole, rel=1e-12)


@pytest.mark.parametrize("shape", [(1, 1), (2, 50), (50, 2)])
def test_ssim_is_none_where_no_window_fits(shape: tuple[int, int]) -> None:
    assert metrics.ssim(*pair(*shape)) is None


def test_ssim_of_extreme_images_has_its_known_values() -> None:
    assert metrics.ssim(picture(30, 30), picture(30, 30)) == 1
    assert metrics.ssim(BLACK, WHITE) == pytest.approx((0.01 * 255) ** 2 / (255**2 + (0.01 * 255) ** 2))


def test_ssim_of_a_large_image_takes_little_memory() -> None:
    images = pair(600, 800)
    tracemalloc.start()
    metrics.ssim(*images)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 16e6  # one call for the whole image: 60 MB


@pytest.mark.parametrize("measure", [metrics.mean_squared_error, metrics.ssim])
@pytest.mark.parametrize(
    "pixels",
    [BLACK[:5], BLACK[..., :1], BLACK[..., 0], BLACK.astype(np.float64), BLACK[:0]],
    ids=["shorter", "one channel", "gray", "floats", "empty"],
)
def test_images_that_cannot_be_compared_are_refused(
    measure: Callable[[Pixels, Pixels], float | None], pixels: Pixels
) -> None:
    for images in ((BLACK, pixels), (pixels, BLACK)):
        with pytest.raises(ValueError, match=r"must (be|have)"):
            measure(*images)


def test_bits_per_pixel_are_computed_from_bytes_and_size() -> None:
    assert metrics.bits_per_pixel(384, 32, 32) == 3


@pytest.mark.parametrize("few", [0, 1 << 16])
@given(hnp.arrays(np.uint8, (6, 7, 3), elements=st.sampled_from([0, 1, 255])))
def test_distinct_colors_are_counted(few: int, pixels: Pixels) -> None:
    with patch.object(metrics, "_FEW", few), patch.object(metrics, "_BAND", 5):
        assert metrics.count_colors(pixels) == len({tuple(color) for color in pixels.reshape(-1, 3).tolist()})
