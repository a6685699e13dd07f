"""K-means, in sRGB or in OKLab."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans as Lloyd
from threadpoolctl import ThreadpoolController

from models.palette_image import PaletteImage
from models.quantizers.base import bands, checked_exact
from models.quantizers.classical import oklab
from models.rgb import pack

_SAMPLE = 10_000  # pixels that the clusters are found in
_SEED = 0

# Found once, after scikit-learn has loaded its OpenMP: looking for it takes longer than a small image.
_THREAD_POOLS = ThreadpoolController()


@dataclass(frozen=True)
class KMeans:
    """K-means: Stuart Lloyd, "Least Squares Quantization in PCM", IEEE Transactions on Information Theory 28(2), 1982.

    From the seeds of k-means++ (David Arthur and Sergei Vassilvitskii, SODA 2007), pixels go to the nearest center and
    centers to the mean of their pixels, until they stay. scikit-learn's, once, with a fixed seed, on 10,000 pixels of
    the image if it has more; then all pixels go to the nearest center, and an entry is the mean of its pixels.

    space: where distances and means are taken, "srgb", which is best by the squared error that is measured, or "oklab",
    which is meant to look better.

    Cost: O(K s) for each round on s sampled pixels, a few dozen of them, and O(K n) to paint n pixels.
    """

    space: Literal["srgb", "oklab"]

    @property
    def name(self) -> str:
        """See `Quantizer.name`."""
        return "kmeans" if self.space == "srgb" else f"kmeans_{self.space}"

    def quantize(self, pixels: NDArray[np.uint8], colors: int) -> PaletteImage:
        """See `Quantizer.quantize`."""
        unchanged = checked_exact(pixels, colors)
        if unchanged is not None:
            return unchanged
        # More threads would win little here, and they would be taken from the requests beside this one.
        with _THREAD_POOLS.limit(limits=1, user_api="openmp"):
            return self._painted(pixels, self._fitted(pixels, colors))

    def _fitted(self, pixels: NDArray[np.uint8], colors: int) -> Lloyd:
        sample = _sample(pixels.reshape(-1, 3))
        distinct = len(np.unique(pack(sample)))
        clusters = min(colors, distinct)  # scikit-learn warns of clusters that it cannot fill
        return Lloyd(clusters, n_init=1, random_state=_SEED).fit(self._coordinates(sample))

    def _painted(self, pixels: NDArray[np.uint8], fitted: Lloyd) -> PaletteImage:
        indices = np.empty(pixels.shape[:2], np.uint8)
        sums = np.zeros((fitted.n_clusters, 4))  # three coordinates and the number of pixels
        for band, part in zip(bands(pixels), bands(indices), strict=True):
            coordinates = self._coordinates(band)
            part[:] = fitted.predict(coordinates)
            planes = [*coordinates.T, np.ones(len(band))]
            sums += np.stack([np.bincount(part, plane, fitted.n_clusters) for plane in planes], 1)
        means = sums[:, :3] / np.maximum(sums[:, 3:], 1)
        return PaletteImage(indices, self._colors(means)).compact()

    def _coordinates(self, colors: NDArray[np.uint8]) -> NDArray[np.float64]:
        """(N, 3) uint8 sRGB -> (N, 3) float64 in the space; neighboring dark colors need the precision."""
        return colors.astype(np.float64) if self.space == "srgb" else oklab.from_srgb(colors)

    def _colors(self, coordinates: NDArray[np.float64]) -> NDArray[np.uint8]:
        return np.rint(coordinates).astype(np.uint8) if self.space == "srgb" else oklab.to_srgb(coordinates)


def _sample(colors: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Random rather than regular, which patterns of the image could fall in step with."""
    if len(colors) <= _SAMPLE:
        return colors
    return colors[np.random.default_rng(_SEED).integers(len(colors), size=_SAMPLE)]
