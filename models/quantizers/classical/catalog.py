"""Catalog of the quantizers that need no training, by name, without a palette and with a fixed one."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from models.errors import BadOption, UnknownMethod
from models.names import HALFTONE, NEAREST
from models.quantizers.base import MIN_COLORS, Quantizer
from models.quantizers.classical.dither import DitheredMedianCut
from models.quantizers.classical.halftone import Halftone
from models.quantizers.classical.imagequant import ImageQuant
from models.quantizers.classical.kmeans import KMeans
from models.quantizers.classical.max_coverage import MaxCoverage
from models.quantizers.classical.median_cut import MedianCut
from models.quantizers.classical.median_cut_by_error import MedianCutByError
from models.quantizers.classical.nearest_color import NearestColor
from models.quantizers.classical.octree import Octree
from models.quantizers.classical.reassigned import Reassigned
from models.quantizers.classical.wu import Wu

_ALL: tuple[Quantizer, ...] = (
    MedianCut(),
    MedianCutByError(),
    Octree(),
    Reassigned(Octree()),
    MaxCoverage(),
    DitheredMedianCut(),
    Halftone(),
    KMeans("srgb"),
    KMeans("oklab"),
    Wu(),
    Reassigned(Wu()),
    ImageQuant(),
)

CLASSICAL: Mapping[str, Quantizer] = MappingProxyType({quantizer.name: quantizer for quantizer in _ALL})
"""The quantizers that choose the palette."""

_FOR_PALETTE: Mapping[str, Callable[[NDArray[np.uint8]], Quantizer]] = {HALFTONE: Halftone, NEAREST: NearestColor}


def classical_for(method: str, palette: NDArray[np.uint8] | None = None) -> Quantizer:
    """Return the quantizer of a method that needs no training.

    palette: (K, 3) uint8, a fixed palette; None lets the quantizer choose. Raises UnknownMethod for another
    method, and BadOption for a method that needs a palette, or supports none.
    """
    if method not in CLASSICAL and method not in _FOR_PALETTE:
        raise UnknownMethod(f"there is no classical method {method!r}")
    if palette is None:
        if method not in CLASSICAL:
            raise BadOption(f"the method {method!r} needs a palette")
        return CLASSICAL[method]
    if method not in _FOR_PALETTE:
        raise BadOption(f"the method {method!r} supports no palette; use one of {', '.join(_FOR_PALETTE)}")
    return _FOR_PALETTE[method](palette)


def warm_classical() -> None:
    """Run each quantizer once on a tiny image; some import libraries at the first use, which takes a second."""
    pixels = np.arange(16 * 16 * 3, dtype=np.uint8).reshape(16, 16, 3)
    for quantizer in _ALL:
        quantizer.quantize(pixels, MIN_COLORS)
