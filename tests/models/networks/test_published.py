"""models/networks/published.py: the claims of the paper, on a narrow network."""

import json
import math

import pytest
import torch
from torch import Tensor

from models.networks.palette import render_soft
from models.networks.published import PublishedColorCNN, PublishedConfig


def make_network(colors: int = 3, **options: float) -> PublishedColorCNN:
    """Build a narrow network whose batch norm has seen images: otherwise every pixel gets the same index."""
    torch.manual_seed(0)
    network = PublishedColorCNN(PublishedConfig(colors=colors, width=4, **options))  # type: ignore[arg-type]
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = 1.0
    network.soft(make_images())
    return network.eval()


def make_images(height: int = 32, width: int = 32) -> Tensor:
    return torch.rand(2, 3, height, width, generator=torch.Generator().manual_seed(1))


# The counts of the authors' code: 13.41 M at 2 colors, 13.43 M at 64, of which the U-Net has 13.40 M.
@pytest.mark.parametrize(("colors", "parameters"), [(2, 13_412_416), (64, 13_428_288)])
def test_the_paper_s_network_has_its_number_of_parameters(colors: int, parameters: int) -> None:
    with torch.device("meta"):
        network = PublishedColorCNN(PublishedConfig(colors=colors))
    assert sum(parameter.numel() for parameter in network.parameters()) == parameters
    assert sum(parameter.numel() for parameter in network.unet.parameters()) == 13_395_264


def test_logits_match_a_second_implementation() -> None:
    """The numbers come from a U-Net written level by level after the authors' code, with the same weights."""
    network = PublishedColorCNN(PublishedConfig(colors=2, width=2)).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(_filling(parameter))
    image = (50 * torch.linspace(0, 1, 3 * 21 * 18, dtype=torch.float64)).sin().add(1).div(2).float()
    logits = network.index_logits(image.view(1, 3, 21, 18))[0, :, [0, 10, 20], [0, 9, 17]]
    expected = torch.tensor([[-0.7900, -1.1256, -2.4427], [-0.1585, 0.0116, 0.1682]])
    torch.testing.assert_close(logits, expected, rtol=0, atol=1e-3)  # a wrong upsampling moves them by 0.3 and more


def _filling(parameter: Tensor) -> Tensor:
    """Return weights that need no random generator and keep activations of order 1."""
    if parameter.dim() == 1:
        return torch.linspace(0.5, 1.5, parameter.numel())
    waves = (0.7 * torch.arange(parameter.numel(), dtype=torch.float64) + 1).sin().float()
    return waves.view_as(parameter) * math.sqrt(2 / parameter[0].numel())


@pytest.mark.parametrize(("height", "width"), [(32, 32), (1, 1), (15, 40), (33, 17), (96, 47)])
def test_soft_and_hard_images_work_at_any_size(height: int, width: int) -> None:
    images, network = make_images(height, width), make_network(colors=5)
    soft, hard = network.soft(images), network.hard(images)
    assert soft.images.shape == images.shape
    assert soft.probabilities.shape == (2, 5, height, width)
    torch.testing.assert_close(soft.probabilities.sum(1), torch.ones(2, height, width))
    assert torch.equal(hard.indices, soft.probabilities.argmax(1))
    assert (hard.indices < 5).all()


def test_the_hard_palette_is_the_mean_of_its_pixels() -> None:
    images = make_images()
    indices, palette, counts = make_network(colors=4).hard(images)
    assert len(set(indices.flatten().tolist())) > 2
    for b, k in torch.cartesian_prod(torch.arange(2), torch.arange(4)).tolist():
        mine = images[b, :, indices[b] == k]
        assert counts[b, k] == mine.shape[1]
        torch.testing.assert_close(palette[b, k], mine.mean(1) if mine.numel() else torch.zeros(3))


def test_soft_images_follow_equations_1_and_2_in_the_paper_s_units() -> None:
    network, images = make_network(color_norm=4.0, jitter=0.5), make_images()
    generator = torch.Generator().manual_seed(7)
    soft = network.soft(images, generator)

    brightness = 0.5 * torch.randn((), generator=torch.Generator().manual_seed(7))
    mean, std = network.mean.view(1, 3, 1, 1), network.std.view(1, 3, 1, 1)
    x, m = (images - mean) / std, soft.probabilities
    palette = (x.unsqueeze(2) * m.unsqueeze(1)).sum((3, 4)) / m.sum((2, 3)).unsqueeze(1) / 4 + brightness
    expected = (palette[..., None, None] * m.unsqueeze(1)).sum(2)

    torch.testing.assert_close(soft.images, expected * std + mean)
    torch.testing.assert_close(soft.images, render_soft(soft.palette, m))


def test_color_norm_1_without_jitter_keeps_the_means_of_the_image() -> None:
    images = make_images()
    palette = make_network(color_norm=1.0).soft(images).palette
    assert (palette >= images.amin((2, 3)).unsqueeze(1)).all()
    assert (palette <= images.amax((2, 3)).unsqueeze(1)).all()


def test_jitter_comes_from_the_generator_alone() -> None:
    network, images = make_network(), make_images()
    plain = network.soft(images)
    torch.manual_seed(99)
    assert torch.equal(network.soft(images).images, plain.images)
    jittered = [network.soft(images, torch.Generator().manual_seed(seed)).images for seed in (1, 1, 2)]
    assert torch.equal(jittered[0], jittered[1])
    assert not torch.allclose(jittered[0], jittered[2], atol=1e-3)
    # One number for the batch: in units of std every pixel of every image moves by the same.
    shift = (jittered[0] - plain.images) / network.std.view(1, 3, 1, 1)
    torch.testing.assert_close(shift, shift.mean().expand_as(shift), rtol=0, atol=1e-5)


def test_gradients_reach_every_weight() -> None:
    network = make_network().train()
    # A bias before batch norm has no effect, so its gradient is rounding noise; the weights must all learn.
    weights = [parameter for name, parameter in network.named_parameters() if name.endswith("weight")]
    loss = network.soft(make_images(), torch.Generator().manual_seed(0)).images.square().mean()
    assert all(gradient.abs().max() > 0 for gradient in torch.autograd.grad(loss, weights))


def test_names_in_the_state_dict_are_those_of_saved_checkpoints() -> None:
    names = list(make_network().state_dict())
    blocks = ["unet.enter", *(f"unet.{way}.{level}" for way in ("down", "up") for level in range(4))]
    norm = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
    layers = {0: ("weight", "bias"), 1: norm, 3: ("weight", "bias"), 4: norm}
    expected = [f"{block}.{layer}.{name}" for block in blocks for layer, parts in layers.items() for name in parts]
    assert names == [*expected, "head.0.weight", "head.0.bias", "head.2.weight"]


def test_a_config_survives_json() -> None:
    config = PublishedConfig(colors=7, width=8, color_norm=2.0, jitter=0.0, mean=(0.1, 0.2, 0.3), std=(1.0, 2.0, 3.0))
    assert PublishedConfig.from_json(json.loads(json.dumps(config.to_json()))) == config


WRONG = [
    ("colors", 1),
    ("colors", 257),
    ("width", 0),
    ("color_norm", 0),
    ("jitter", -1),
    ("std", [0] * 3),
    ("mean", ()),
]


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_values_out_of_range_are_rejected(name: str, value: object) -> None:
    with pytest.raises(ValueError, match=name):
        PublishedConfig.from_json({"colors": 2, name: value})


@pytest.mark.parametrize(
    "values",
    [
        {"colors": 2},
        {"colors": 256},
        {"width": 1},
        {"color_norm": 0.01},
        {"jitter": 0.0},
        {"std": (0.01, 1.0, 1.0)},
        {"mean": (0.0, 0.0, 0.0)},
    ],
)
def test_the_last_values_of_a_range_are_accepted(values: dict[str, object]) -> None:
    config = PublishedConfig.from_json({"colors": 3, **values})
    assert {name: getattr(config, name) for name in values} == values


@pytest.mark.parametrize("name", ["mean", "std"])
@pytest.mark.parametrize("count", [2, 4])
def test_statistics_have_three_channels(name: str, count: int) -> None:
    with pytest.raises(ValueError, match="three values each"):
        PublishedConfig.from_json({"colors": 3, name: [0.5] * count})


def test_the_defaults_are_those_of_the_authors() -> None:
    config = PublishedConfig(colors=2)
    assert (config.width, config.color_norm, config.jitter) == (64, 4.0, 1.0)
    assert (config.mean, config.std) == ((0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010))
