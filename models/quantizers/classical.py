"""The quantizers that need no training, by name."""

from collections.abc import Mapping
from types import MappingProxyType

from models.quantizers.base import Quantizer
from models.quantizers.dither import DitheredMedianCut
from models.quantizers.imagequant import ImageQuant
from models.quantizers.kmeans import KMeans
from models.quantizers.max_coverage import MaxCoverage
from models.quantizers.median_cut import MedianCut
from models.quantizers.octree import Octree
from models.quantizers.wu import Wu

_ALL: tuple[Quantizer, ...] = (
    MedianCut(),
    Octree(),
    MaxCoverage(),
    DitheredMedianCut(),
    KMeans("srgb"),
    KMeans("oklab"),
    Wu(),
    ImageQuant(),
)

CLASSICAL: Mapping[str, Quantizer] = MappingProxyType({quantizer.name: quantizer for quantizer in _ALL})
