"""models/quantizers/learned.py: the shared promises of quantizers, for images of any size, in tiles."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor

from models.errors import BadOption
from models.networks.classifiers import ClassifierConfig
from models.networks.colorcnn import ColorCNN, ColorCNNConfig, Plan, build_colorcnn
from models.quantizers import learned
from models.quantizers.learned import LearnedQuantizer


def make_quantizer() -> LearnedQuantizer:
    torch.manual_seed(0)
    encoder = ClassifierConfig(architecture="resnet9", classes=3, size=16, width=4)
    config = ColorCNNConfig(encoder=encoder, widths=(4, 4, 4, 4), features=8, hidden=8)
    return LearnedQuantizer(build_colorcnn(config).eval(), torch.device("cpu"))


QUANTIZER = make_quantizer()


def make_pixels(height: int, width: int, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


@settings(max_examples=40)
@given(height=st.integers(1, 40), width=st.integers(1, 40), colors=st.integers(2, 256), seed=st.integers(0, 9))
def test_at_most_k_colours_of_the_image_s_own_size_each_the_mean_of_its_pixels(
    height: int, width: int, colors: int, seed: int
) -> None:
    pixels = make_pixels(height, width, seed)
    painted = QUANTIZER.quantize(pixels, colors)
    assert (painted.height, painted.width) == (height, width)
    assert painted.colors <= colors
    for entry in range(painted.colors):
        mean = pixels[painted.indices == entry].mean(0)
        assert np.abs(painted.palette[entry] - mean).max() <= 0.5 + 1e-9
    assert painted == QUANTIZER.quantize(pixels, colors)


@given(colors=st.integers(2, 256), seed=st.integers(0, 9))
@settings(max_examples=20)
def test_an_image_with_no_more_than_k_colours_comes_back_exactly(colors: int, seed: int) -> None:
    palette = make_pixels(colors, 1, seed)[:, 0]
    pixels = palette[np.random.default_rng(seed).integers(0, colors, (20, 30))]
    assert np.array_equal(QUANTIZER.quantize(pixels, colors).render(), pixels)


@pytest.mark.parametrize("shape", [(90, 70), (3, 1500), (1500, 1)])
@pytest.mark.parametrize("colors", [2, 100])
def test_tiles_do_not_show(shape: tuple[int, int], colors: int, monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = make_pixels(*shape)
    whole = QUANTIZER.quantize(pixels, colors)
    monkeypatch.setattr(learned, "_TILE_PIXELS", 600)
    assert len(list(learned._tiles(shape, colors))) > 1
    tiled = QUANTIZER.quantize(pixels, colors)
    # Matrix products of other shapes round differently, which may turn a tie.
    assert np.mean(tiled.render() != whole.render()) < 0.01


@given(height=st.integers(1, 5000), width=st.integers(1, 5000), colors=st.integers(2, 256))
def test_tiles_cover_the_image_once_and_are_bounded(height: int, width: int, colors: int) -> None:
    tiles = list(learned._tiles((height, width), colors))
    sizes = [(rows.stop - rows.start) * (columns.stop - columns.start) for rows, columns in tiles]
    assert sum(sizes) == height * width
    assert max(sizes) * colors <= learned._TILE_LOGITS and max(sizes) <= learned._TILE_PIXELS


def test_a_batch_is_painted_as_its_images_are() -> None:
    images = np.stack([make_pixels(16, 16, seed) for seed in range(3)])
    images[2] = images[2, 0, 0]
    for painted, pixels in zip(QUANTIZER.quantize_batch(images, 6), images, strict=True):
        alone = QUANTIZER.quantize(pixels, 6)
        # A batch of other size may round a tie differently.
        assert np.mean(painted.render() != alone.render()) < 0.02


def test_an_image_that_the_network_would_paint_blank_keeps_two_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    """A structure that favours one index everywhere: without a second look the answer would be one flat colour."""
    plan = ColorCNN.plan

    def partial_to_one(self: ColorCNN, view: Tensor, pixels: Tensor, colors: int) -> Plan:
        found = plan(self, view, pixels, colors)
        found.structure[:, 0] += 1e9
        return found

    monkeypatch.setattr(ColorCNN, "plan", partial_to_one)
    images = np.stack([make_pixels(16, 16, seed) for seed in range(2)])
    assert [painted.colors for painted in QUANTIZER.quantize_batch(images, 2)] == [2, 2]
    assert QUANTIZER.quantize(make_pixels(30, 50), 2).colors == 2


@pytest.mark.parametrize("colors", [-1, 0, 1, 257])
def test_colours_out_of_range_are_refused(colors: int) -> None:
    with pytest.raises(BadOption, match="2 to 256"):
        QUANTIZER.quantize(make_pixels(4, 4), colors)


@pytest.mark.gpu
@pytest.mark.parametrize("colors", [2, 64])
def test_cuda_paints_as_the_cpu_does(colors: int) -> None:
    pixels = make_pixels(200, 300)
    device = torch.device("cuda")
    painted = LearnedQuantizer(make_quantizer().network.to(device), device).quantize(pixels, colors)
    # Convolutions add in another order there, which may turn a tie.
    assert np.mean(painted.render() != QUANTIZER.quantize(pixels, colors).render()) < 0.01
