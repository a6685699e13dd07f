"""A prefilter: it changes a photograph before it is mapped to few colors, so that classifiers recognize the result.

It is the learned counterpart of the descent in `models.quantizers.learned.descent`: from the gradient of a single step,
and from what the frozen classifier sees in the picture, it predicts the whole change, as a learned optimizer does
(Andrychowicz et al., "Learning to learn by gradient descent by gradient descent", NeurIPS 2016).

    picture at the classifier's scale -- frozen classifier --+-- features at strides 2, 4, ... ------+
                                                             +-- answer --+                          |
    the same, mapped without a change -- frozen classifier --+-- features, less those of the picture +--> decoder
                                                             +-- answer --+-- gradient --------------+       |
                                                              log2 K, whether errors are diffused --+        v
                                                                                          2x2 blocks of changes

All layers are convolutions, so that a picture of any height and width has the change of its whole area.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Self, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.networks.classifiers import ClassifierConfig, build_classifier
from models.networks.config import NetworkConfig
from models.networks.recognition import sharp_answers

WIDTHS = (32, 40, 56, 80, 112)
"""Channels of the decoder's levels on an EfficientNet-Lite, finest first."""

_BLOCK = 2  # side of the blocks of pixels; the finest stage of the encoder has this stride
_BLOCK_CHANNELS = 3 * _BLOCK**2
_SKIP = 5  # blocks that the linear part of the decoder sees along a side
# Factors of the two parts of the decoder, whose weights train at one rate, and of the gradient in a new network.
_SCALE, _SKIP_SCALE, _STEP = 0.3, 0.05, 0.05
_CONDITIONS = 2
_STEEPEST = 4.0  # largest gradient, in mean absolute gradients of the picture
_FEATURES = 8.0  # divisor of what the encoder sees, so that the decoder begins with values of about 1
_RANGE = 0.5  # largest change, of 1


@dataclass(frozen=True, kw_only=True)
class PrefilterConfig(NetworkConfig):
    """Configuration of a network, as a checkpoint stores it.

    encoder: configuration of the frozen classifier, whose first stage must have a stride of 2.
    widths: channels of the decoder's levels, finest first, one for each stage of the encoder.
    """

    encoder: ClassifierConfig
    widths: tuple[int, ...] = WIDTHS

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Build from JSON values, which contain the configuration of the encoder; see `NetworkConfig.from_json`."""
        return super().from_json({**values, "encoder": ClassifierConfig.from_json(values.get("encoder", {}))})


class Prefilter(nn.Module):
    """The network that the module's docstring describes; a new one takes a step along the gradient.

    Training changes all but `encoder`, whose weights the caller loads before use. Raises ValueError for an encoder with
    other strides than 2, 4, 8, ..., or another number of stages than of widths.
    """

    def __init__(self, config: PrefilterConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = build_classifier(config.encoder).requires_grad_(False)
        widths = config.widths
        if self.encoder.strides != tuple(_BLOCK << level for level in range(len(widths))):
            raise ValueError(f"a prefilter with {len(widths)} widths needs as many stages, at strides 2, 4, 8, ...")
        self.laterals = nn.ModuleList(
            nn.Conv2d(2 * inputs, width, 1, bias=False)
            for inputs, width in zip(self.encoder.channels, widths, strict=True)
        )
        self.reductions = nn.ModuleList(nn.Conv2d(b, a, 1, bias=False) for a, b in pairwise(widths))
        self.conditions = nn.ModuleList(nn.Linear(_CONDITIONS, width) for width in widths)
        self.mixers = nn.ModuleList(map(_Mixer, widths))
        self.blocks = nn.Conv2d(3 * _BLOCK_CHANNELS, widths[0], 3, padding=1, bias=False)
        self.skip = nn.Conv2d(3 * _BLOCK_CHANNELS, _BLOCK_CHANNELS, _SKIP, padding=_SKIP // 2, bias=False)
        self.out = nn.Conv2d(widths[0], _BLOCK_CHANNELS, 1)
        with torch.no_grad():
            for parameter in (*self.skip.parameters(), *self.out.parameters()):
                parameter.zero_()
            for channel in range(3):
                # Each block gets the step of its mean gradient.
                block = slice(channel * _BLOCK**2, (channel + 1) * _BLOCK**2)
                taps = self.skip.weight[block, 2 * _BLOCK_CHANNELS :][:, block]
                taps[:, :, _SKIP // 2, _SKIP // 2] = -_STEP / _SKIP_SCALE / _BLOCK**2

    def train(self, mode: bool = True) -> Self:
        """Set training mode for all but the encoder, whose batch norm keeps the classifier's statistics."""
        super().train(mode)
        self.encoder.eval()
        return self

    def forward(self, images: Tensor, mapped: Tensor, colors: Tensor, diffused: Tensor) -> Tensor:
        """Predict the change of pictures at the encoder's scale, (B, 3, H, W) in [-0.5, 0.5].

        Args:
            images: (B, 3, H, W) float32 in [0, 1].
            mapped: the same pictures after mapping without a change, scaled like `images`.
            colors: K of each picture, (B,).
            diffused: 1 for each picture that is mapped with error diffusion, else 0, (B,).
        """
        height, width = images.shape[2:]
        # Blocks and strides divide an even size alone.
        padding = (0, width % _BLOCK, 0, height % _BLOCK)
        images, mapped = (F.pad(each, padding, mode="replicate") for each in (images, mapped))
        maps, gradient = self._look(images, mapped)
        blocks = F.pixel_unshuffle(torch.cat((images - 0.5, mapped - 0.5, gradient), 1), _BLOCK)
        conditions = torch.stack((colors.float().log2() / 8, diffused.float()), 1)
        x = self._level(len(maps) - 1, self.laterals[-1](maps[-1]), conditions)
        for level in range(len(maps) - 2, -1, -1):
            x = F.interpolate(self.reductions[level](x), maps[level].shape[2:], mode="nearest")
            x = x + self.laterals[level](maps[level])
            if level == 0:
                x = x + self.blocks(blocks)
            x = self._level(level, x, conditions)
        change = F.pixel_shuffle(_SCALE * self.out(x) + _SKIP_SCALE * self.skip(blocks), _BLOCK)[:, :, :height, :width]
        return _RANGE * change.float().tanh()

    def _look(self, images: Tensor, mapped: Tensor) -> tuple[list[Tensor], Tensor]:
        """Return what the encoder sees in the pictures and loses by the mapping, and how the loss falls.

        Returns:
            Outputs of its stages, (B, 2 channels, h, w) each, and the gradient of the divergence of its answers for the
            mapped pictures, (B, 3, H, W), divided by its mean absolute value in each picture.
        """
        with torch.no_grad():
            originals = self.encoder.features(images)
            answers = sharp_answers(self._logits(originals))
        with torch.inference_mode(False), torch.enable_grad():
            shown = mapped.detach().clone().requires_grad_()
            seen = self.encoder.features(shown)
            output = self._logits(seen).log_softmax(1)
            divergence = F.kl_div(output, answers.clone(), reduction="sum", log_target=True)
            (gradient,) = torch.autograd.grad(divergence, shown)
        mean = gradient.abs().mean((1, 2, 3), keepdim=True).clamp_min(torch.finfo(gradient.dtype).tiny)
        maps = [torch.cat((old, new.detach() - old), 1) / _FEATURES for old, new in zip(originals, seen, strict=True)]
        return maps, (gradient / mean).clamp(-_STEEPEST, _STEEPEST)

    def _logits(self, maps: list[Tensor]) -> Tensor:
        return cast(Tensor, self.encoder.head(maps[-1].mean((2, 3)))).float()

    def _level(self, level: int, x: Tensor, conditions: Tensor) -> Tensor:
        return cast(Tensor, self.mixers[level](x + self.conditions[level](conditions)[:, :, None, None]))


class _Mixer(nn.Module):
    """Residual of two 3x3 convolutions; without a norm, since pictures with and without dither share no statistics."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(width, width, 3, padding=1),
        )

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(x)
        return F.relu(x + self.body(x))


def build_prefilter(config: PrefilterConfig) -> Prefilter:
    """Build a prefilter with fresh weights from torch's global generator, those of the encoder included."""
    return Prefilter(config)
