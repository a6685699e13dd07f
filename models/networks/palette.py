"""Equations 1 and 2 of ColorCNN (Hou, Zheng and Gould, CVPR 2020), and the palette of a hard index map.

Pure functions shared by every quantizing network. Shapes: B images, K palette entries, C channels (three: R, G, B).
"""

from typing import NamedTuple, cast

import torch
from torch import Tensor

_SMALLEST_MASS = 1e-8  # pixels; an entry that no pixel asks for gets the color 0 instead of 0 / 0


class SoftResult(NamedTuple):
    """What training sees; everything is differentiable."""

    images: Tensor  # (B, 3, H, W) float32, equation 2; not clamped to [0, 1]
    palette: Tensor  # (B, K, 3) float32, what the images are painted with
    probabilities: Tensor  # (B, K, H, W) float32, m of the paper; sums to 1 over K


class HardResult(NamedTuple):
    """What a user gets."""

    indices: Tensor  # (B, H, W) int64 in [0, K)
    palette: Tensor  # (B, K, 3) float32 in [0, 1], the plain mean of the pixels of each index; 0 where there are none
    counts: Tensor  # (B, K) int64, pixels of each index


class HardPalette(NamedTuple):
    """The palette of a hard index map."""

    palette: Tensor  # (B, K, C) float32, the range of the images; 0 where the count is 0
    counts: Tensor  # (B, K) int64, pixels of each entry; a row sums to H * W


def soft_palette(images: Tensor, probabilities: Tensor) -> Tensor:
    """Equation 1: every palette entry is the mean of the pixels, weighted by the probability of that entry.

    Args:
        images: (B, C, H, W) floating point, any range.
        probabilities: (B, K, H, W) floating point, m of the paper: at each pixel >= 0 and summing to 1 over K.

    Returns:
        (B, K, C) float32, inside the range of the images. Computed in float32 under autocast too: a sum over a whole
        image does not survive 8 bits of mantissa.
    """
    _check_same_pixels(images, probabilities)
    with torch.autocast(images.device.type, enabled=False):
        pixels, weights = images.float(), probabilities.float()
        sums = torch.einsum("bkhw,bchw->bkc", weights, pixels)
        mass = weights.sum(dim=(2, 3)).clamp_min(_SMALLEST_MASS)
        return sums / mass.unsqueeze(-1)


def paint(palette: Tensor, probabilities: Tensor) -> Tensor:
    """Equation 2: every pixel is the sum of the palette entries, weighted by their probability at that pixel.

    Args:
        palette: (B, K, C) floating point.
        probabilities: (B, K, H, W) floating point, summing to 1 over K; a one-hot map paints the hard image.

    Returns:
        (B, C, H, W) float32.
    """
    if palette.shape[:2] != probabilities.shape[:2]:
        raise ValueError(f"palette {tuple(palette.shape)} and map {tuple(probabilities.shape)} differ in B or K")
    with torch.autocast(palette.device.type, enabled=False):
        return torch.einsum("bkc,bkhw->bchw", palette.float(), probabilities.float())


def hard_palette(images: Tensor, indices: Tensor, colors: int) -> HardPalette:
    """The plain mean of the pixels of each index, without a one-hot map of the size of B x K x H x W.

    Sums are float64: float32 stops counting at 2^24 pixels, and the order in which a GPU adds must not show in the
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
    """What a user gets: every pixel is the palette entry of its index, rounded to 8 bits.

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
