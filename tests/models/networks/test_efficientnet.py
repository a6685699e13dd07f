"""models/networks/efficientnet.py: size, padding, and the names of the published weights."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from models.networks.classifiers import Classifier, ClassifierConfig, build_classifier
from models.networks.efficientnet import efficientnet_stages, from_published


def make_network(width: int = 32, classes: int = 1000) -> Classifier:
    return build_classifier(
        ClassifierConfig(architecture="efficientnet_lite0", classes=classes, size=224, width=width)
    ).eval()


def published_names() -> list[str]:
    """Names of the weights in the port: 16 blocks, of which the first has no expansion."""
    norm = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
    layers = {"_expand_conv": "_bn0", "_depthwise_conv": "_bn1", "_project_conv": "_bn2"}
    pairs = [("_conv_stem", "_bn0"), ("_conv_head", "_bn1")]
    for block in range(16):
        parts = list(layers.items())[0 if block else 1 :]
        pairs += [(f"_blocks.{block}.{conv}", f"_blocks.{block}.{bn}") for conv, bn in parts]
    names = [name for conv, bn in pairs for name in (f"{conv}.weight", *(f"{bn}.{each}" for each in norm))]
    return [*names, "_fc.weight", "_fc.bias"]


def test_the_published_network_has_4_65_million_parameters() -> None:
    with torch.device("meta"):
        network = make_network()
    assert sum(parameter.numel() for parameter in network.parameters()) == 4_652_008


def test_stages_have_the_channels_and_strides_that_the_classifier_reports() -> None:
    network = make_network(width=8, classes=5)
    with torch.inference_mode():
        maps = network.features(torch.rand(1, 3, 64, 96))
    assert [tuple(each.shape[1:]) for each in maps] == [
        (channels, 64 // stride, 96 // stride)
        for channels, stride in zip(network.channels, network.strides, strict=True)
    ]


@pytest.mark.parametrize("size", [(7, 8), (8, 9), (1, 1)])
def test_a_stride_pads_the_right_and_the_bottom_more(size: tuple[int, int]) -> None:
    """TensorFlow's rule: an even side gets one row or column more at its end, an odd side equal padding."""
    stem = next(module for module in efficientnet_stages(4)[0].modules() if isinstance(module, nn.Conv2d))
    images = torch.rand(1, 3, *size)
    (top, bottom), (left, right) = ((0, 1) if side % 2 == 0 else (1, 1) for side in size)
    padded = F.pad(images, (left, right, top, bottom))
    torch.testing.assert_close(stem(images), F.conv2d(padded, stem.weight, stride=2))


def test_every_published_name_is_one_of_the_network() -> None:
    with torch.device("meta"):
        expected = make_network().state_dict()
        renamed = from_published({name: torch.empty(0) for name in published_names()})
    assert renamed.keys() == expected.keys()


def test_an_unknown_name_is_kept_so_that_loading_reports_it() -> None:
    assert list(from_published({"_blocks.16._bn0.weight": torch.empty(0)})) == ["_blocks.16._bn0.weight"]
