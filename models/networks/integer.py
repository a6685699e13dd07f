"""Classifier and decoder of the served network in 8-bit integers: the same functions of the images, up to rounding.

Processors with VNNI instructions multiply 8-bit integers four times as fast as float32. Activations are unsigned, with
one step (quantization scale) per channel. The step of a channel is folded into the weights before and after it, so the
processor sees activations of the step 1. Weights are signed, with one step per output channel.

The range of an activation follows from its batch norm, whose output has the mean beta and the standard deviation gamma
on the training images. The conversion therefore needs no images (Nagel et al., "Data-Free Quantization Through Weight
Equalization and Bias Correction", ICCV 2019).
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

from models.networks.classifiers import Classifier, Residual
from models.networks.colorcnn import ColorCNN, Description
from models.networks.decoder import Decoder
from models.networks.integer_layers import (
    Chain,
    IntegerConvolution,
    IntegerResidual,
    Layer,
    Spread,
    enlarge,
    max_pool,
)

_LARGEST = 255


def convert_to_integers(network: ColorCNN) -> "IntegerNetworks | None":
    """Convert a network in eval mode, before its batch norm is folded.

    Return None where a layer has no integer form: only ResNet9 has it, because every activation follows batch norm. A
    sub-pixel branch has none either.
    """
    try:
        return IntegerNetworks(network.encoder, network.decoder)
    except _Unsupported:
        return None


class _Unsupported(Exception):
    """A network has a layer without an integer form."""


class IntegerNetworks:
    """Classifier and decoder in 8-bit integers, on the CPU."""

    def __init__(self, encoder: Classifier, decoder: Decoder) -> None:
        pixels = _Pixels(encoder)
        self._border = encoder.mean.mul(_LARGEST).round().to(torch.uint8).view(1, 1, 1, 3)
        self._stages, ends = _convert_stages(encoder.stages, pixels)
        self._head, self._last_step = encoder.head, ends[-1]
        self._decoder = _IntegerDecoder(decoder, ends, pixels)

    def describe(self, view: Tensor) -> Description:
        """Compute what `ColorCNN.describe` computes. view: (B, 3, s, s) float32 in [0, 1], multiples of 1 / 255."""
        x = bordered = self._bordered(view)
        maps = []
        for stage in self._stages:
            x = stage(x)
            maps.append(x)
        return Description(self._decoder(bordered, maps, view.shape[2:]), self._logits(x))

    def classify(self, view: Tensor) -> Tensor:
        """Compute what `ColorCNN.classify` computes; for the argument see `describe`."""
        x = self._bordered(view)
        for stage in self._stages:
            x = stage(x)
        return self._logits(x)

    def _bordered(self, view: Tensor) -> Tensor:
        """Return 8-bit images with a border of one pixel of the mean color: a normalized image is padded with 0."""
        count, _, height, width = view.shape
        bordered = self._border.expand(count, height + 2, width + 2, 3).contiguous()
        bordered[:, 1:-1, 1:-1] = view.permute(0, 2, 3, 1).mul(_LARGEST).round_().to(torch.uint8)
        return bordered.permute(0, 3, 1, 2)

    def _logits(self, last: Tensor) -> Tensor:
        means = last.flatten(2).sum(2, dtype=torch.int32) * (self._last_step / (last.shape[2] * last.shape[3]))
        with torch.autocast("cpu", enabled=False):
            return cast(Tensor, self._head(means))


class _Pixels:
    """Normalization of 8-bit pixels, folded into the convolutions that read them."""

    def __init__(self, encoder: Classifier) -> None:
        self._steps = 1 / (_LARGEST * encoder.std.flatten())
        self._shift = encoder.mean.flatten() / encoder.std.flatten()

    def convolution(self, weight: Tensor, bias: Tensor, outputs: Tensor) -> IntegerConvolution:
        """Convert a 3x3 convolution of normalized pixels to one of 8-bit pixels that have a border already."""
        return IntegerConvolution(weight, bias - weight.sum((2, 3)) @ self._shift, self._steps, outputs)


class _Block:
    """Convolution, batch norm and ReLU, and a max pooling where `pooled`."""

    def __init__(self, conv: nn.Conv2d, norm: nn.BatchNorm2d) -> None:
        self.weight, self.bias = _fuse(conv.weight, conv.bias, norm)
        self.spread = Spread.of(norm)
        self.pooled = False


class _IntegerDecoder:
    def __init__(self, decoder: Decoder, ends: Sequence[Tensor], pixels: _Pixels) -> None:
        if decoder.subpixel is not None:
            raise _Unsupported
        self._sums: list[IntegerConvolution] = []
        self._mixers: list[IntegerConvolution] = []
        coarser = ends[-1].new_empty(0)  # steps of the level before
        for level in range(len(ends) - 1, -1, -1):
            norm, _, conv, second, _ = cast(nn.Sequential, decoder.mixers[level])
            norm, mixer = cast(nn.BatchNorm2d, norm), _Block(cast(nn.Conv2d, conv), cast(nn.BatchNorm2d, second))
            steps = Spread.of(norm).steps()
            # One convolution of both inputs replaces the sum of two.
            lateral = cast(nn.Conv2d, decoder.laterals[level])
            parts = [lateral, *(cast(nn.Conv2d, decoder.reductions[level]) for _ in coarser[:1])]
            weight, bias = _fuse(torch.cat([part.weight for part in parts], 1), lateral.bias, norm)
            self._sums.append(IntegerConvolution(weight, bias, torch.cat([ends[level], coarser]), steps))
            if level == 0:
                weight, _ = _fuse(decoder.pixels.weight, None, norm)
                self._pixels = pixels.convolution(weight, weight.new_zeros(len(weight)), steps)
            coarser = mixer.spread.steps()
            self._mixers.append(IntegerConvolution(mixer.weight, mixer.bias, steps, coarser, padding=1))
        self._out = IntegerConvolution(decoder.out.weight, cast(Tensor, decoder.out.bias), coarser)

    def __call__(self, bordered: Tensor, maps: Sequence[Tensor], size: Sequence[int]) -> Tensor:
        """Compute features, (B, F, s, s) float32, of 8-bit images with a border and the classifier's maps of them."""
        levels = list(zip(self._sums, self._mixers, reversed(maps), strict=True))
        x = maps[-1][:, :0]
        for level, (sums, mixer, end) in enumerate(levels, 1):
            inputs = end if level == 1 else torch.cat([end, enlarge(x, end.shape[2:])], 1)
            if level < len(levels):
                x = mixer(sums(inputs))
            else:
                total = enlarge(sums.linear(inputs, torch.bfloat16), size)
                x = mixer(self._pixels.onto(bordered, total))
        return self._out.linear(x, torch.float32)


def _convert_stages(stages: nn.ModuleList, pixels: _Pixels) -> tuple[list[Layer], list[Tensor]]:
    """Convert the stages of a classifier; return them and the steps of the channels of their outputs."""
    converted: list[Layer] = []
    ends: list[Tensor] = []
    steps: Tensor | None = None
    for stage in stages:
        layers: list[Layer] = []
        for block, following in pairwise([*_blocks(stage), None]):
            if isinstance(block, _Block):
                spread = block.spread.plus(following[1].spread) if isinstance(following, tuple) else block.spread
                outputs = spread.steps()
                if steps is None:
                    layers.append(pixels.convolution(block.weight, block.bias, outputs))
                else:
                    layers.append(IntegerConvolution(block.weight, block.bias, steps, outputs, padding=1))
                steps = outputs
                layers += [max_pool] if block.pooled else []
            elif block is not None and steps is not None:
                first, second = block
                middle = first.spread.steps()
                body = (
                    IntegerConvolution(first.weight, first.bias, steps, middle, padding=1),
                    IntegerConvolution(second.weight, second.bias, middle, steps, padding=1),
                )
                layers.append(IntegerResidual(Chain(body)))
        if steps is None:
            raise _Unsupported
        converted.append(Chain(layers))
        ends.append(steps)
    return converted, ends


def _blocks(stage: nn.Module) -> list[_Block | tuple[_Block, _Block]]:
    """Return the blocks of a stage in their order; a pair is the body of a residual block."""
    found: list[_Block | tuple[_Block, _Block]] = []
    if isinstance(stage, Residual):
        first, *others = _blocks(stage.body)
        plain = all(isinstance(part, nn.Identity) for part in (stage.shortcut, stage.final))
        if not plain or len(others) != 1 or not isinstance(first, _Block) or not isinstance(others[0], _Block):
            raise _Unsupported
        return [(first, others[0])]
    layers = list(stage.children()) if isinstance(stage, nn.Sequential) else [stage]
    while layers:
        match layers:
            case [nn.Conv2d() as conv, nn.BatchNorm2d() as norm, nn.ReLU(), *rest] if _is_plain(conv):
                found.append(_Block(conv, norm))
            case [nn.MaxPool2d(kernel_size=2), *rest] if found and isinstance(found[-1], _Block):
                found[-1].pooled = True
            case [nn.Sequential() | Residual() as inner, *rest]:
                found += _blocks(inner)
            case _:
                raise _Unsupported
        layers = rest
    return found


def _is_plain(conv: nn.Conv2d) -> bool:
    return (conv.kernel_size, conv.stride, conv.padding, conv.groups) == ((3, 3), (1, 1), (1, 1), 1)


def _fuse(weight: Tensor, bias: Tensor | None, norm: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    mean, variance = cast(Tensor, norm.running_mean), cast(Tensor, norm.running_var)
    fused = fuse_conv_bn_weights(weight, bias, mean, variance, norm.eps, norm.weight, norm.bias)
    return fused[0].detach(), fused[1].detach()
