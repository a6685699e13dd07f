"""Mapping of a picture to a palette inside a descent: with error diffusion, or to the nearest entries."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from models.palette_image import PaletteImage, nearest
from models.quantizers.base import bands
from models.quantizers.classical.halftone import diffuse
from models.rgb import Pixels

_REACH = 0.4  # margin at which a pixel moves 1/e as far as one between two entries, in mean margins of the picture


class Mapping(Protocol):
    """Maps pictures of (H, W, 3) uint8 to one palette."""

    def map(self, pixels: Pixels) -> PaletteImage:
        """Map a picture; the result may have unused or equal entries."""

    def mobility(self, pixels: Pixels) -> NDArray[np.float32] | None:
        """Return how far each pixel should follow its gradient, (H, W) in 0..1; None where all follow it alike."""


@dataclass(frozen=True, eq=False)
class Diffusion:
    """Mapping with error diffusion. palette: (K, 3) uint8."""

    palette: NDArray[np.uint8]

    def map(self, pixels: Pixels) -> PaletteImage:
        """See `Mapping.map`."""
        return diffuse(pixels, self.palette)

    def mobility(self, pixels: Pixels) -> None:
        """Return None: every change of a pixel reaches the result, through its neighbors."""


@dataclass(frozen=True, eq=False)
class NearestEntry:
    """Mapping of each pixel to its nearest entry in sRGB. palette: (K, 3) uint8."""

    palette: NDArray[np.uint8]

    def map(self, pixels: Pixels) -> PaletteImage:
        """See `Mapping.map`."""
        return nearest(pixels, self.palette)

    def mobility(self, pixels: Pixels) -> NDArray[np.float32]:
        """Return the most for pixels midway between two entries: they change their entry at the least error."""
        if len(self.palette) == 1:
            return np.ones(pixels.shape[:2], np.float32)
        entries = self.palette.astype(np.float32)
        offsets = np.square(entries).sum(1) / 2
        margins = []
        for band in bands(pixels):
            closeness = band.astype(np.float32) @ entries.T - offsets
            second, first = np.partition(closeness, -2)[:, -2:].T
            margins.append(first - second)
        margin = np.concatenate(margins).reshape(pixels.shape[:2])
        return np.asarray(np.exp(-margin / max(1e-6, _REACH * float(margin.mean()))), np.float32)
