"""Loss terms of the quantizers that torch does not provide."""

import math

import torch
from torch import Tensor


def regularizer(probabilities: Tensor) -> Tensor:
    """Return R = log2 C (1 - mean over images and colors of the maximum over pixels of m), from the ColorCNN paper.

    R is small if each color has a pixel of high probability, so that arg max loses no color. Without R, a soft map may
    spread every pixel over all colors. Such a map has a low loss in training, but arg max then merges the colors.

    Args:
        probabilities: (B, C, H, W) float, m of the paper: at each pixel >= 0 and summing to 1 over the C colors.

    Returns:
        () float, from 0 (each color has a certain pixel) to below log2 C, in bits.
    """
    surest = probabilities.flatten(2).amax(dim=2)
    return math.log2(probabilities.shape[1]) * (1 - surest.mean())


def disagreement(probabilities: Tensor) -> Tensor:
    """Return the probability that a pixel and its neighbor, right or below, take different indices.

    Such pairs cost most of the bits of a PNG file. The value is the Potts energy of an index map whose pixels are drawn
    independently, divided by the number of pairs.

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
    """Return the mean absolute difference of neighbors, right and below, which costs most of the bits of a BPG file.

    Anisotropic form of Rudin, Osher and Fatemi, "Nonlinear total variation based noise removal algorithms", Physica D
    60, 1992.

    Args:
        images: (B, C, H, W) float, any range.

    Returns:
        () float, in the units of the images.
    """
    return images.diff(dim=2).abs().mean() + images.diff(dim=3).abs().mean()
