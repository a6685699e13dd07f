"""Ordered dither of alpha between the few alphas that the entries of a palette have."""

import numpy as np
from numpy.typing import NDArray

_EDGE = 48  # levels between the neighbors of a pixel from which on it lies at an edge


def _matrix() -> NDArray[np.float64]:
    """Return thresholds in (0, 1), (8, 8), of B. E. Bayer, "An Optimum Method for Two-Level Rendition", 1973."""
    ranks = np.zeros((1, 1))
    for _ in range(3):
        ranks = np.block([[4 * ranks, 4 * ranks + 2], [4 * ranks + 3, 4 * ranks + 1]])
    return (ranks + 0.5) / ranks.size


_THRESHOLDS = _matrix()


def dithered(alpha: NDArray[np.uint8], steps: NDArray[np.integer], top: int = 0) -> NDArray[np.uint8]:
    """Return alpha whose levels between two steps are one of them, by a pattern, so that its local means stay.

    Where alpha changes fast, at the edge of an object, it stays as it is: dots would fray the edge.

    Args:
        alpha: (H, W) uint8.
        steps: (S,), 0 to 255, increasing. A level below the first or above the last becomes that step.
        top: row of the picture that the first row of `alpha` is, so that bands of a picture fit together.
    """
    height, width = alpha.shape
    rows, columns = (top + np.arange(height)) % 8, np.arange(width) % 8
    above = np.searchsorted(steps, alpha)
    high, low = steps[np.minimum(above, len(steps) - 1)], steps[np.maximum(above - 1, 0)]
    shares = (alpha - low) / np.maximum(high - low, 1)
    chosen = np.where(shares > _THRESHOLDS[np.ix_(rows, columns)], high, low)
    return np.where(_is_smooth(alpha), chosen, alpha).astype(np.uint8)


def _is_smooth(alpha: NDArray[np.uint8]) -> NDArray[np.bool_]:
    around = np.pad(alpha.astype(np.int16), 1, mode="edge")
    across = abs(around[1:-1, 2:] - around[1:-1, :-2])
    down = abs(around[2:, 1:-1] - around[:-2, 1:-1])
    return np.asarray(np.maximum(across, down) <= _EDGE)
