"""Equations 1 and 2 of ColorCNN (Hou, Zheng and Gould, CVPR 2020), and the palette of a hard index map.

Every quantizing network shares these pure functions. Shapes: B images, K palette entries, C channels (three: R, G, B).
"""

from typing import NamedTuple, cast

import torch
from torch import Tensor

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
    flat = indices.flatten(1).long()
    counts = flat.new_zeros(len(flat), colors).scatter_add_(1, flat, torch.ones_like(flat))
    pixels = images.flatten(2).double()
    sums = pixels.new_zeros(*pixels.shape[:2], colors).scatter_add_(2, flat.unsqueeze(1).expand_as(pixels), pixels)
    means = sums / counts.clamp_min(1).unsqueeze(1)
    return HardPalette(means.transpose(1, 2).float(), counts)


def render_hard(palette: Tensor, indices: Tensor) -> Tensor:
    """Render an index map: each pixel is the palette entry of its index, rounded to 8 bits.

    Args:
        palette: (B, K, 3) float32 in [0, 1].
        indices: (B, H, W) of any integer type, each in [0, K).

    Returns:
        (B, 3, H, W) float32, multiples of 1 / 255.
    """
    rounded = palette.mul(255).round().div(255)
    pixels = rounded.gather(1, indices.flatten(1).long().unsqueeze(2).expand(-1, -1, 3))
    return cast(Tensor, pixels.transpose(1, 2).unflatten(2, indices.shape[1:]))


def _check_same_pixels(images: Tensor, planes: Tensor) -> None:
    if images.shape[0] != planes.shape[0] or images.shape[2:] != planes.shape[2:]:
        raise ValueError(f"images {tuple(images.shape)} and map {tuple(planes.shape)} differ in B, H or W")
