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


def test_levels_are_joined_as_in_a_feature_pyramid() -> None:
    """Written out for four levels; each doubles the height and width of the next."""
    network, images = make_colorcnn(), make_images(2)
    decoder, maps = network.decoder, network.encoder.features(images)

    def twice(coarse: torch.Tensor) -> torch.Tensor:
        return coarse.repeat_interleave(2, 2).repeat_interleave(2, 3)

    x3 = decoder.mixers[3](decoder.laterals[3](maps[3]))
    x2 = decoder.mixers[2](decoder.laterals[2](maps[2]) + twice(decoder.reductions[2](x3)))
    x1 = decoder.mixers[1](decoder.laterals[1](maps[1]) + twice(decoder.reductions[1](x2)))
    pixels = decoder.pixels((images - network.encoder.mean) / network.encoder.std)
    x0 = decoder.mixers[0](decoder.laterals[0](maps[0]) + twice(decoder.reductions[0](x1)) + pixels)

    torch.testing.assert_close(decoder(images, maps), decoder.out(x0), rtol=1e-5, atol=1e-5)


def test_a_feature_vector_sees_the_pixels_around_it() -> None:
    """The 3x3 convolutions of the pixels and of the finest mixer reach two pixels away."""
    network, images = make_colorcnn(), make_images(1)
    maps = network.encoder.features(images)
    changed = images.clone()
    changed[0, :, 8, 8] = 1 - changed[0, :, 8, 8]
    difference = (network.decoder(changed, maps) - network.decoder(images, maps)).abs().sum(1)[0]

    rows, columns = torch.nonzero(difference, as_tuple=True)
    assert [int(end) for each in (rows, columns) for end in (each.min(), each.max())] == [6, 10, 6, 10]
