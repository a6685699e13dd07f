"""Trunks of EfficientNet-Lite, classifiers of photographs for machines without an accelerator.

Tan and Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks", ICML 2019. The Lite variants of
2020 drop squeeze-and-excitation, use ReLU6, and scale neither the stem nor the last convolution. The published weights
expect TensorFlow's padding and normalization.

    images -> stem 3x3 /2 -> inverted residuals in 7 groups -> 1x1 convolution -> stages at strides 2, 4, 8, 16, 32
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import cast

from torch import Tensor, nn
from torch.nn import functional as F

STEM = 32
"""Channels after the first convolution of the published network."""
STRIDES = (2, 4, 8, 16, 32)

_HEAD = 1280
_NORM_EPS = 1e-3
_CHANNEL_MULTIPLE = 8  # published widths are rounded to it


@dataclass(frozen=True)
class Variant:
    """A network of the family. width, depth: factors of the channels and of the repeats of Lite0. size: side of the
    published network's input in pixels. dropout: probability before the linear layer in training."""

    width: float
    depth: float
    size: int
    dropout: float


LITE0 = Variant(width=1.0, depth=1.0, size=224, dropout=0.2)
LITE1 = Variant(width=1.0, depth=1.1, size=240, dropout=0.2)
LITE2 = Variant(width=1.1, depth=1.2, size=260, dropout=0.3)


@dataclass(frozen=True)
class _Group:
    """Inverted residuals of one shape; the first has the stride. expansion: factor of the inner channels."""

    repeats: int
    kernel: int
    stride: int
    expansion: int
    channels: int


_GROUPS = (  # table 1 of the paper
    _Group(1, 3, 1, 1, 16),
    _Group(2, 3, 2, 6, 24),
    _Group(2, 5, 2, 6, 40),
    _Group(3, 3, 2, 6, 80),
    _Group(3, 5, 1, 6, 112),
    _Group(4, 5, 2, 6, 192),
    _Group(1, 3, 1, 6, 320),
)


def efficientnet_stages(width: int, variant: Variant = LITE0) -> list[nn.Module]:
    """Build five stages, finest first, of (B, 3, H, W) normalized images.

    width: channels of the stem; the published networks have 32, and another width scales all channels alike.
    """
    channels = width
    stages: list[list[nn.Module]] = [[_conv_norm(3, width, 3, stride=2)]]
    for group in _groups(variant):
        if group.stride == 2:
            stages.append([])
        for position in range(group.repeats):
            outputs = _scaled(group.channels, width)
            stages[-1].append(_InvertedResidual(channels, outputs, group, group.stride if position == 0 else 1))
            channels = outputs
    stages[-1].append(_conv_norm(channels, _scaled(_HEAD, width), 1))
    return [nn.Sequential(*blocks) for blocks in stages]


def stage_channels(width: int, variant: Variant = LITE0) -> tuple[int, ...]:
    """Return the channels of each stage's output."""
    groups = _groups(variant)
    ends = [before for before, group in pairwise(groups) if group.stride == 2]
    return (*(_scaled(group.channels, width) for group in ends), _scaled(_HEAD, width))


def from_published(tensors: Mapping[str, Tensor], variant: Variant = LITE0) -> dict[str, Tensor]:
    """Rename the tensors of the PyTorch port of the published weights to the names of `Classifier.state_dict`.

    A tensor of another name keeps it, so that loading reports it.
    """
    names = dict(_module_names(variant))
    return {
        f"{names.get(module, module)}.{parameter}": tensor
        for name, tensor in tensors.items()
        for module, _, parameter in (name.rpartition("."),)
    }


def _groups(variant: Variant) -> list[_Group]:
    """Scale the groups of Lite0. The first and the last group keep their repeats, as in the published networks."""
    last = len(_GROUPS) - 1
    return [
        replace(
            group,
            channels=_rounded(group.channels * variant.width),
            repeats=group.repeats if position in (0, last) else math.ceil(group.repeats * variant.depth),
        )
        for position, group in enumerate(_GROUPS)
    ]


def _rounded(channels: float) -> int:
    """Round to a multiple of 8, but not down by more than a tenth."""
    nearest = max(_CHANNEL_MULTIPLE, int(channels + _CHANNEL_MULTIPLE / 2) // _CHANNEL_MULTIPLE * _CHANNEL_MULTIPLE)
    return nearest if nearest >= 0.9 * channels else nearest + _CHANNEL_MULTIPLE


def _module_names(variant: Variant) -> Iterator[tuple[str, str]]:
    """Yield the name of each module in the port, and in `Classifier`."""
    yield from (("_conv_stem", "stages.0.0.0"), ("_bn0", "stages.0.0.1"), ("_fc", "head"))
    stage, position, block = 0, 1, 0
    for group in _groups(variant):
        if group.stride == 2:
            stage, position = stage + 1, 0
        for _ in range(group.repeats):
            layers = _LAYERS if group.expansion > 1 else _LAYERS[2:]
            for layer, index in zip(layers, _POSITIONS, strict=False):
                yield f"_blocks.{block}.{layer}", f"stages.{stage}.{position}.body.{index}"
            position, block = position + 1, block + 1
    yield from (("_conv_head", f"stages.{stage}.{position}.0"), ("_bn1", f"stages.{stage}.{position}.1"))


# Convolutions and norms of a block in the port, and their positions in the body of `_InvertedResidual`.
_LAYERS = ("_expand_conv", "_bn0", "_depthwise_conv", "_bn1", "_project_conv", "_bn2")
_POSITIONS = (0, 1, 3, 4, 6, 7)


class _SameConv(nn.Conv2d):
    """Convolution with TensorFlow's padding "SAME": where the padding is odd, the right and the bottom get more."""

    def forward(self, x: Tensor) -> Tensor:
        kernel, stride = self.kernel_size[0], self.stride[0]
        height, width = ((math.ceil(side / stride) - 1) * stride + kernel - side for side in x.shape[2:])
        top, left = max(height, 0) // 2, max(width, 0) // 2
        padded = F.pad(x, (left, max(width, 0) - left, top, max(height, 0) - top))
        return super().forward(padded)


def _conv(inputs: int, outputs: int, kernel: int, stride: int, groups: int) -> nn.Conv2d:
    if stride == 1:  # symmetric, which needs no copy of the input
        return nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, groups=groups, bias=False)
    return _SameConv(inputs, outputs, kernel, stride=stride, groups=groups, bias=False)


def _conv_norm(
    inputs: int, outputs: int, kernel: int, *, stride: int = 1, groups: int = 1, relu: bool = True
) -> nn.Sequential:
    layers = [_conv(inputs, outputs, kernel, stride, groups), nn.BatchNorm2d(outputs, eps=_NORM_EPS)]
    return nn.Sequential(*layers, nn.ReLU6(inplace=True)) if relu else nn.Sequential(*layers)


class _InvertedResidual(nn.Module):
    """Widen, filter each channel, narrow; plus the input where the shapes are equal (MobileNetV2, CVPR 2018)."""

    def __init__(self, inputs: int, outputs: int, group: _Group, stride: int) -> None:
        super().__init__()
        inner = inputs * group.expansion
        parts = [
            *([_conv_norm(inputs, inner, 1)] if group.expansion > 1 else []),
            _conv_norm(inner, inner, group.kernel, stride=stride, groups=inner),
            _conv_norm(inner, outputs, 1, relu=False),
        ]
        self.body = nn.Sequential(*(layer for part in parts for layer in part))
        self.adds = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        y = cast(Tensor, self.body(x))
        return x + y if self.adds else y


def _scaled(channels: int, width: int) -> int:
    return max(1, channels * width // STEM)
