"""models/quantizers/classical/median_cut_by_error.py: cuts against a plain implementation, and known boxes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.quantizers import base
from models.quantizers.classical.catalog import CLASSICAL
from models.quantizers.classical.median_cut_by_error import MedianCutByError
from models.rgb import Pixels

Flat = NDArray[np.int64]


def noise(low: int, high: int, seed: int, height: int = 20, width: int = 20) -> Pixels:
    return np.random.default_rng(seed).integers(low, high, (height, width, 3), dtype=np.uint8)


def squared_error(pixels: Flat) -> float:
    return float(np.square(pixels - pixels.mean(0)).sum())


def halves(pixels: Flat) -> tuple[Flat, Flat]:
    """Cut at the level of the longest side that leaves the most equal numbers of pixels."""
    axis = int(np.ptp(pixels, axis=0).argmax())
    levels = np.unique(pixels[:, axis])[:-1]
    cut = min(levels, key=lambda level: abs(2 * (pixels[:, axis] <= level).sum() - len(pixels)))
    return pixels[pixels[:, axis] <= cut], pixels[pixels[:, axis] > cut]


def plain_palette(pixels: Pixels, colors: int) -> set[tuple[int, ...]]:
    boxes = [pixels.reshape(-1, 3).astype(np.int64)]
    while len(boxes) < colors:
        worst = max(range(len(boxes)), key=lambda at: squared_error(boxes[at]))
        boxes += halves(boxes.pop(worst))
    return {tuple(np.rint(box.mean(0)).astype(int).tolist()) for box in boxes}


@settings(deadline=None, max_examples=60)
@given(seed=st.integers(0, 99), colors=st.integers(2, 32))
def test_boxes_are_those_of_the_plain_algorithm_on_all_pixels(seed: int, colors: int) -> None:
    """Equal colors are counted once by each of their pixels."""
    generator = np.random.default_rng(seed)
    pixels = noise(0, 256, seed)[generator.integers(0, 20, 30)]
    palette = np.array(sorted(plain_palette(pixels, colors)))

    quantized = MedianCutByError().quantize(pixels, colors)

    distances = ((pixels.reshape(-1, 1, 3).astype(int) - palette) ** 2).sum(-1).min(1)
    found = (quantized.render().astype(int) - pixels) ** 2
    assert np.array_equal(found.sum(-1).reshape(-1), distances)  # equally near entries may differ
    assert set(map(tuple, quantized.palette.tolist())) <= set(map(tuple, palette.tolist()))


def test_a_color_counts_with_its_pixels() -> None:
    """The median is at the color that most pixels have, not in the middle of the colors."""
    pixels = np.zeros((1, 1000, 3), np.uint8)
    pixels[0, 900:] = np.arange(100, dtype=np.uint8)[:, np.newaxis]
    assert sorted(MedianCutByError().quantize(pixels, 2).palette[:, 0].tolist()) == [0, 50]


def test_a_gray_ramp_is_divided_evenly() -> None:
    ramp = np.arange(256, dtype=np.uint8).repeat(3).reshape(16, 16, 3)
    assert sorted(MedianCutByError().quantize(ramp, 2).palette[:, 0].tolist()) == [64, 192]
    assert sorted(MedianCutByError().quantize(ramp, 4).palette[:, 0].tolist()) == [32, 96, 160, 224]


def test_the_box_with_the_largest_error_is_split_next() -> None:
    """Both groups have equally many pixels, so by their number two or three entries would be narrow."""
    wide, narrow = noise(0, 100, 0), noise(240, 256, 1)
    palette = MedianCutByError().quantize(np.concatenate([wide, narrow]), 5).palette
    assert (palette.max(1) < 128).sum() == 4


def test_colors_are_counted_over_all_bands(monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = noise(0, 64, 3)
    whole = MedianCutByError().quantize(pixels, 20)
    monkeypatch.setattr(base, "_BAND", 37)
    assert MedianCutByError().quantize(pixels, 20) == whole


def test_a_smooth_photograph_gains_over_pillow() -> None:
    y, x = np.mgrid[:96, :96]
    pixels = np.stack([(x + y) * 1.3, 128 + 100 * np.sin(x / 9), 40 + y * x / 60], 2).astype(np.uint8)
    ours, pillow = (
        np.square(CLASSICAL[name].quantize(pixels, 256).render() - pixels.astype(float)).mean()
        for name in ("median_cut_by_error", "median_cut")
    )
    assert ours < 0.85 * pillow  # 0.7 dB
