"""models/networks/decoder.py: one level for each stage of the encoder, and folding changes no output."""

import pytest
import torch

from models.networks.decoder import Decoder
from tests.models.small_networks import make_colorcnn, make_images


def test_a_decoder_with_folded_sums_computes_the_same() -> None:
    network, images = make_colorcnn(), make_images(4)
    maps = network.encoder.features(images)
    for module in network.decoder.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = 1.0
            torch.nn.init.uniform_(module.weight, 0.5, 2.0)
            torch.nn.init.normal_(module.bias)
    network.decoder.train()(images, maps)  # otherwise the running statistics are the identity
    before = network.decoder.eval()(images, maps)
    network.decoder.fold_sums()
    names = {name for name, part in network.decoder.named_modules() if isinstance(part, torch.nn.BatchNorm2d)}
    assert names == {f"mixers.{level}.3" for level in range(4)}
    torch.testing.assert_close(network.decoder(images, maps), before, rtol=1e-4, atol=1e-4)


def test_a_width_is_needed_for_each_stage() -> None:
    with pytest.raises(ValueError, match="4 stages, but 3 widths"):
        Decoder(make_colorcnn().encoder, widths=(4, 4, 4), outputs=8)
