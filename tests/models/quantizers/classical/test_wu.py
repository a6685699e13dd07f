"""models/quantizers/classical/wu.py: cuts against an exhaustive search, and known boxes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.quantizers.classical.wu import Wu
from models.rgb import Pixels


def noise(low: int, high: int, seed: int, height: int = 20, width: int = 20) -> Pixels:
    """Return random levels from `low` to `high` - 1, both included; full range gives cells of 8, as in the paper."""
    pixels = np.random.default_rng(seed).integers(low, high, (height, width, 3), dtype=np.uint8)
    pixels[0, 0], pixels[0, 1] = low, high - 1
    return pixels


def squared_error(pixels: NDArray[np.float64]) -> float:
    return float(np.square(pixels - pixels.mean(0)).sum())


@pytest.mark.parametrize("seed", range(5))
def test_two_colors_are_those_of_the_best_plane_between_cells(seed: int) -> None:
    pixels = noise(0, 256, seed)
    flat = pixels.reshape(-1, 3).astype(float)
    sides = [flat[:, axis] < plane for axis in range(3) for plane in range(8, 256, 8)]
    best = min(
        squared_error(flat[side]) + squared_error(flat[~side]) for side in sides if side.any() and not side.all()
    )

    quantized = Wu().quantize(pixels, 2)
    index = quantized.indices.reshape(-1).astype(bool)
    assert squared_error(flat[index]) + squared_error(flat[~index]) == pytest.approx(best)


@settings(deadline=None, max_examples=50)
@given(seed=st.integers(0, 99), top=st.sampled_from([3, 20, 256]), colors=st.integers(2, 256))
def test_an_entry_is_the_mean_of_the_pixels_in_its_box(seed: int, top: int, colors: int) -> None:
    pixels = noise(0, top, seed)
    quantized = Wu().quantize(pixels, colors)
    parts = [pixels[quantized.indices == entry] for entry in range(quantized.colors)]
    for entry, part in zip(quantized.palette, parts, strict=True):
        assert np.abs(entry - part.mean(0)).max() <= 0.5
        inside = ((pixels >= part.min(0)) & (pixels <= part.max(0))).all(-1)
        assert inside.sum() == len(part)


def test_a_gray_ramp_is_divided_evenly() -> None:
    ramp = np.arange(256, dtype=np.uint8).repeat(3).reshape(16, 16, 3)
    assert sorted(Wu().quantize(ramp, 2).palette[:, 0].tolist()) == [64, 192]
    assert sorted(Wu().quantize(ramp, 4).palette[:, 0].tolist()) == [32, 96, 160, 224]


def test_the_box_with_the_largest_error_is_split_next() -> None:
    """One group is wide; the other is narrow but has ten times the pixels."""
    wide, narrow = noise(0, 100, 0, 2), noise(240, 256, 1)
    palette = Wu().quantize(np.concatenate([wide, narrow]), 4).palette
    assert (palette.max(1) < 128).sum() == 3


def test_an_image_of_low_contrast_is_divided_into_boxes() -> None:
    """With cells that span all colors, the colors of this image would share one cell."""
    assert Wu().quantize(noise(96, 104, 0), 40).colors == 40
