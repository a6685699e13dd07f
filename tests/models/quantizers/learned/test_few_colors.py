"""models/quantizers/learned/few_colors.py: one color too many changes next to nothing."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.quantizers.learned.colorcnn import LearnedQuantizer
from models.quantizers.learned.few_colors import merge_closest
from tests.models.small_networks import make_colorcnn


def image_of(colors: int, seed: int = 0) -> NDArray[np.uint8]:
    """Pixels of so many random colors, each at least once."""
    source = np.random.default_rng(seed)
    palette = np.unique(source.integers(0, 256, (2 * colors, 3), dtype=np.uint8), axis=0)
    palette = source.permutation(palette)[:colors]
    chosen = np.concatenate([np.arange(colors), source.integers(0, colors, 40 * 30 - colors)])
    pixels: NDArray[np.uint8] = palette[source.permutation(chosen)].reshape(40, 30, 3)
    return pixels


@pytest.mark.parametrize("method", ["quantize", "quantize_batch"])
def test_257_colors_are_quantized_like_256(method: str) -> None:
    quantizer = LearnedQuantizer(make_colorcnn(), torch.device("cpu"))
    side = quantizer.size
    pixels = np.resize(image_of(257), (side, side, 3)) if method == "quantize_batch" else image_of(257)

    quantized = (
        quantizer.quantize(pixels, 256) if method == "quantize" else quantizer.quantize_batch(pixels[None], 256)[0]
    )

    difference = np.abs(quantized.render().astype(int) - pixels).max(axis=-1)
    assert quantized.colors <= 256
    assert difference.max() <= 16
    assert (difference > 0).mean() < 0.02


@settings(max_examples=40, deadline=None)
@given(colors=st.integers(2, 128), more=st.integers(1, 128), seed=st.integers(0, 9))
def test_a_merged_color_is_the_mean_of_its_pixels(colors: int, more: int, seed: int) -> None:
    pixels = image_of(min(colors + more, 2 * colors), seed)

    merged = merge_closest(pixels, colors)

    if merged is not None:
        assert merged.colors <= colors
        assert np.square(merged.render().astype(float) - pixels).mean() <= 66
        for entry in range(merged.colors):
            assert np.abs(merged.palette[entry] - pixels[merged.indices == entry].mean(0)).max() <= 0.5 + 1e-9


def test_colors_that_are_far_apart_are_left_to_the_network() -> None:
    pixels = np.array([[[0, 0, 0], [255, 0, 0], [0, 0, 255]]], np.uint8)

    assert merge_closest(pixels, 2) is None


@pytest.mark.parametrize("colors", [100, 200, 401])
def test_an_image_of_other_numbers_of_colors_is_left_alone(colors: int) -> None:
    assert merge_closest(image_of(colors), 200) is None
