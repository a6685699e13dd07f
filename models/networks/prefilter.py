"""A prefilter: one pass that changes a photograph before it is mapped to few colors, so that classifiers recognize it.

It is the learned counterpart of the descent in `models.quantizers.learned.descent`, whose change of the picture it
predicts. The structure is that of pre-editing networks of codecs (Talebi et al., "Better Compression with Deep
Pre-Editing", IEEE TIP 2021), with a frozen classifier as the encoder as in `models.networks.colorcnn`.

    picture at the classifier's scale --+-- frozen classifier --> features at strides 2, 4, ...
                                        |                            |
    the same, mapped without a change --+-- 2x2 blocks of pixels --> decoder --> 2x2 blocks of changes
                                                                     ^
                                           log2 K, whether errors are diffused

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

WIDTHS = (32, 40, 56, 80, 112)
"""Channels of the decoder's levels, finest first; the network uses as many levels as its encoder has stages."""

_BLOCK = 2  # side of the blocks of pixels; the finest stage of the encoder has this stride
_CONDITIONS = 2
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
    """The network that the module's docstring describes; a new one changes nothing.

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
            nn.Conv2d(inputs, width, 1, bias=False) for inputs, width in zip(self.encoder.channels, widths, strict=True)
        )
        self.reductions = nn.ModuleList(nn.Conv2d(b, a, 1, bias=False) for a, b in pairwise(widths))
        self.conditions = nn.ModuleList(nn.Linear(_CONDITIONS, width) for width in widths)
        self.mixers = nn.ModuleList(map(_Mixer, widths))
        self.blocks = nn.Conv2d(2 * 3 * _BLOCK**2, widths[0], 3, padding=1, bias=False)
        self.out = nn.Conv2d(widths[0], 3 * _BLOCK**2, 1)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(cast(Tensor, self.out.bias))

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
        padded = F.pad(torch.cat((images, mapped), 1), (0, width % _BLOCK, 0, height % _BLOCK), mode="replicate")
        maps = self.encoder.features(padded[:, :3])
        conditions = torch.stack((colors.float().log2() / 8, diffused.float()), 1)
        x = self._level(len(maps) - 1, self.laterals[-1](maps[-1]), conditions)
        for level in range(len(maps) - 2, -1, -1):
            x = F.interpolate(self.reductions[level](x), maps[level].shape[2:], mode="nearest")
            x = x + self.laterals[level](maps[level])
            if level == 0:
                x = x + self.blocks(F.pixel_unshuffle(padded - 0.5, _BLOCK))
            x = self._level(level, x, conditions)
        change = F.pixel_shuffle(self.out(x), _BLOCK)[:, :, :height, :width]
        return _RANGE * change.float().tanh()

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
