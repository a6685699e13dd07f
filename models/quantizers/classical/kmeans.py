"""K-means, in sRGB or in OKLab."""

from __future__ import annotations

import functools
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

from models.palette_image import PaletteImage
from models.quantizers.base import bands, checked_exact
from models.quantizers.classical import oklab
from models.rgb import Pixels, pack

if TYPE_CHECKING:
    from sklearn.cluster import KMeans as Lloyd

_Number = TypeVar("_Number", bound=np.generic)

_SAMPLE = 10_000  # pixels that the clusters are fitted to
_SEED = 0


@dataclass(frozen=True)
class KMeans:
    """K-means: Stuart Lloyd, "Least Squares Quantization in PCM", IEEE Transactions on Information Theory 28(2), 1982.

    Centers start at the seeds of k-means++ (David Arthur and Sergei Vassilvitskii, SODA 2007). Pixels are then assigned
    to the nearest center and centers move to the mean of their pixels, until nothing changes. The implementation is
    scikit-learn's, with one start, a fixed seed and at most 10,000 pixels of the image. Finally every pixel takes the
    nearest center, and an entry is the mean of its pixels.

    space: color space of distances and means. "srgb" gives the least squared error, "oklab" a better look.

    Cost: O(K s) for each of a few dozen iterations on s sampled pixels, and O(K n) to quantize n pixels.
    """

    space: Literal["srgb", "oklab"]

    @property
    def name(self) -> str:
        """See `Quantizer.name`."""
        return "kmeans" if self.space == "srgb" else f"kmeans_{self.space}"

    def quantize(self, pixels: Pixels, colors: int) -> PaletteImage:
        """See `Quantizer.quantize`."""
        unchanged = checked_exact(pixels, colors)
        if unchanged is not None:
            return unchanged
        with _one_thread():
            return self._assign(pixels, self._fit(pixels, colors))

    def centers(self, pixels: Pixels, colors: int) -> NDArray[np.float64]:
        """Return the centers that a sample of (H, W, 3) uint8 pixels gives, as (K', 3) float64 in the space.

        K' is `colors`, or the number of different colors in the sample where that is smaller.
        """
        with _one_thread():
            return np.asarray(self._fit(pixels, colors).cluster_centers_)

    def _fit(self, pixels: Pixels, colors: int) -> Lloyd:
        sample = random_sample(pixels.reshape(-1, 3))
        distinct = len(np.unique(pack(sample)))
        clusters = min(colors, distinct)  # scikit-learn warns of empty clusters
        return _algorithm()(clusters, n_init=1, random_state=_SEED).fit(self._coordinates(sample))

    def _assign(self, pixels: Pixels, model: Lloyd) -> PaletteImage:
        indices = np.empty(pixels.shape[:2], np.uint8)
        sums = np.zeros((model.n_clusters, 4))  # three coordinates and the number of pixels
        for band, part in zip(bands(pixels), bands(indices), strict=True):
            coordinates = self._coordinates(band)
            part[:] = model.predict(coordinates)
            planes = [*coordinates.T, np.ones(len(band))]
            sums += np.stack([np.bincount(part, plane, model.n_clusters) for plane in planes], 1)
        means = sums[:, :3] / np.maximum(sums[:, 3:], 1)
        return PaletteImage(indices, self._colors(means)).compact()

    def _coordinates(self, colors: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Convert (N, 3) uint8 sRGB to (N, 3) float64 in the space; neighboring dark colors need the precision."""
        return colors.astype(np.float64) if self.space == "srgb" else oklab.from_srgb(colors)

    def _colors(self, coordinates: NDArray[np.float64]) -> NDArray[np.uint8]:
        return np.rint(coordinates).astype(np.uint8) if self.space == "srgb" else oklab.to_srgb(coordinates)


def fit_centers(points: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """Return the centers of k-means on a sample of points, (N, D) -> (K', D); K' is `count` or, if smaller, N.

    Points may be equal; then there may be fewer centers.
    """
    sample = _sampled(points)
    distinct = len(np.unique(sample, axis=0))
    with _one_thread():
        model = _algorithm()(min(count, distinct), n_init=1, random_state=_SEED).fit(sample)
    return np.asarray(model.cluster_centers_)


@functools.cache
def _algorithm() -> type[Lloyd]:
    """Return scikit-learn's k-means, which is imported at the first use: that takes a second of each start."""
    from sklearn.cluster import KMeans

    algorithm: type[Lloyd] = KMeans
    return algorithm


def _one_thread() -> AbstractContextManager[object]:
    """Limit OpenMP to one thread. More threads gain little here and slow down concurrent requests."""
    _algorithm()  # loads OpenMP
    limit: AbstractContextManager[object] = _thread_pools().limit(limits=1, user_api="openmp")
    return limit


@functools.cache
def _thread_pools() -> ThreadpoolController:
    """Return the thread pools of the process; the search for their libraries takes longer than a small image."""
    return ThreadpoolController()


def random_sample(colors: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return at most 10,000 of (N, 3) colors at random: a regular sample could follow a pattern of the image."""
    return _sampled(colors)


def _sampled(rows: NDArray[_Number]) -> NDArray[_Number]:
    if len(rows) <= _SAMPLE:
        return rows
    return rows[np.random.default_rng(_SEED).integers(len(rows), size=_SAMPLE)]
