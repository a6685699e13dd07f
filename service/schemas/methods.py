"""The quantization methods as a client sees them: one line each, and the options that each supports."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from models.names import (
    HALFTONE,
    LEARNED_METHOD,
    NEAREST,
    ONE_PASS,
    PUBLISHED_METHOD,
    REFINED,
    REFINED_FOR_ALL,
    REFINED_IN_ONE_PASS,
    REFINED_QUICKLY,
)

MODEL = "model"
FIDELITY = "fidelity"
TRANSFERABLE = "transferable"
DITHER = "dither"
PALETTE = "palette"


@dataclass(frozen=True)
class Method:
    """A quantization method. line: what it does, without a full stop. options: those that only some methods support."""

    line: str
    options: tuple[str, ...] = ()


_REFINED_OPTIONS = (MODEL, FIDELITY, TRANSFERABLE, DITHER, PALETTE)

METHODS: Mapping[str, Method] = MappingProxyType(
    {
        LEARNED_METHOD: Method(
            "a network, and a search for the structure scale that suits each image; the default for small images",
            (MODEL, FIDELITY),
        ),
        ONE_PASS: Method("the network without the search, so faster", (MODEL,)),
        REFINED: Method(
            "the network, with the structure of each image refined until the model's classifier recognizes the "
            "original class; slower, and of use to that classifier alone",
            (MODEL,),
        ),
        REFINED_QUICKLY: Method(
            "for photographs: a few gradient steps from error diffusion towards what classifiers see in the original; "
            "the default for photographs",
            _REFINED_OPTIONS,
        ),
        REFINED_FOR_ALL: Method("for photographs: the same with all steps, slower and more accurate", _REFINED_OPTIONS),
        REFINED_IN_ONE_PASS: Method(
            "for photographs: the same change of the photograph, which a network predicts in one pass",
            (MODEL, FIDELITY, DITHER, PALETTE),
        ),
        PUBLISHED_METHOD: Method("the network of the paper, one for each number of colors", (MODEL,)),
        "median_cut": Method("median cut (Heckbert 1982), by Pillow"),
        "octree": Method("octree (Gervautz and Purgathofer 1988), by Pillow"),
        "max_coverage": Method("maximum coverage, by Pillow"),
        "median_cut_dither": Method("median cut with error diffusion (Floyd and Steinberg 1976), by Pillow"),
        HALFTONE: Method(
            "error diffusion to a palette of k-means that is stretched, for photographs; or to `palette`", (PALETTE,)
        ),
        NEAREST: Method("the nearest color of `palette`, which it needs", (PALETTE,)),
        "kmeans": Method("k-means in sRGB, by scikit-learn"),
        "kmeans_oklab": Method("k-means in OKLab, by scikit-learn"),
        "wu": Method("Wu (1991)"),
        "libimagequant": Method("the quantizer of pngquant"),
    }
)
"""Every method by its name in requests, the default for small images first."""


def supporting(option: str) -> tuple[str, ...]:
    """Return the names of the methods that support an option."""
    return tuple(name for name, method in METHODS.items() if option in method.options)


def one_of(names: Iterable[str]) -> str:
    """Return names as a choice in a sentence: 'a', 'b' or 'c'."""
    *first, last = (f"'{name}'" for name in names)
    return f"{', '.join(first)} or {last}" if first else last
