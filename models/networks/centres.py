"""Colour centres: a short, deterministic k-means (Lloyd 1982) on a batch of pixel sets, on whatever device they are."""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

_LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601
ROUNDS = 8
"""Of Lloyd's algorithm, unless asked otherwise."""
_SMALLEST_SPREAD = 1e-6  # squared distance in [0, 1] units: a tenth of an 8-bit step, so that flat images divide safely


class Centres(NamedTuple):
    """K colours that stand for each image's pixels, darkest first."""

    colors: Tensor  # (B, K, 3) float32, inside the range of the pixels
    shares: Tensor  # (B, K) float32, the fraction of the pixels nearest to each; a row sums to 1
    spread: Tensor  # (B,) float32, mean squared distance of a pixel to its nearest centre


@torch.no_grad()
def kmeans_centres(pixels: Tensor, colors: int, rounds: int = ROUNDS) -> Centres:
    """K-means on each image's pixels from equal-count groups along the principal colour axis; no randomness.

    An entry that no pixel is nearest to keeps its colour, so there are always `colors` of them, not always distinct.

    Args:
        pixels: (B, N, 3) float32 in [0, 1]; a sample of the image is enough.
        colors: K >= 1.
        rounds: of Lloyd's algorithm; 0 leaves the groups as they are.
    """
    with torch.autocast(pixels.device.type, enabled=False):
        pixels = pixels.float()
        centres = _along_principal_axis(pixels, colors)
        for _ in range(rounds):
            nearest = _squared_distances(pixels, centres).argmin(2)
            centres = _means(pixels, nearest, centres)
        order = (centres @ centres.new_tensor(_LUMA)).argsort(dim=1, stable=True)
        centres = centres.gather(1, order.unsqueeze(2).expand_as(centres))
        smallest, nearest = _squared_distances(pixels, centres).min(2)
        shares = torch.zeros_like(centres[..., 0]).scatter_add_(1, nearest, torch.ones_like(smallest))
        return Centres(centres, shares / pixels.shape[1], smallest.mean(1).clamp_min(_SMALLEST_SPREAD))


def _along_principal_axis(pixels: Tensor, colors: int) -> Tensor:
    centred = pixels - pixels.mean(1, keepdim=True)
    # The eigenvector's sign is arbitrary, but the groups are the same from either end up to their order.
    axis = torch.linalg.eigh(centred.transpose(1, 2) @ centred).eigenvectors[:, :, -1:]
    ranks = (centred @ axis).squeeze(2).argsort(dim=1, stable=True)
    ordered = pixels.gather(1, ranks.unsqueeze(2).expand_as(pixels)).double()
    count = pixels.shape[1]
    edges = torch.arange(colors + 1, device=pixels.device) * count // colors
    sums = F.pad(ordered.cumsum(1), (0, 0, 1, 0))[:, edges].diff(dim=1)
    sizes = edges.diff().view(1, -1, 1)
    # With fewer pixels than centres some groups are empty: they take the pixel at their edge.
    means = torch.where(sizes > 0, sums / sizes.clamp_min(1), ordered[:, edges[:-1].clamp_max(count - 1)])
    return means.float()


def _squared_distances(pixels: Tensor, centres: Tensor) -> Tensor:
    """(B, N, 3), (B, K, 3) -> (B, N, K)."""
    # Expanded, so that the large array is written once by a matrix product; 8 x 8 bits fit float32's mantissa.
    cross = torch.baddbmm(centres.square().sum(2).unsqueeze(1), pixels, centres.transpose(1, 2), alpha=-2)
    return (cross + pixels.square().sum(2, keepdim=True)).clamp_min_(0)


def _means(pixels: Tensor, nearest: Tensor, centres: Tensor) -> Tensor:
    # float64: the order in which a GPU adds must not show in the centres.
    index = nearest.unsqueeze(2).expand_as(pixels)
    sums = torch.zeros_like(centres, dtype=torch.float64).scatter_add_(1, index, pixels.double())
    counts = torch.zeros_like(centres[..., 0]).scatter_add_(1, nearest, torch.ones_like(pixels[..., 0])).unsqueeze(2)
    return torch.where(counts > 0, (sums / counts.clamp_min(1)).float(), centres)
