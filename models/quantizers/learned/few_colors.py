"""Images with slightly more colors than requested: the closest colors merge, and everything else stays as it is.

An image of at most K colors is returned exactly. One more color must not change every pixel, so an image of up to 2 K
colors is reduced by merges where the result is so close to the image that a classifier has nothing to lose.
"""

import numpy as np
from numpy.typing import NDArray

from models.palette_image import PaletteImage
from models.quantizers.base import bands
from models.rgb import Pixels, pack, unpack

_MOST_SQUARED_ERROR = 65.0  # mean over all samples: 30 dB, where the merges are hard to see
_SAMPLE = 4096  # pixels of the sample that rejects most photos early


def count_colors(images: Pixels) -> NDArray[np.int64]:
    """Count the distinct colors of each of many small images: (B, H, W, 3) uint8 -> (B,)."""
    ordered = np.sort(pack(images).reshape(len(images), -1), axis=1)
    counts: NDArray[np.int64] = 1 + np.count_nonzero(np.diff(ordered, axis=1), axis=1)
    return counts


def merge_closest(pixels: Pixels, colors: int) -> PaletteImage | None:
    """Return an image of more than `colors` and at most twice as many colors with its closest colors merged.

    Each merge joins the two colors that add the least squared error (Joe Ward, "Hierarchical Grouping to Optimize an
    Objective Function", 1963). A merged color is the mean of its pixels. Return None for an image with more colors, and
    where the merges change it more than slightly.

    Args:
        pixels: (H, W, 3) uint8 sRGB.
        colors: 2 to 256.
    """
    flat = pixels.reshape(-1, 3)
    if len(np.unique(pack(flat[:: -(-len(flat) // _SAMPLE)]))) > 2 * colors:
        return None
    counts = np.zeros(1 << 24, dtype=np.int32)
    for band in bands(pixels):
        packed, pixels_of = np.unique(pack(band), return_counts=True)
        counts[packed] += pixels_of
    distinct = np.flatnonzero(counts)
    if not colors < len(distinct) <= 2 * colors:
        return None
    most_error = _MOST_SQUARED_ERROR * flat.size
    reduced = _merge(unpack(distinct).astype(np.float64), counts[distinct].astype(np.float64), colors, most_error)
    if reduced is None:
        return None
    target, means = reduced
    left, ranks = np.unique(target, return_inverse=True)
    counts[distinct] = ranks  # the table now holds the index of each color
    indices = np.concatenate([counts[pack(band)].astype(np.uint8) for band in bands(pixels)])
    return PaletteImage(indices.reshape(pixels.shape[:2]), np.rint(means[left]).astype(np.uint8)).compact()


def _merge(
    means: NDArray[np.float64], counts: NDArray[np.float64], colors: int, most_error: float
) -> tuple[NDArray[np.int64], NDArray[np.float64]] | None:
    """Merge N colors (N, 3) with numbers of pixels (N,) until `colors` are left.

    Returns:
        The color that each one is merged into, (N,), and the means of these, (N, 3); None as soon as the squared error
        of all pixels exceeds `most_error`. Cost: about O(N^2).
    """
    target, error = np.arange(len(means)), 0.0
    costs = _costs(means[:, np.newaxis], counts[:, np.newaxis], means, counts)
    np.fill_diagonal(costs, np.inf)
    nearest, cheapest = costs.argmin(1), costs.min(1)
    for _ in range(len(means) - colors):
        kept = int(cheapest.argmin())
        merged = int(nearest[kept])
        error += float(cheapest[kept])
        if error > most_error:
            return None
        means[kept] = np.average(means[[kept, merged]], axis=0, weights=counts[[kept, merged]])
        counts[kept] += counts[merged]
        target[target == merged] = kept
        costs[merged] = costs[:, merged] = np.inf
        cheapest[merged] = np.inf
        others = np.isfinite(costs[kept])
        costs[kept, others] = costs[others, kept] = _costs(means[kept], counts[kept], means[others], counts[others])
        stale = np.flatnonzero(np.isfinite(cheapest) & ((nearest == kept) | (nearest == merged)))
        stale = np.union1d(stale, [kept])
        nearest[stale], cheapest[stale] = costs[stale].argmin(1), costs[stale].min(1)
        closer = others & (costs[kept] < cheapest)
        nearest[closer], cheapest[closer] = kept, costs[kept, closer]
    return target, means


def _costs(
    mean: NDArray[np.float64], count: NDArray[np.float64], others: NDArray[np.float64], counts: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the growth of the squared error when colors merge: (..., 3), (...), (N, 3), (N,) -> (..., N)."""
    costs: NDArray[np.float64] = count * counts / (count + counts) * np.square(mean - others).sum(-1)
    return costs
