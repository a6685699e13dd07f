"""The quantizers that need no training, by name."""

from collections.abc import Mapping
from types import MappingProxyType

from models.quantizers.base import Quantizer
from models.quantizers.dither import DitheredMedianCut
from models.quantizers.median_cut import MedianCut
from models.quantizers.octree import Octree

_ALL: tuple[Quantizer, ...] = (MedianCut(), Octree(), DitheredMedianCut())

CLASSICAL: Mapping[str, Quantizer] = MappingProxyType({quantizer.name: quantizer for quantizer in _ALL})
