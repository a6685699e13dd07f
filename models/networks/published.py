"""ColorCNN as published: Hou, Zheng and Gould, "Learning to Structure an Image with Few Colors", CVPR 2020.

This module reproduces the paper, with one network for each number of colors. Widths, head and constants follow the
authors' code (hou-yz/color_distillation). The served network is another one; see `colorcnn.py`.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.networks.config import NetworkConfig
from models.networks.palette import HardResult, SoftResult, hard_palette, render_soft, soft_palette

# Normalization for CIFAR-10 in the authors' code.
PUBLISHED_MEAN = (0.4914, 0.4822, 0.4465)
PUBLISHED_STD = (0.2023, 0.1994, 0.2010)

_SHORTEST_SIDE = 16  # pixels: four max-pools leave at least one cell


@dataclass(frozen=True, kw_only=True)
class PublishedConfig(NetworkConfig):
    """Configuration of a network, as a checkpoint stores it.

    colors: K, the number of palette entries, 2 to 256.
    width: channels of the finest level, 64 in the paper.
    color_norm: divisor of the contrast of a soft image's palette.
    jitter: standard deviation of the random brightness of a soft image, in units of `std`.
    mean, std: statistics of the training pixels per channel, in [0, 1] units.

    Raises ValueError for a value out of range.
    """

    colors: int
    width: int = 64
    color_norm: float = 4.0
    jitter: float = 1.0
    mean: tuple[float, float, float] = PUBLISHED_MEAN
    std: tuple[float, float, float] = PUBLISHED_STD

    def __post_init__(self) -> None:
        if not 2 <= self.colors <= 256:
            raise ValueError(f"colors must be 2 to 256, not {self.colors}")
        if self.width < 1 or self.color_norm <= 0 or self.jitter < 0:
            raise ValueError("width must be at least 1, color_norm positive and jitter not negative")
        if {len(self.mean), len(self.std)} != {3} or min(self.std) <= 0:
            raise ValueError("mean and std need three values each, and std must be positive")


class PublishedColorCNN(nn.Module):
    """ColorCNN on a U-Net; 13.4 M parameters at width 64.

        x (B, 3, H, W) -> normalize -> U-Net -> 1x1, ReLU, 1x1 -> softmax -> m (B, K, H, W)
                                                                  |-> soft: t = weighted means of x       (equation 1)
                                                                  |         x' = sum over k of m_k t_k    (equation 2)
                                                                  '-> hard: M = arg max m, t = means of x over M

    Images are float32 in [0, 1], of any height and width.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, config: PublishedConfig) -> None:
        super().__init__()
        self.config = config
        self.unet = UNet(width=config.width)
        self.head = nn.Sequential(
            nn.Conv2d(config.width, 4 * config.width, 1),
            nn.ReLU(inplace=True),
            nn.Conv2d(4 * config.width, config.colors, 1, bias=False),
        )
        self.register_buffer("mean", torch.tensor(config.mean), persistent=False)
        self.register_buffer("std", torch.tensor(config.std), persistent=False)

    def soft(self, images: Tensor, generator: torch.Generator | None = None) -> SoftResult:
        """Quantize for training: each pixel is a mixture of all palette entries (equations 1 and 2).

        The palette is that of equation 1, with its contrast divided by `color_norm` and its brightness shifted.

        Args:
            images: (B, 3, H, W) float32 in [0, 1].
            generator: source of the brightness shift, one number for the whole batch; None means no shift.
        """
        probabilities = self.index_logits(images).float().softmax(dim=1)
        palette = self._color_norm_and_jitter(soft_palette(images, probabilities), generator)
        return SoftResult(render_soft(palette, probabilities), palette, probabilities)

    def hard(self, images: Tensor) -> HardResult:
        """Quantize for use: each pixel has one index, each palette entry is the mean of its pixels.

        Args:
            images: (B, 3, H, W) float32 in [0, 1].
        """
        with torch.no_grad():
            indices = self.index_logits(images).argmax(dim=1)
            return HardResult(indices, *hard_palette(images, indices, self.config.colors))

    def index_logits(self, images: Tensor) -> Tensor:
        """Compute the logits of m: (B, 3, H, W) float32 in [0, 1] -> (B, K, H, W)."""
        height, width = images.shape[-2:]
        missing = (0, max(0, _SHORTEST_SIDE - width), 0, max(0, _SHORTEST_SIDE - height))
        normalized = (images - _as_planes(self.mean)) / _as_planes(self.std)
        padded = functional.pad(normalized, missing, mode="replicate")  # for the convolutions, not the palette
        return cast(Tensor, self.head(self.unet(padded)))[..., :height, :width]

    def _color_norm_and_jitter(self, palette: Tensor, generator: torch.Generator | None) -> Tensor:
        """Divide the contrast around the mean and shift the brightness.

        The paper applies both in normalized units, t / color_norm + jitter * N(0, 1); this is the same in [0, 1]
        units. Both keep the network from storing information in soft images that an arg max image cannot hold.
        """
        flat = self.mean + (palette - self.mean) / self.config.color_norm
        if generator is None:
            return flat
        brightness = torch.randn((), generator=generator, device=generator.device).to(palette.device)
        return flat + self.config.jitter * brightness * self.std


class UNet(nn.Module):
    """U-Net (Ronneberger, Fischer and Brox, MICCAI 2015) with batch norm, padding and bilinear upsampling.

        width   w ----------------------------------> (w + w) -> w
                 '-> 2w ----------------------> (2w + 2w) -> w
                      '-> 4w ------------> (4w + 4w) -> 2w
                           '-> 8w --> (8w + 8w) -> 4w
                                '-> 8w

    Levels are joined by 2x2 max-pools on the way down and by bilinear interpolation on the way up. Both sides of an
    input must be 16 pixels or more.
    """

    def __init__(self, *, width: int) -> None:
        super().__init__()
        down = (width, 2 * width, 4 * width, 8 * width, 8 * width)
        up = (8 * width, 4 * width, 2 * width, width, width)
        skips = down[-2::-1]
        self.enter = _double_conv(3, width)
        self.down = nn.ModuleList(_double_conv(fine, coarse) for fine, coarse in pairwise(down))
        self.up = nn.ModuleList(
            _double_conv(skip + coarse, fine) for skip, (coarse, fine) in zip(skips, pairwise(up), strict=True)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Compute features: (B, 3, H, W) normalized -> (B, width, H, W)."""
        levels = [self.enter(x)]
        for stage in self.down:
            levels.append(stage(functional.max_pool2d(levels[-1], 2)))
        x = levels.pop()
        for stage in self.up:
            skip = levels.pop()
            x = stage(torch.cat([skip, _upsample(x, skip)], dim=1))
        return x


def _double_conv(inputs: int, outputs: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for channels in (inputs, outputs):
        layers += [nn.Conv2d(channels, outputs, 3, padding=1), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers)


def _upsample(x: Tensor, like: Tensor) -> Tensor:
    """Double the height and width, then pad with zeros to the size of `like`, which is one larger where it is odd."""
    x = functional.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True)
    rows, columns = like.shape[-2] - x.shape[-2], like.shape[-1] - x.shape[-1]
    return functional.pad(x, (columns // 2, columns - columns // 2, rows // 2, rows - rows // 2))


def _as_planes(channels: Tensor) -> Tensor:
    return channels.view(1, -1, 1, 1)
