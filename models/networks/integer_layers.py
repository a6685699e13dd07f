"""Layers of networks in 8-bit integers: activations are uint8, channels last in memory; see `integer`."""

from collections.abc import Callable, Sequence
from typing import NamedTuple, Self, cast

import torch
from torch import Tensor, nn

Layer = Callable[[Tensor], Tensor]
"""(B, C, h, w) uint8 -> (B, C', h', w') uint8."""

_DEVIATIONS = 8.0  # largest activation, in standard deviations above the mean; selected on held-out images
_LARGEST = 255
_LARGEST_WEIGHT = 127
_SMALLEST_STEP = 1e-6  # of a channel whose activations are all 0


class Spread(NamedTuple):
    """Normal distribution of each channel of an activation before its ReLU."""

    mean: Tensor  # (C,) float32
    deviation: Tensor  # (C,) float32

    @classmethod
    def of(cls, norm: nn.BatchNorm2d) -> Self:
        """Return the distribution of the output of batch norm on the training images."""
        return cls(norm.bias.detach(), norm.weight.detach().abs())

    def plus(self, other: "Spread") -> "Spread":
        """Return the distribution of the sum of two independent activations."""
        return Spread(self.mean + other.mean, self.deviation.hypot(other.deviation))

    def steps(self) -> Tensor:
        """Return the step of each channel, (C,) float32: 1 / 255 of its largest activation."""
        return ((self.mean + _DEVIATIONS * self.deviation) / _LARGEST).clamp_min(_SMALLEST_STEP)


class IntegerConvolution:
    """Convolution of stride 1.

    Args:
        weight: (D, C, k, k) float32. bias: (D,) float32.
        inputs: (C,) float32, the step of each input channel.
        outputs: (D,) float32, the step of each output channel; None for an output in the units of the bias.
        padding: rows and columns of 0 on each side.
    """

    def __init__(
        self, weight: Tensor, bias: Tensor, inputs: Tensor, outputs: Tensor | None = None, *, padding: int = 0
    ) -> None:
        steps = torch.ones_like(bias) if outputs is None else outputs
        weight = (weight * inputs.view(1, -1, 1, 1) / steps.view(-1, 1, 1, 1)).detach()
        self._bias = (bias / steps).detach()
        self._scales = (weight.abs().amax((1, 2, 3)) / _LARGEST_WEIGHT).clamp_min(torch.finfo(torch.float32).tiny)
        self._zeros = torch.zeros(len(weight), dtype=torch.int64)
        self._geometry = [1, 1], [padding, padding], [1, 1], 1  # stride, padding, dilation, groups
        integers = (weight / self._scales.view(-1, 1, 1, 1)).round().to(torch.int8)
        self._weight = torch.ops.onednn.qconv_prepack(integers, self._scales, 1.0, 0, *self._geometry, None)

    def __call__(self, x: Tensor) -> Tensor:
        """Return the ReLU of the output, uint8."""
        return self._run(x, torch.uint8, "relu")

    def linear(self, x: Tensor, dtype: torch.dtype) -> Tensor:
        """Return the output in float32 or bfloat16."""
        return self._run(x, dtype, "none")

    def onto(self, x: Tensor, total: Tensor) -> Tensor:
        """Return the ReLU of the sum of the output and `total`, uint8. total: bfloat16, which may be overwritten."""
        convolve = torch.ops.onednn.qconv2d_pointwise.binary
        parts = x, 1.0, 0, self._weight, self._scales, self._zeros, total, self._bias, *self._geometry
        output = convolve(*parts, 1.0, 0, total.dtype, 1.0, 0, "sum", 1.0, "relu", [], "")
        return cast(Tensor, output.add_(0.5).clamp_(max=_LARGEST).to(torch.uint8))

    def _run(self, x: Tensor, dtype: torch.dtype, activation: str) -> Tensor:
        parts = x, 1.0, 0, self._weight, self._scales, self._zeros, self._bias, *self._geometry
        return cast(Tensor, torch.ops.onednn.qconv_pointwise(*parts, 1.0, 0, dtype, activation, [], ""))


class Chain:
    """Layers, one after the other."""

    def __init__(self, layers: Sequence[Layer]) -> None:
        self._layers = layers

    def __call__(self, x: Tensor) -> Tensor:
        """Apply the layers."""
        for layer in self._layers:
            x = layer(x)
        return x


class IntegerResidual:
    """x + body(x), at most 255; both have the same steps."""

    def __init__(self, body: Layer) -> None:
        self._body = body

    def __call__(self, x: Tensor) -> Tensor:
        """Return the sum."""
        return x + torch.minimum(self._body(x), ~x)  # ~x is 255 - x


def max_pool(x: Tensor) -> Tensor:
    """Return the largest of each 2x2 cells; an odd last row or column is left out, as in `nn.MaxPool2d`.

    torch's max pooling has no fast form for 8-bit integers.
    """
    cells = x.permute(0, 2, 3, 1)[:, : x.shape[2] // 2 * 2, : x.shape[3] // 2 * 2].contiguous()
    count, height, width, channels = cells.shape
    rows = cells.view(count * height // 2, 2, width * channels)
    pairs = torch.maximum(rows[:, 0], rows[:, 1]).view(count * height * width // 4, 2, channels)
    largest = torch.maximum(pairs[:, 0], pairs[:, 1])
    return largest.view(count, height // 2, width // 2, channels).permute(0, 3, 1, 2)


def enlarge(x: Tensor, size: Sequence[int]) -> Tensor:
    """Repeat the cells of (B, C, h, w) to a height and a width of `size`, as nearest-neighbor interpolation does."""
    if x.shape[2:] == tuple(size):
        return x
    rows, columns = (torch.arange(length) * cells // length for length, cells in zip(size, x.shape[2:], strict=True))
    return x.permute(0, 2, 3, 1).index_select(1, rows).index_select(2, columns).permute(0, 3, 1, 2)
