"""Catalog of the quantizers that need no training, by name."""

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from models.quantizers.base import MIN_COLORS, Quantizer
from models.quantizers.classical.dither import DitheredMedianCut
from models.quantizers.classical.halftone import Halftone
from models.quantizers.classical.imagequant import ImageQuant
from models.quantizers.classical.kmeans import KMeans
from models.quantizers.classical.max_coverage import MaxCoverage
from models.quantizers.classical.median_cut import MedianCut
from models.quantizers.classical.octree import Octree
from models.quantizers.classical.wu import Wu

_ALL: tuple[Quantizer, ...] = (
    MedianCut(),
    Octree(),
    MaxCoverage(),
    DitheredMedianCut(),
    Halftone(),
    KMeans("srgb"),
    KMeans("oklab"),
    Wu(),
    ImageQuant(),
)

CLASSICAL: Mapping[str, Quantizer] = MappingProxyType({quantizer.name: quantizer for quantizer in _ALL})


def warm_classical() -> None:
    """Run each quantizer once on a tiny image; some import libraries at the first use, which takes a second."""
    pixels = np.arange(16 * 16 * 3, dtype=np.uint8).reshape(16, 16, 3)
    for quantizer in _ALL:
        quantizer.quantize(pixels, MIN_COLORS)
