"""Catalog of the quantizers that need no training, by name."""

from collections.abc import Mapping
from types import MappingProxyType

from models.quantizers.base import Quantizer
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
