"""Loss terms of the quantizers that are not plain torch functions."""

import math

import torch
from torch import Tensor


def regularizer(probabilities: Tensor) -> Tensor:
    """R = log2 C (1 - mean over images and colors of the maximum over pixels of m), from the ColorCNN paper.

    Asks every color to be sure of at least one pixel, so that arg max loses none; without it, soft maps that spread
    every pixel over all colors are cheap in training and collapse in use.

    Args:
        probabilities: (B, C, H, W) float, m of the paper: at each pixel >= 0 and summing to 1 over the C colors.

    Returns:
        () float, from 0 (each color owns a pixel) to below log2 C; in bits.
    """
    surest = probabilities.flatten(2).amax(dim=2)
    return math.log2(probabilities.shape[1]) * (1 - surest.mean())


def disagreement(probabilities: Tensor) -> Tensor:
    """How likely a pixel and its neighbor, right or below, take different indices: what PNG pays most bits for.

    The Potts energy of a random index map whose pixels are drawn independently, over the number of pairs.

    Args:
        probabilities: (B, C, H, W) float, at each pixel >= 0 and summing to 1 over the C colors.

    Returns:
        () float, 0 to 1.
    """
    same = [
        (probabilities[:, :, 1:] * probabilities[:, :, :-1]).sum(1).flatten(),
        (probabilities[:, :, :, 1:] * probabilities[:, :, :, :-1]).sum(1).flatten(),
    ]
    return 1 - torch.cat(same).mean()


def total_variation(images: Tensor) -> Tensor:
    """Mean absolute difference of neighbors, right and below: what the transform of BPG pays most bits for.

    Rudin, Osher and Fatemi, "Nonlinear total variation based noise removal algorithms", Physica D 60, 1992, in its
    anisotropic form.

    Args:
        images: (B, C, H, W) float, any range.

    Returns:
        () float, in the units of the images.
    """
    return images.diff(dim=2).abs().mean() + images.diff(dim=3).abs().mean()
