"""models/networks/classifiers.py: sizes, stages, normalization and configurations."""

import json
from typing import get_args

import pytest
import torch

from models.networks.classifiers import Architecture, ClassifierConfig, build_classifier


# Counts of the published networks; the half-width ResNet9 is the one that ships.
@pytest.mark.parametrize(
    ("architecture", "width", "parameters"),
    [
        ("resnet9", 32, 1_646_122),
        ("resnet18", 64, 11_173_962),
        ("alexnet", 64, 2_254_154),
        ("vgg", 24, 662_386),
        ("all_conv", 48, 646_714),
        ("vit", 96, 725_986),
    ],
)
def test_networks_have_the_published_number_of_parameters(
    architecture: Architecture, width: int, parameters: int
) -> None:
    with torch.device("meta"):
        network = build_classifier(ClassifierConfig(architecture=architecture, classes=10, width=width))
    assert sum(parameter.numel() for parameter in network.parameters()) == parameters


@pytest.mark.parametrize("architecture", get_args(Architecture))
def test_stages_have_the_channels_and_strides_of_the_documentation(architecture: Architecture) -> None:
    network = build_classifier(ClassifierConfig(architecture=architecture, classes=5, width=32)).eval()
    assert network.supports_maps
    images = torch.rand(2, 3, 32, 32)
    maps = network.features(images)
    assert [m.shape[1] for m in maps] == list(network.channels)
    assert [32 // m.shape[2] for m in maps] == list(network.strides)
    assert network(images).shape == (2, 5)


def test_the_network_normalizes_its_input() -> None:
    torch.manual_seed(0)
    config = ClassifierConfig(architecture="resnet9", classes=5, width=4, mean=(0.1, 0.2, 0.3), std=(0.5, 0.6, 0.7))
    network = build_classifier(config).eval()
    plain = build_classifier(ClassifierConfig(architecture="resnet9", classes=5, width=4, mean=(0,) * 3, std=(1,) * 3))
    plain.load_state_dict(network.state_dict())
    images = torch.rand(1, 3, 32, 32)
    normalized = (images - torch.tensor(config.mean).view(3, 1, 1)) / torch.tensor(config.std).view(3, 1, 1)
    torch.testing.assert_close(network(images), plain.eval()(normalized))


def test_the_configuration_survives_json_and_rejects_nonsense() -> None:
    config = ClassifierConfig(architecture="alexnet", classes=200, size=64)
    assert ClassifierConfig.from_json(json.loads(json.dumps(config.to_json()))) == config
    with pytest.raises(ValueError, match=r"lenet.*resnet9"):
        ClassifierConfig.from_json(config.to_json() | {"architecture": "lenet"})
    with pytest.raises(ValueError, match="at least 1"):
        ClassifierConfig(architecture="alexnet", classes=0)


@pytest.mark.parametrize("name", ["classes", "size", "width"])
def test_numbers_are_at_least_one(name: str) -> None:
    values = {"architecture": "resnet9", "classes": 2}
    assert getattr(ClassifierConfig.from_json(values | {name: 1}), name) == 1
    with pytest.raises(ValueError, match="at least 1"):
        ClassifierConfig.from_json(values | {name: 0})


def test_the_defaults_are_those_of_cifar10() -> None:
    config = ClassifierConfig(architecture="resnet9", classes=10)
    assert (config.size, config.width) == (32, 64)
    assert (config.mean, config.std) == ((0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616))


@pytest.mark.parametrize(
    ("architecture", "channels", "strides", "dropout"),
    [
        ("resnet9", (4, 8, 16, 32), (1, 2, 4, 8), 0.0),
        ("resnet18", (4, 8, 16, 32), (1, 2, 4, 8), 0.0),
        ("alexnet", (4, 12, 16), (4, 8, 16), 0.5),
        ("efficientnet_lite0", (2, 3, 5, 14, 160), (2, 4, 8, 16, 32), 0.2),
        ("efficientnet_lite2", (2, 3, 6, 15, 160), (2, 4, 8, 16, 32), 0.3),
    ],
)
def test_trunks_have_the_published_shapes(
    architecture: Architecture, channels: tuple[int, ...], strides: tuple[int, ...], dropout: float
) -> None:
    network = build_classifier(ClassifierConfig(architecture=architecture, classes=5, width=4))
    assert (network.channels, network.strides, network.dropout.p) == (channels, strides, dropout)


def test_the_mean_of_a_class_map_is_its_logit_without_the_bias() -> None:
    torch.manual_seed(0)
    network = build_classifier(ClassifierConfig(architecture="resnet9", classes=5, width=4)).eval()
    images, classes = torch.rand(3, 3, 32, 32), torch.tensor([4, 0, 2])
    maps = network.class_maps(images, classes)
    logits = network(images).gather(1, classes[:, None])[:, 0]
    torch.testing.assert_close(maps.mean((1, 2)), logits - network.head.bias[classes], rtol=1e-4, atol=1e-5)
