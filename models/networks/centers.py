"""Color centers: a short, deterministic k-means (Lloyd, 1982) on a batch of pixel sets, on any device."""

from collections.abc import Iterable
from typing import NamedTuple, Self

import torch
from torch import Tensor
from torch.nn import functional as F

from models.networks.arg_max import arg_max_affine

_LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601
ROUNDS = 8
"""Default number of iterations of Lloyd's algorithm."""
# Squared distance in [0, 1] units, (a quarter of an 8-bit step)^2: the spread is a divisor, also for a flat image.
_SMALLEST_SPREAD = 1e-6


class Centers(NamedTuple):
    """K colors that represent each image's pixels, darkest first."""

    colors: Tensor  # (B, K, 3) float32, inside the range of the pixels
    shares: Tensor  # (B, K) float32, the fraction of the pixels nearest to each center; a row sums to 1
    spread: Tensor  # (B,) float32, mean squared distance of a pixel to its nearest center

    @classmethod
    def join(cls, parts: Iterable[Self]) -> Self:
        """Return the centers of several batches as those of one."""
        return cls(*map(torch.cat, zip(*parts, strict=True)))


@torch.no_grad()
def kmeans_centers(pixels: Tensor, colors: int, rounds: int = ROUNDS) -> Centers:
    """Run k-means on each image's pixels. It starts from groups of equal count along the principal axis of the colors.

    No step is random. A center to which no pixel is nearest keeps its color. There are always `colors` centers, but
    they may coincide.

    Args:
        pixels: (B, N, 3) float32 in [0, 1]; a sample of the image is enough.
        colors: K >= 1.
        rounds: iterations of Lloyd's algorithm; 0 returns the means of the groups.
    """
    with torch.autocast(pixels.device.type, enabled=False):
        pixels = pixels.float()
        centers = _along_principal_axis(pixels, colors)
        # float64: the order in which a GPU adds must not change the centers.
        counted = F.pad(pixels, (0, 1), value=1.0).double()
        for _ in range(rounds):
            centers = _means(_sums(counted, _nearest(pixels, centers), colors), centers)
        order = (centers @ centers.new_tensor(_LUMA)).argsort(dim=1, stable=True)
        centers = centers.gather(1, order.unsqueeze(2).expand_as(centers))
        nearest = _nearest(pixels, centers)
        shares = _sums(counted, nearest, colors)[..., 3].float() / pixels.shape[1]
        residuals = pixels - centers.gather(1, nearest.unsqueeze(2).expand_as(pixels))
        spread = residuals.square().sum(2).mean(1).clamp_min(_SMALLEST_SPREAD)
        return Centers(centers, shares, spread)


def _along_principal_axis(pixels: Tensor, colors: int) -> Tensor:
    """Return the mean color of each of K groups of equal count along the principal color axis, (B, K, 3) float32."""
    centered = pixels - pixels.mean(1, keepdim=True)
    # The eigenvector's sign is arbitrary, but either sign gives the same groups, in opposite order.
    axis = torch.linalg.eigh(centered.transpose(1, 2) @ centered).eigenvectors[:, :, -1:]
    ranks = (centered @ axis).squeeze(2).argsort(dim=1, stable=True)
    ordered = pixels.gather(1, ranks.unsqueeze(2).expand_as(pixels)).double()
    count = pixels.shape[1]
    edges = torch.arange(colors + 1, device=pixels.device) * count // colors
    sums = F.pad(ordered.cumsum(1), (0, 0, 1, 0))[:, edges].diff(dim=1)
    sizes = edges.diff().view(1, -1, 1)
    # With fewer pixels than centers some groups are empty: each takes the pixel at its edge.
    means = torch.where(sizes > 0, sums / sizes.clamp_min(1), ordered[:, edges[:-1].clamp_max(count - 1)])
    return means.float()


def _nearest(pixels: Tensor, centers: Tensor) -> Tensor:
    """Return the index of the center nearest to each pixel: (B, N, 3), (B, K, 3) -> (B, N) int64."""
    # |x - c|^2 = |x|^2 - 2 (x.c - |c|^2 / 2), and |x|^2, the same for every c, does not move the minimum.
    return arg_max_affine(pixels, centers, centers.square().sum(2, keepdim=True) / -2).long()


def _sums(counted: Tensor, nearest: Tensor, colors: int) -> Tensor:
    """Return the red, green and blue sums and the number of the pixels of each center, (B, K, 4) float64.

    counted: (B, N, 4) float64, red, green, blue and 1. nearest: (B, N) int64.
    """
    sums = counted.new_zeros(len(counted), colors, counted.shape[2])
    return sums.scatter_add_(1, nearest.unsqueeze(2).expand_as(counted), counted)


def _means(sums: Tensor, centers: Tensor) -> Tensor:
    """Return the means of `sums`, (B, K, 3) float32; a center without pixels keeps its color."""
    counts = sums[..., 3:]
    return torch.where(counts > 0, (sums[..., :3] / counts.clamp_min(1)).float(), centers)
