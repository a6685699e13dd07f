"""Equations 1 and 2 of ColorCNN (Hou, Zheng and Gould, CVPR 2020), and the palette of a hard index map.

Every quantizing network shares these pure functions. Shapes: B images, K palette entries, C channels (three: R, G, B).
"""

from typing import NamedTuple, cast

import torch
from torch import Tensor
from torch.nn import functional as F

_SMALLEST_MASS = 1e-8  # pixels; an entry without any probability gets the color 0 instead of 0 / 0


class SoftResult(NamedTuple):
    """Output of a network in training; every tensor is differentiable."""

    images: Tensor  # (B, 3, H, W) float32, equation 2; not clamped to [0, 1]
    palette: Tensor  # (B, K, 3) float32, colors of the images
    probabilities: Tensor  # (B, K, H, W) float32, m of the paper; sums to 1 over K


class HardResult(NamedTuple):
    """Output of a network in use."""

    indices: Tensor  # (B, H, W) int64 in [0, K)
    palette: Tensor  # (B, K, 3) float32 in [0, 1], mean of the pixels of each index; 0 where the count is 0
    counts: Tensor  # (B, K) int64, pixels of each index


class HardPalette(NamedTuple):
    """Palette of a hard index map."""

    palette: Tensor  # (B, K, C) float32, inside the range of the images; 0 where the count is 0
    counts: Tensor  # (B, K) int64, pixels of each entry; a row sums to H * W


def soft_palette(images: Tensor, probabilities: Tensor) -> Tensor:
    """Compute equation 1: each palette entry is the mean of the pixels, weighted by the probability of that entry.

    Args:
        images: (B, C, H, W) floating point, any range.
        probabilities: (B, K, H, W) floating point, m of the paper: >= 0, summing to 1 over K at each pixel.

    Returns:
        (B, K, C) float32, inside the range of the images.

    Autocast does not apply: a sum over a whole image needs more than the 8 bits of bfloat16's mantissa.
    """
    _check_same_pixels(images, probabilities)
    with torch.autocast(images.device.type, enabled=False):
        pixels, weights = images.float(), probabilities.float()
        sums = torch.einsum("bkhw,bchw->bkc", weights, pixels)
        mass = weights.sum(dim=(2, 3)).clamp_min(_SMALLEST_MASS)
        return sums / mass.unsqueeze(-1)


def render_soft(palette: Tensor, probabilities: Tensor) -> Tensor:
    """Compute equation 2: each pixel is the sum of the palette entries, weighted by their probability at that pixel.

    Args:
        palette: (B, K, C) floating point.
        probabilities: (B, K, H, W) floating point, summing to 1 over K; a one-hot map renders the hard image.

    Returns:
        (B, C, H, W) float32.
    """
    if palette.shape[:2] != probabilities.shape[:2]:
        raise ValueError(f"palette {tuple(palette.shape)} and map {tuple(probabilities.shape)} differ in B or K")
    with torch.autocast(palette.device.type, enabled=False):
        return torch.einsum("bkc,bkhw->bchw", palette.float(), probabilities.float())


def hard_palette(images: Tensor, indices: Tensor, colors: int) -> HardPalette:
    """Compute the mean of the pixels of each index, without a one-hot map of B x K x H x W values.

    Sums are float64: float32 stops counting at 2^24 pixels, and the order in which a GPU adds must not change the
    8-bit palette.

    Args:
        images: (B, C, H, W) floating point.
        indices: (B, H, W) of any integer type, each in [0, colors).
        colors: K.
    """
    _check_same_pixels(images, indices.unsqueeze(1))
    sums = index_sums(images.flatten(2).double(), indices.flatten(1), colors)
    counts = sums[..., -1:]
    return HardPalette((sums[..., :-1] / counts.clamp_min(1)).float(), counts.squeeze(2).long())


def index_sums(planes: Tensor, indices: Tensor, colors: int) -> Tensor:
    """Sum the pixels of each index, and count them.

    Args:
        planes: (B, C, N) float64; C may be 0.
        indices: (B, N) of any integer type, each in [0, colors).
        colors: K.

    Returns:
        (B, K, C + 1) float64, the sums of the channels and the number of pixels.
    """
    bins, count = _bins(indices, colors).flatten(), len(indices) * colors
    if planes.device.type == "cpu":  # where torch.bincount takes a quarter of the time of scatter_add_
        channels = [torch.bincount(bins, plane.flatten(), count) for plane in planes.unbind(1)]
        return torch.stack([*channels, torch.bincount(bins, minlength=count).double()], 1).view(
            -1, colors, len(channels) + 1
        )
    counted = F.pad(planes, (0, 0, 0, 1), value=1.0).mT.flatten(0, 1)
    sums = counted.new_zeros(count, counted.shape[1]).index_add_(0, bins, counted)
    return sums.view(-1, colors, counted.shape[1])


def entries_at(palette: Tensor, indices: Tensor) -> Tensor:
    """Return the palette entry of each index: (B, K, C), (B, N) of any integer type in [0, K) -> (B, N, C)."""
    entries = palette.flatten(0, 1).index_select(0, _bins(indices, palette.shape[1]).flatten())
    return entries.view(*indices.shape, palette.shape[2])


def render_hard(palette: Tensor, indices: Tensor) -> Tensor:
    """Render an index map: each pixel is the palette entry of its index, rounded to 8 bits.

    Args:
        palette: (B, K, 3) float32 in [0, 1].
        indices: (B, H, W) of any integer type, each in [0, K).

    Returns:
        (B, 3, H, W) float32, multiples of 1 / 255.
    """
    rounded = palette.mul(255).round().div(255)
    return cast(Tensor, entries_at(rounded, indices.flatten(1)).mT.unflatten(2, indices.shape[1:]))


def _bins(indices: Tensor, colors: int) -> Tensor:
    """Number the entries of all palettes of a batch: (B, N) in [0, colors) -> (B, N) int64 in [0, B * colors)."""
    return indices + colors * torch.arange(len(indices), device=indices.device).unsqueeze(1)


def _check_same_pixels(images: Tensor, planes: Tensor) -> None:
    if images.shape[0] != planes.shape[0] or images.shape[2:] != planes.shape[2:]:
        raise ValueError(f"images {tuple(images.shape)} and map {tuple(planes.shape)} differ in B, H or W")
