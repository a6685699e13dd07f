"""models/networks/prefilter.py: the network that changes a photograph before it is mapped to few colors."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from models.networks.prefilter import Prefilter, PrefilterConfig, build_prefilter
from tests.models.small_networks import make_images, make_prefilter


def predict(network: Prefilter, images: Tensor, colors: int = 2, diffused: float = 1.0) -> Tensor:
    count = len(images)
    with torch.no_grad():
        change: Tensor = network(images, images.round(), torch.full((count,), colors), torch.full((count,), diffused))
    return change


def test_a_new_network_takes_a_step_down_the_gradient() -> None:
    network, images = build_prefilter(make_prefilter().config).eval(), make_images(1, 32, 32)
    network.encoder.load_state_dict(make_prefilter().encoder.state_dict())
    mapped = images.round()
    answer = (3 * network.encoder(images)).softmax(1)

    def divergence(shown: Tensor) -> float:
        return F.kl_div(network.encoder(shown).log_softmax(1), answer, reduction="sum").item()

    change = predict(network, images)
    blocks = F.avg_pool2d(change, 2)
    assert torch.allclose(F.interpolate(blocks, scale_factor=2), change)
    assert divergence(mapped + 0.2 * change) < divergence(mapped) < divergence(mapped - 0.2 * change)


@pytest.mark.parametrize("size", [(1, 1), (2, 33), (31, 18), (64, 48)])
def test_any_height_and_width_gets_a_bounded_change_of_its_size(size: tuple[int, int]) -> None:
    network = make_prefilter()
    change = predict(network, make_images(2, *size))
    assert change.shape == (2, 3, *size)
    assert 0 < change.abs().max() <= 0.5


def test_the_change_depends_on_the_colors_and_on_the_diffusion() -> None:
    network, images = make_prefilter(), make_images()
    changes = [predict(network, images), predict(network, images, 16), predict(network, images, diffused=0.0)]
    assert len({change.sum().item() for change in changes}) == 3


def test_each_picture_of_a_batch_has_its_own_conditions() -> None:
    network, images = make_prefilter(), make_images()
    colors, diffused = torch.tensor([2, 64]), torch.tensor([1.0, 0.0])
    with torch.no_grad():
        both = network(images, images, colors, diffused)
        for row in range(2):
            part = slice(row, row + 1)
            alone = network(images[part], images[part], colors[part], diffused[part])
            assert torch.allclose(both[part], alone, atol=1e-5)


def test_the_mapped_picture_has_an_effect() -> None:
    network, images = make_prefilter(), make_images()
    one = torch.ones(2)
    with torch.no_grad():
        assert not torch.equal(network(images, images, 2 * one, one), network(images, 1 - images, 2 * one, one))


def test_the_encoder_is_frozen_and_keeps_its_statistics_in_training() -> None:
    network = make_prefilter().train()
    before = {name: value.clone() for name, value in network.encoder.state_dict().items()}
    network(make_images(), make_images(), torch.full((2,), 2), torch.ones(2)).square().sum().backward()
    assert all(parameter.grad is None for parameter in network.encoder.parameters())
    assert network.mixers[0].training and not network.encoder.training
    after = network.encoder.state_dict()
    assert all(torch.equal(value, after[name]) for name, value in before.items())


@pytest.mark.parametrize("widths", [(4, 4), (4, 4, 4, 4, 4, 4)])
def test_other_numbers_of_widths_than_stages_are_refused(widths: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="stages"):
        Prefilter(replace(make_prefilter().config, widths=widths))


def test_an_encoder_with_other_strides_is_refused() -> None:
    encoder = replace(make_prefilter().config.encoder, architecture="resnet9")
    with pytest.raises(ValueError, match="strides 2, 4, 8"):
        Prefilter(PrefilterConfig(encoder=encoder, widths=(4, 4, 4, 4)))


def test_the_configuration_survives_json() -> None:
    config = make_prefilter().config
    assert PrefilterConfig.from_json(config.to_json()) == config
    with pytest.raises(TypeError):
        PrefilterConfig.from_json({**config.to_json(), "depth": 3})
