"""Image classifiers of (B, 3, H, W) float32 in [0, 1]; each normalizes its input itself.

A classifier is a trunk of named stages, global average pooling and one linear layer. This makes the class activation
map of Zhou et al. (CVPR 2016) exact: the logit of a class is the mean of its map plus the bias.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from types import MappingProxyType
from typing import Literal, cast

import torch
from torch import Tensor, nn

from models.networks.config import NetworkConfig
from models.networks.efficientnet import LITE0, LITE1, LITE2, STRIDES, Variant, efficientnet_stages, stage_channels
from models.networks.vision_transformer import STRIDE, transformer_stages

CIFAR10_MEAN = (0.4914, 0.4822, 0.4465)
CIFAR10_STD = (0.2470, 0.2435, 0.2616)


Architecture = Literal[
    "resnet9",
    "resnet18",
    "alexnet",
    "vgg",
    "all_conv",
    "vit",
    "efficientnet_lite0",
    "efficientnet_lite1",
    "efficientnet_lite2",
]
"""Names of the trunks."""


@dataclass(frozen=True, kw_only=True)
class ClassifierConfig(NetworkConfig):
    """Configuration that a checkpoint stores and that the classifier is built from.

    architecture: name of the trunk.
    classes: number of logits.
    size: height and width of the training images, in pixels.
    width: channels of the first stage; `resnet9` has 64 as published on DAWNBench, 32 in its half-width form. For
        `efficientnet_lite*` channels of the stem, 32 as published.
    mean, std: statistics of the training pixels per channel, in [0, 1] units.

    Raises ValueError for a value out of range.
    """

    architecture: Architecture
    classes: int
    size: int = 32
    width: int = 64
    mean: tuple[float, float, float] = CIFAR10_MEAN
    std: tuple[float, float, float] = CIFAR10_STD

    def __post_init__(self) -> None:
        if self.architecture not in _TRUNKS:
            raise ValueError(f"architecture {self.architecture!r} is not one of {', '.join(_TRUNKS)}")
        if min(self.classes, self.size, self.width) < 1:
            raise ValueError("classes, size and width must be at least 1")


class Classifier(nn.Module):
    """Classifier of stages, global average pooling and a linear layer.

        (B, 3, H, W) in [0, 1] -> normalize -> stage 1 -> ... -> stage n -> mean over H, W -> linear -> (B, classes)

    channels: width of each stage's output. strides: input pixels that a cell of each stage's output spans.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, config: ClassifierConfig) -> None:
        super().__init__()
        trunk = _TRUNKS[config.architecture](config.width)
        self.config = config
        self.channels = trunk.channels
        self.strides = trunk.strides
        self.stages = nn.ModuleList(trunk.stages)
        self.dropout = nn.Dropout(trunk.dropout)
        self.head = nn.Linear(self.channels[-1], config.classes)
        self.register_buffer("mean", torch.tensor(config.mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(config.std).view(1, 3, 1, 1), persistent=False)

    @property
    def size(self) -> int:
        """Side of the training images in pixels."""
        return self.config.size

    @property
    def supports_maps(self) -> bool:
        """Whether `class_maps` works."""
        return True

    def class_maps(self, images: Tensor, classes: Tensor) -> Tensor:
        """Compute the evidence for one class of each image, (B, h, w), whose mean is the logit minus the bias.

        images: (B, 3, H, W) float32 in [0, 1]. classes: (B,) int64.
        """
        return torch.einsum("bchw,bc->bhw", self.features(images)[-1], self.head.weight[classes])

    def features(self, images: Tensor) -> list[Tensor]:
        """Compute the output of every stage, finest first, each (B, channels[i], h_i, w_i).

        images: (B, 3, H, W) float32 in [0, 1].
        """
        maps = []
        x = (images - self.mean) / self.std
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        return maps

    def forward(self, images: Tensor) -> Tensor:
        """Compute logits: (B, 3, H, W) float32 in [0, 1] -> (B, classes)."""
        return cast(Tensor, self.head(self.dropout(self.features(images)[-1].mean((2, 3)))))


@dataclass(frozen=True)
class _Trunk:
    stages: list[nn.Module]
    channels: tuple[int, ...]
    strides: tuple[int, ...]
    dropout: float = 0.0


def build_classifier(config: ClassifierConfig) -> Classifier:
    """Build a classifier with fresh weights from torch's global generator."""
    return Classifier(config)


def _conv_bn_relu(inputs: int, outputs: int, *, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


class Residual(nn.Module):
    """Compute x + body(x), then an optional ReLU; `shortcut` matches the shapes where the body changes them."""

    def __init__(self, body: nn.Module, *, shortcut: nn.Module | None = None, final_relu: bool = False) -> None:
        super().__init__()
        self.body = body
        self.shortcut = shortcut if shortcut is not None else nn.Identity()
        self.final = nn.ReLU(inplace=True) if final_relu else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return cast(Tensor, self.final(self.shortcut(x) + self.body(x)))


def _resnet9(width: int) -> _Trunk:
    """Build ResNet9 of DAWNBench (Page, "How to train your ResNet", 2018); 6.6 M parameters at width 64."""

    def pooled(inputs: int, outputs: int) -> nn.Sequential:
        return nn.Sequential(_conv_bn_relu(inputs, outputs), nn.MaxPool2d(2))

    def residual(channels: int) -> Residual:
        return Residual(nn.Sequential(_conv_bn_relu(channels, channels), _conv_bn_relu(channels, channels)))

    w = width
    stages: list[nn.Module] = [
        _conv_bn_relu(3, w),
        nn.Sequential(pooled(w, 2 * w), residual(2 * w)),
        pooled(2 * w, 4 * w),
        nn.Sequential(pooled(4 * w, 8 * w), residual(8 * w)),
    ]
    return _Trunk(stages, (w, 2 * w, 4 * w, 8 * w), (1, 2, 4, 8))


def _resnet18(width: int) -> _Trunk:
    """Build ResNet18 (He et al., CVPR 2016) with the CIFAR stem, 3x3 stride 1; 11.2 M parameters at width 64."""

    def block(inputs: int, outputs: int, stride: int) -> Residual:
        body = nn.Sequential(
            _conv_bn_relu(inputs, outputs, stride=stride),
            nn.Conv2d(outputs, outputs, 3, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
        )
        same = stride == 1 and inputs == outputs
        projection = None if same else _projection(inputs, outputs, stride)
        return Residual(body, shortcut=projection, final_relu=True)

    widths = (width, 2 * width, 4 * width, 8 * width)
    stages: list[nn.Module] = [nn.Sequential(_conv_bn_relu(3, width), block(width, width, 1), block(width, width, 1))]
    for inputs, outputs in pairwise(widths):
        stages.append(nn.Sequential(block(inputs, outputs, 2), block(outputs, outputs, 1)))
    return _Trunk(stages, widths, (1, 2, 4, 8))


def _projection(inputs: int, outputs: int, stride: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False), nn.BatchNorm2d(outputs))


def _alexnet(width: int) -> _Trunk:
    """Build the AlexNet of the ColorCNN paper's code: five convolutions, no batch norm; 2.25 M parameters."""

    def conv(inputs: int, outputs: int, *, stride: int = 1, pool: bool = False) -> list[nn.Module]:
        layers: list[nn.Module] = [nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1), nn.ReLU(inplace=True)]
        return [*layers, nn.MaxPool2d(2)] if pool else layers

    w = width
    stages: list[nn.Module] = [
        nn.Sequential(*conv(3, w, stride=2, pool=True)),
        nn.Sequential(*conv(w, 3 * w, pool=True)),
        nn.Sequential(*conv(3 * w, 6 * w), *conv(6 * w, 4 * w), *conv(4 * w, 4 * w, pool=True)),
    ]
    return _Trunk(stages, (w, 3 * w, 4 * w), (4, 8, 16), dropout=0.5)


def _vgg(width: int) -> _Trunk:
    """Build a VGG with batch norm (Simonyan and Zisserman, ICLR 2015): four pairs of convolutions.

    It has 0.7 M parameters at width 24.
    """
    stages: list[nn.Module] = []
    widths = (width, 2 * width, 4 * width, 8 * width)
    for inputs, outputs in pairwise((3, *widths)):
        pool = [nn.MaxPool2d(2)] if stages else []
        stages.append(nn.Sequential(*pool, _conv_bn_relu(inputs, outputs), _conv_bn_relu(outputs, outputs)))
    return _Trunk(stages, widths, (1, 2, 4, 8))


def _all_conv(width: int) -> _Trunk:
    """Build a network of convolutions alone (Springenberg et al., "Striving for simplicity", 2015), without batch norm.

    Strides take the place of pooling, the first of them in the first layer. It has 0.65 M parameters at width 48.
    """

    def conv(inputs: int, outputs: int, stride: int) -> list[nn.Module]:
        return [nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1), nn.ReLU(inplace=True)]

    widths = (width, 2 * width, 4 * width)
    stages: list[nn.Module] = [
        nn.Sequential(*conv(inputs, outputs, 2), *conv(outputs, outputs, 1))
        for inputs, outputs in pairwise((3, *widths))
    ]
    return _Trunk(stages, widths, (2, 4, 8), dropout=0.2)


def _vit(width: int) -> _Trunk:
    """Build a small vision transformer (models/networks/vision_transformer.py); 1.3 M parameters at width 128."""
    return _Trunk(transformer_stages(width), (width,) * 3, (STRIDE,) * 3)


def _efficientnet(variant: Variant) -> Callable[[int], _Trunk]:
    """Return a builder of an EfficientNet-Lite (models/networks/efficientnet.py).

    With 1,000 classes Lite0 has 4.65 M parameters, Lite1 5.42 M and Lite2 6.09 M.
    """

    def build(width: int) -> _Trunk:
        channels = stage_channels(width, variant)
        return _Trunk(efficientnet_stages(width, variant), channels, STRIDES, dropout=variant.dropout)

    return build


_TRUNKS: Mapping[str, Callable[[int], _Trunk]] = MappingProxyType(
    {
        "resnet9": _resnet9,
        "resnet18": _resnet18,
        "alexnet": _alexnet,
        "vgg": _vgg,
        "all_conv": _all_conv,
        "vit": _vit,
        "efficientnet_lite0": _efficientnet(LITE0),
        "efficientnet_lite1": _efficientnet(LITE1),
        "efficientnet_lite2": _efficientnet(LITE2),
    }
)
