"""models/networks/efficientnet.py: size, padding, and the names of the published weights."""

from typing import Literal, get_args

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from models.networks.classifiers import Classifier, ClassifierConfig, build_classifier
from models.networks.efficientnet import (
    LITE0,
    LITE1,
    LITE2,
    Variant,
    _rounded,
    _SameConv,
    efficientnet_stages,
    from_published,
    stage_channels,
)

Architecture = Literal["efficientnet_lite0", "efficientnet_lite1", "efficientnet_lite2"]


def make_network(width: int = 32, classes: int = 1000, architecture: Architecture = "efficientnet_lite0") -> Classifier:
    return build_classifier(ClassifierConfig(architecture=architecture, classes=classes, size=224, width=width)).eval()


def published_names(blocks: int) -> list[str]:
    """Names of the weights in the port: blocks, of which the first has no expansion."""
    norm = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
    layers = {"_expand_conv": "_bn0", "_depthwise_conv": "_bn1", "_project_conv": "_bn2"}
    pairs = [("_conv_stem", "_bn0"), ("_conv_head", "_bn1")]
    for block in range(blocks):
        parts = list(layers.items())[0 if block else 1 :]
        pairs += [(f"_blocks.{block}.{conv}", f"_blocks.{block}.{bn}") for conv, bn in parts]
    names = [name for conv, bn in pairs for name in (f"{conv}.weight", *(f"{bn}.{each}" for each in norm))]
    return [*names, "_fc.weight", "_fc.bias"]


@pytest.mark.parametrize(
    ("architecture", "parameters"),
    [("efficientnet_lite0", 4_652_008), ("efficientnet_lite1", 5_416_680), ("efficientnet_lite2", 6_092_072)],
)
def test_networks_have_the_published_number_of_parameters(architecture: Architecture, parameters: int) -> None:
    """4.7, 5.4 and 6.1 million, as published; each number is that of the weights in the port."""
    with torch.device("meta"):
        network = make_network(architecture=architecture)
    assert sum(parameter.numel() for parameter in network.parameters()) == parameters


@pytest.mark.parametrize("architecture", get_args(Architecture))
def test_stages_have_the_channels_and_strides_that_the_classifier_reports(architecture: Architecture) -> None:
    network = make_network(width=8, classes=5, architecture=architecture)
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


@pytest.mark.parametrize(
    ("architecture", "variant", "blocks"),
    [("efficientnet_lite0", LITE0, 16), ("efficientnet_lite1", LITE1, 21), ("efficientnet_lite2", LITE2, 21)],
)
def test_every_published_name_is_one_of_the_network(architecture: Architecture, variant: Variant, blocks: int) -> None:
    with torch.device("meta"):
        expected = make_network(architecture=architecture).state_dict()
        renamed = from_published({name: torch.empty(0) for name in published_names(blocks)}, variant)
    assert renamed.keys() == expected.keys()


def test_width_scales_neither_the_stem_nor_the_last_convolution() -> None:
    """Lite2 widens 24, 40, 112 by 1.1 to multiples of 8; 16 and 32 stay, as they round to themselves."""
    assert stage_channels(32, LITE2) == (16, 24, 48, 120, 1280)
    assert stage_channels(32, LITE1) == stage_channels(32, LITE0) == (16, 24, 40, 112, 1280)


def test_an_unknown_name_is_kept_so_that_loading_reports_it() -> None:
    assert list(from_published({"_blocks.16._bn0.weight": torch.empty(0)})) == ["_blocks.16._bn0.weight"]


def test_the_variants_are_those_of_the_published_networks() -> None:
    found = [(each.width, each.depth, each.size, each.dropout) for each in (LITE0, LITE1, LITE2)]

    assert found == [(1.0, 1.0, 224, 0.2), (1.0, 1.1, 240, 0.2), (1.1, 1.2, 260, 0.3)]


@pytest.mark.parametrize(
    ("channels", "rounded"),
    [(1, 8), (8, 8), (8.8, 8), (8.9, 16), (11, 16), (12, 16), (17, 16), (17.7, 16), (17.8, 24), (20, 24), (123.2, 120)],
)
def test_channels_are_rounded_to_eight_and_not_down_by_more_than_a_tenth(channels: float, rounded: int) -> None:
    assert _rounded(channels) == rounded


@pytest.mark.parametrize(("kernel", "stride"), [(1, 1), (3, 1), (3, 2), (5, 1), (5, 2), (1, 2)])
@pytest.mark.parametrize("size", [(1, 1), (4, 7), (7, 4), (10, 12)])
def test_padding_is_that_of_tensorflow_in_each_direction(kernel: int, stride: int, size: tuple[int, int]) -> None:
    """As documented for tf.nn: ceil(side / stride) outputs, and the padding that they need, the smaller half first."""
    conv = _SameConv(2, 3, kernel, stride)
    images = torch.rand(1, 2, *size)
    pads = [max((-(-side // stride) - 1) * stride + kernel - side, 0) for side in size]
    sides = [(pad // 2, pad - pad // 2) for pad in pads]
    expected = F.conv2d(F.pad(images, (*sides[1], *sides[0])), conv.weight, conv.bias, stride)

    torch.testing.assert_close(conv(images), expected)
