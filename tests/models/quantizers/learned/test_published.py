"""models/quantizers/learned/published.py: one network for each number of colors."""

import numpy as np
import pytest
import torch

from models.errors import BadOption, ImageTooLarge
from models.networks.published import PublishedColorCNN, PublishedConfig
from models.quantizers.learned import published
from models.quantizers.learned.published import PublishedQuantizer

CPU = torch.device("cpu")
PIXELS = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)


@pytest.fixture(scope="module", params=[2, 4])
def quantizer(request: pytest.FixtureRequest) -> PublishedQuantizer:
    torch.manual_seed(0)
    return PublishedQuantizer(make_network(request.param), CPU)


def make_network(colors: int) -> PublishedColorCNN:
    """Build an untrained network whose logits depend on the color of a pixel alone, so that every index has pixels."""
    network = PublishedColorCNN(PublishedConfig(colors=colors, width=4)).eval()
    weights = torch.randn(colors, 3)
    network.index_logits = lambda images: torch.einsum("kc,bchw->bkhw", weights, images - 0.5)  # type: ignore[method-assign]
    return network


def test_indices_come_from_the_network_and_colors_are_means(quantizer: PublishedQuantizer) -> None:
    colors = quantizer.network.config.colors
    quantized = quantizer.quantize(PIXELS, colors)
    images = torch.from_numpy(PIXELS).permute(2, 0, 1).unsqueeze(0).float().div(255)
    indices, palette, _ = quantizer.network.hard(images)
    expected = palette[0].mul(255).round()[indices[0]].numpy()
    assert np.abs(quantized.render() - expected).max() <= 1  # halves may be rounded either way
    assert 1 < quantized.colors <= colors


def test_an_image_of_few_colors_comes_back_exactly(quantizer: PublishedQuantizer) -> None:
    pixels = np.array([[[0, 0, 0], [9, 8, 7]]], np.uint8)
    assert np.array_equal(quantizer.quantize(pixels, quantizer.network.config.colors).render(), pixels)


def test_other_numbers_of_colors_are_rejected(quantizer: PublishedQuantizer) -> None:
    with pytest.raises(BadOption, match="colors only, not to 3"):
        quantizer.quantize(PIXELS, 3)
    with pytest.raises(BadOption, match="2 to 256"):
        quantizer.quantize(PIXELS, 1)


def test_large_images_are_rejected(quantizer: PublishedQuantizer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(published, "_MAX_PIXELS", 599)
    with pytest.raises(ImageTooLarge, match="at most 599 pixels, not 30 x 20"):
        quantizer.quantize(PIXELS, quantizer.network.config.colors)
