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
    SUPPORTED,
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


_LINES: Mapping[str, str] = MappingProxyType(
    {
        LEARNED_METHOD: "a network, and a search for the structure that suits each image; the default for small images",
        ONE_PASS: "the network without the search, so faster",
        REFINED: "the network, with the structure of each image refined until the model's classifier and its guides "
        "recognize the class of the original; slower",
        REFINED_QUICKLY: "for photographs: a few gradient steps from error diffusion towards what classifiers see in "
        "the original; the default for photographs",
        REFINED_FOR_ALL: "for photographs: the same with all steps, slower and more accurate",
        REFINED_IN_ONE_PASS: "for photographs: the same change of the photograph, which a network predicts in one pass",
        PUBLISHED_METHOD: "the network of the paper, one for each number of colors",
        "median_cut": "median cut (Heckbert 1982), by Pillow",
        "median_cut_by_error": "median cut at its best: on every color, by splits of the box with the largest error",
        "octree": "octree (Gervautz and Purgathofer 1988), by Pillow",
        "octree_nearest": "octree at its best: the palette of `octree`, and the nearest entry for each pixel",
        "max_coverage": "maximum coverage, by Pillow",
        "median_cut_dither": "median cut with error diffusion (Floyd and Steinberg 1976), by Pillow",
        HALFTONE: "error diffusion to a palette of k-means that is stretched, for photographs; or to `palette`",
        NEAREST: "the nearest color of `palette`, which it needs",
        "kmeans": "k-means in sRGB, by scikit-learn",
        "kmeans_oklab": "k-means in OKLab, by scikit-learn",
        "wu": "Wu (1991)",
        "wu_nearest": "Wu at its best: the palette of `wu`, and the nearest entry for each pixel",
        "libimagequant": "the quantizer of pngquant",
    }
)

METHODS: Mapping[str, Method] = MappingProxyType(
    {
        name: Method(line, tuple(option for option, methods in SUPPORTED.items() if name in methods))
        for name, line in _LINES.items()
    }
)
"""Every method by its name in requests, the default for small images first."""


def supporting(option: str) -> tuple[str, ...]:
    """Return the names of the methods that support an option."""
    return SUPPORTED[option]


def one_of(names: Iterable[str]) -> str:
    """Return names as a choice in a sentence: 'a', 'b' or 'c'."""
    *first, last = (f"'{name}'" for name in names)
    return f"{', '.join(first)} or {last}" if first else last
