"""Color centers: a short, deterministic k-means (Lloyd, 1982) on a batch of pixel sets, on any device."""

from collections.abc import Iterable
from typing import NamedTuple, Self

import torch
from torch import Tensor
from torch.nn import functional as F

from models.networks.arg_max import arg_max_affine
from models.networks.palette import entries_at, index_sums

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
        pixels = pixels.float().mT.contiguous().mT  # one plane of memory for each channel
        # float64: the order in which a GPU adds must not change the centers.
        planes = pixels.mT.double()
        centers = _along_principal_axis(pixels, planes, colors)
        for _ in range(rounds):
            centers = _means(index_sums(planes, _nearest(pixels, centers), colors), centers)
        order = (centers @ centers.new_tensor(_LUMA)).argsort(dim=1, stable=True)
        centers = centers.gather(1, order.unsqueeze(2).expand_as(centers))
        nearest = _nearest(pixels, centers)
        shares = index_sums(planes[:, :0], nearest, colors)[..., 0].float() / pixels.shape[1]
        residuals = pixels - entries_at(centers, nearest)
        spread = residuals.square().sum(2).mean(1).clamp_min(_SMALLEST_SPREAD)
        return Centers(centers, shares, spread)


def _along_principal_axis(pixels: Tensor, planes: Tensor, colors: int) -> Tensor:
    """Return the mean color of each of K groups of equal count along the principal color axis, (B, K, 3) float32.

    pixels: (B, N, 3) float32. planes: (B, 3, N) float64, the same values.
    """
    centered = pixels - pixels.mean(1, keepdim=True)
    # The eigenvector's sign is arbitrary, but either sign gives the same groups, in opposite order.
    axis = torch.linalg.eigh(centered.transpose(1, 2) @ centered).eigenvectors[:, :, -1:]
    ranks = _ranks((centered @ axis).squeeze(2))
    ordered = planes.gather(2, ranks.unsqueeze(1).expand_as(planes))
    count = pixels.shape[1]
    edges = torch.arange(colors + 1, device=pixels.device) * count // colors
    sums = F.pad(ordered.cumsum(2), (1, 0))[:, :, edges].diff(dim=2)
    sizes = edges.diff()
    # With fewer pixels than centers some groups are empty: each takes the pixel at its edge.
    means = torch.where(sizes > 0, sums / sizes.clamp_min(1), ordered[:, :, edges[:-1].clamp_max(count - 1)])
    return means.mT.float()


def _nearest(pixels: Tensor, centers: Tensor) -> Tensor:
    """Return the index of the center nearest to each pixel: (B, N, 3), (B, K, 3) -> (B, N) uint8."""
    # |x - c|^2 = |x|^2 - 2 (x.c - |c|^2 / 2), and |x|^2, the same for every c, does not move the minimum.
    return arg_max_affine(pixels, centers, centers.square().sum(2, keepdim=True) / -2)


def _ranks(values: Tensor) -> Tensor:
    """Return the numbers of each row's values in rising order, (B, N) int64."""
    if values.device.type != "cpu":
        return values.argsort(dim=1, stable=True)
    return torch.from_numpy(values.numpy().argsort(axis=1))  # NumPy sorts with vector instructions


def _means(sums: Tensor, centers: Tensor) -> Tensor:
    """Return the means of `sums`, (B, K, 3) float32; a center without pixels keeps its color."""
    counts = sums[..., 3:]
    return torch.where(counts > 0, (sums[..., :3] / counts.clamp_min(1)).float(), centers)
