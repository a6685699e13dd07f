"""Small networks with fresh weights, and random images of their size, for tests."""

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from models.networks.classifiers import ClassifierConfig
from models.networks.colorcnn import ColorCNN, ColorCNNConfig, build_colorcnn
from models.networks.plan import Plan
from models.networks.prefilter import Prefilter, PrefilterConfig, build_prefilter

SIZE = 16


def make_colorcnn(width: int = 4, **config: Any) -> ColorCNN:
    """Build a ColorCNN on an encoder of `width` channels, in eval mode; `config` changes its configuration."""
    torch.manual_seed(0)
    encoder = ClassifierConfig(architecture="resnet9", classes=3, size=SIZE, width=width)
    return build_colorcnn(ColorCNNConfig(encoder=encoder, widths=(4, 4, 4, 4), features=8, hidden=8, **config)).eval()


def make_structured_colorcnn(*structure_scales: float) -> ColorCNN:
    """Build a ColorCNN with visible structure, and a classifier whose output depends on the image.

    Fresh weights give next to no structure, and nearly the same output for every image.
    """
    network = make_colorcnn()
    network.decoder.out.weight.data *= 30
    network.encoder.head.weight.data *= 1000
    network.config = replace(network.config, structure_scales=structure_scales)
    return network


def make_prefilter() -> Prefilter:
    """Build a prefilter with a visible change on a small EfficientNet of 32x32 pixels, in eval mode."""
    torch.manual_seed(0)
    encoder = ClassifierConfig(architecture="efficientnet_lite0", classes=3, size=32, width=4)
    network = build_prefilter(PrefilterConfig(encoder=encoder, widths=(4, 4, 4, 4, 4)))
    for layer in (network.out, network.skip):
        torch.nn.init.normal_(layer.weight)
    network.encoder.head.weight.data *= 1e5  # fresh weights give nearly the same output for every image
    return network.eval()


def make_images(count: int = 2, height: int = SIZE, width: int = SIZE) -> Tensor:
    """Return random images, (count, 3, height, width) float32 in [0, 1]."""
    return torch.rand(count, 3, height, width, generator=torch.Generator().manual_seed(1))


def make_8bit_images(count: int) -> Tensor:
    """Return random images of 8-bit values, (count, 3, 16, 16) float32, multiples of 1 / 255."""
    return torch.randint(0, 256, (count, 3, SIZE, SIZE), generator=torch.Generator().manual_seed(1)) / 255


def make_plan(network: ColorCNN, images: Tensor, colors: int) -> Plan:
    """Plan images of the network's native size."""
    return network.plan(images, images.flatten(2).transpose(1, 2), colors)


def structure_of(plan: Plan) -> Tensor:
    """Return the structure of a plan that has one."""
    assert plan.structure is not None
    return plan.structure
