"""A small vision transformer (Dosovitskiy et al., ICLR 2021) as stages of a classifier, for images of 32 to 64 pixels.

Two changes let it learn from 50,000 images. Three convolutions make the tokens (Xiao et al., "Early convolutions help
transformers see better", NeurIPS 2021). A depthwise convolution tells their positions (Chu et al., "Conditional
positional encodings for vision transformers", ICLR 2023), which also accepts images of any size.
"""

import math
from typing import cast

from torch import Tensor, nn

_BLOCKS = 6
_HEAD = 32  # channels of an attention head
STRIDE = 4
"""Pixels that a token spans in each direction."""


def transformer_stages(width: int) -> list[nn.Module]:
    """Build the stages: tokens and six blocks of `width` channels, and a last layer norm.

    width: a multiple of 32. Each stage maps to (B, width, H / 4, W / 4) float32. Raises ValueError for another width.
    """
    if width % _HEAD:
        raise ValueError(f"width must be a multiple of {_HEAD}, not {width}")
    blocks = [_Block(width) for _ in range(_BLOCKS)]
    return [
        _tokens(width),
        nn.Sequential(_Position(width), *blocks[: _BLOCKS // 2]),
        nn.Sequential(*blocks[_BLOCKS // 2 :], _ChannelNorm(width)),
    ]


def _tokens(width: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for inputs, outputs, stride in ((3, width // 4, 1), (width // 4, width // 2, 2), (width // 2, width, 2)):
        layers += [
            nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(),
        ]
    return nn.Sequential(*layers)


class _Position(nn.Module):
    """Add a depthwise 3x3 convolution; its zero padding tells each token where it is."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(width, width, 3, padding=1, groups=width)

    def forward(self, x: Tensor) -> Tensor:
        return cast(Tensor, x + self.conv(x))


class _ChannelNorm(nn.Module):
    """Layer norm over the channels of (B, C, H, W)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)

    def forward(self, x: Tensor) -> Tensor:
        return cast(Tensor, self.norm(x.permute(0, 2, 3, 1))).permute(0, 3, 1, 2)


class _Block(nn.Module):
    """Pre-norm block: attention among all tokens, then a perceptron of four times the width for each token."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.heads = width // _HEAD
        self.norms = nn.ModuleList([nn.LayerNorm(width), nn.LayerNorm(width)])
        self.inputs = nn.Linear(width, 3 * width)
        self.output = nn.Linear(width, width)
        self.perceptron = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, x: Tensor) -> Tensor:
        b, c, h, w = x.shape
        tokens = x.flatten(2).mT
        tokens = tokens + self._attention(self.norms[0](tokens))
        tokens = tokens + self.perceptron(self.norms[1](tokens))
        return cast(Tensor, tokens.mT.reshape(b, c, h, w))

    def _attention(self, tokens: Tensor) -> Tensor:
        b, n, c = tokens.shape
        query, key, value = self.inputs(tokens).view(b, n, 3, self.heads, _HEAD).permute(2, 0, 3, 1, 4)
        # torch's fused attention is slower here: its backward pass on a CPU takes longer than the rest of the network.
        mixed = (query @ key.mT / math.sqrt(_HEAD)).softmax(-1).to(value.dtype) @ value
        return cast(Tensor, self.output(mixed.transpose(1, 2).reshape(b, n, c)))
