"""Decoder of the served quantizer: from the stages of the frozen classifier to a feature vector for each pixel."""

from collections.abc import Iterable
from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.networks.classifiers import Classifier
from models.networks.subpixel import SubPixelBranch


class Decoder(nn.Module):
    """Top-down pathway of a feature pyramid network (Lin et al., CVPR 2017).

    Each level adds the upsampled coarser level to a 1x1 projection of an encoder stage and mixes the sum by a 3x3
    convolution. The finest level also adds a projection of the pixels. A sub-pixel branch may correct the result.

    Args:
        encoder: the classifier whose stages are the decoder's inputs.
        widths: channels of each level, finest first; ValueError unless there is one for each stage of the encoder.
        outputs: length of a feature vector.
        subpixel: channels of the sub-pixel branch; 0 for none.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, encoder: Classifier, *, widths: tuple[int, ...], outputs: int, subpixel: int = 0) -> None:
        super().__init__()
        if len(widths) != len(encoder.channels):
            raise ValueError(f"the encoder has {len(encoder.channels)} stages, but {len(widths)} widths were given")
        self.laterals = nn.ModuleList(
            nn.Conv2d(inputs, width, 1) for inputs, width in zip(encoder.channels, widths, strict=True)
        )
        self.pixels = nn.Conv2d(3, widths[0], 3, padding=1, bias=False)
        self.reductions = nn.ModuleList(nn.Conv2d(b, a, 1, bias=False) for a, b in pairwise(widths))
        self.mixers = nn.ModuleList(map(_mixer, widths))
        self.out = nn.Conv2d(widths[0], outputs, 1)
        self.subpixel = SubPixelBranch(encoder, channels=subpixel, outputs=outputs) if subpixel else None
        self.register_buffer("mean", encoder.mean.clone(), persistent=False)
        self.register_buffer("std", encoder.std.clone(), persistent=False)

    def forward(self, view: Tensor, maps: list[Tensor]) -> Tensor:
        """Compute the features of each pixel of the view, (B, outputs, s, s).

        view: (B, 3, s, s) float32 in [0, 1]. maps: outputs of the encoder's stages for the view, finest first.
        """
        pixels = (view - self.mean) / self.std
        x = self.laterals[-1](maps[-1])
        for level in range(len(maps) - 1, -1, -1):
            if level < len(maps) - 1:
                x = F.interpolate(self.reductions[level](x), maps[level].shape[2:], mode="nearest")
                x = x + self.laterals[level](maps[level])
            if level == 0:
                x = F.interpolate(x, view.shape[2:], mode="nearest") + self.pixels(pixels)
            x = self.mixers[level](x)
        features = cast(Tensor, self.out(x))
        return features if self.subpixel is None else features + self.subpixel(pixels, maps)

    @torch.no_grad()
    def fold_sums(self) -> None:
        """Fold the batch norm in front of each mixer into the convolutions that it follows; in place, in eval mode.

        The input of this batch norm is a sum of convolutions. `fold_batch_norm` covers a single convolution only.
        """
        for level, mixer in enumerate(cast(Iterable[nn.Sequential], self.mixers)):
            norm, lateral = cast(nn.BatchNorm2d, mixer[0]), cast(nn.Conv2d, self.laterals[level])
            scale = norm.weight * (cast(Tensor, norm.running_var) + norm.eps).rsqrt()
            for conv in [lateral, *self.reductions[level : level + 1], *([] if level else [self.pixels])]:
                cast(Tensor, conv.weight).mul_(scale.view(-1, 1, 1, 1))
            cast(Tensor, lateral.bias).mul_(scale).add_(norm.bias - cast(Tensor, norm.running_mean) * scale)
            mixer[0] = nn.Identity()


def _mixer(width: int) -> nn.Sequential:
    return nn.Sequential(
        nn.BatchNorm2d(width),
        nn.ReLU(inplace=True),
        nn.Conv2d(width, width, 3, padding=1, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(inplace=True),
    )
