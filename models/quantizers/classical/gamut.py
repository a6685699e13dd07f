"""The gamut of a palette: the colors that mixtures of its entries, as error diffusion makes them, can reach."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from models.quantizers.base import bands
from models.rgb import Pixels

_PART = 1 << 13  # pixels at a time, whose values stay in the cache of a core
_FLAT = 0.5  # levels; entries that lie closer to a line or a plane count as lying in it


@dataclass(frozen=True, eq=False)
class Gamut:
    """The smallest box around a palette whose sides are the principal axes of the palette.

    For one or two entries, the box is their convex hull, a point or a line; for three it lies in their plane.

    center: (3,) float32, mean of the entries. axes: (R, 3) float32, orthonormal, R from 0 to 3. low, high: (R,)
    float32, ends of the box along each axis, from the center.
    """

    center: NDArray[np.float32]
    axes: NDArray[np.float32]
    low: NDArray[np.float32]
    high: NDArray[np.float32]

    @classmethod
    def of(cls, palette: NDArray[np.uint8]) -> Self:
        """Return the gamut of (K, 3) uint8 entries in sRGB."""
        center = palette.mean(0, dtype=np.float32)
        offsets = palette - center
        _, _, directions = np.linalg.svd(offsets, full_matrices=True)
        places = offsets @ directions.T
        spread = np.ptp(places, axis=0) > _FLAT
        places = places[:, spread]
        return cls(center, directions[spread], places.min(0), places.max(0))

    def nearest(self, pixels: Pixels) -> Pixels:
        """Return the nearest color of the gamut for each pixel: (H, W, 3) uint8 sRGB -> the same."""
        result = np.empty((pixels.shape[0] * pixels.shape[1], 3), np.uint8)
        center, low, high = (values[:, np.newaxis] for values in (self.center, self.low, self.high))
        done = 0
        for band in bands(pixels):
            for start in range(0, len(band), _PART):
                # Color by color: NumPy multiplies a few long rows faster than many short ones.
                offsets = band[start : start + _PART].T - center
                places = self.axes @ offsets
                colors = self.axes.T @ places.clip(low, high, out=places)
                colors += center
                result[done : done + colors.shape[1]] = np.rint(colors, out=colors).clip(0, 255, out=colors).T
                done += colors.shape[1]
        return result.reshape(pixels.shape)
