"""Names of quantization methods and kinds of models, as requests, reports and manifests spell them."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Literal

LEARNED_METHOD = "colorcnn"
"""The learned quantizer: one network for every number of colors."""
ONE_PASS = "colorcnn_one_pass"
"""The learned quantizer without the search for each image's structure."""
REFINED = "colorcnn_refined"
"""The learned quantizer with a refinement of each image's structure."""
REFINED_CODE = "colorcnn_refined_code"
"""The same for the own classifier alone, after the search: `transferable=false` in requests, a name in reports."""
VARIANTS = (ONE_PASS, REFINED, REFINED_CODE)
"""Variants of the learned quantizer; the accuracy in a checkpoint is measured without them."""
LEARNED_METHODS = (LEARNED_METHOD, ONE_PASS, REFINED)
"""Every way to run the learned quantizer."""
PUBLISHED_METHOD = "colorcnn_published"
"""The network of the ColorCNN paper: one network for each number of colors."""
HALFTONE = "halftone"
"""The classical quantizer for photographs: error diffusion to a stretched palette."""
NEAREST = "nearest"
"""The classical quantizer that needs a fixed palette: each pixel gets the nearest color."""
REFINED_FOR_ALL = "refined"
"""The quantizer for photographs that is refined for several recognizers, and needs no trained quantizer."""
REFINED_QUICKLY = "refined_fast"
"""The same with a few steps."""
REFINED_IN_ONE_PASS = "refined_one_pass"
"""The same with a change of the picture that a network, the prefilter, predicts."""
DESCENT_METHODS = (REFINED_QUICKLY, REFINED_FOR_ALL)
"""Those that refine a photograph by gradient descent, and need no network but the recognizers."""
PHOTOGRAPH_METHODS = (*DESCENT_METHODS, REFINED_IN_ONE_PASS)
"""Every way to refine a photograph for recognizers."""
PALETTE_METHODS = (*PHOTOGRAPH_METHODS, HALFTONE, NEAREST)
"""Every method that can map to a fixed palette."""
SUPPORTED: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "model": (*LEARNED_METHODS, *PHOTOGRAPH_METHODS, PUBLISHED_METHOD),
        "fidelity": (LEARNED_METHOD, *PHOTOGRAPH_METHODS),
        "transferable": (REFINED, *DESCENT_METHODS),
        "dither": PHOTOGRAPH_METHODS,
        "palette": PALETTE_METHODS,
    }
)
"""Options that only some methods support, and those methods."""
TRUECOLOR = "truecolor_png"
"""The original images as lossless files."""
UNQUANTIZED = "original"
"""No quantizer: images as they are, where they are not written to files."""
BIT_DEPTH = "bit_depth"
"""Beginning of the names of methods that reduce the bits per channel; the number of bits follows."""

BpgMode = Literal["plain", "auto", "index"]
"""Ways to store a palette image as BPG."""


class ModelKind(StrEnum):
    """Kind of a model, as manifests, checkpoints and responses spell it."""

    CLASSIFIER = "classifier"
    COLORCNN = "colorcnn"
    COLORCNN_PUBLISHED = "colorcnn-published"
    PREFILTER = "prefilter"


METHOD_NAMES: Mapping[str, str] = MappingProxyType(
    {
        LEARNED_METHOD: "ColorCNN",
        ONE_PASS: "ColorCNN, one pass",
        REFINED: "ColorCNN, refined",
        REFINED_CODE: "ColorCNN, as a code",
        PUBLISHED_METHOD: "ColorCNN as published",
        "median_cut": "median cut",
        "median_cut_by_error": "median cut by error",
        "octree": "octree",
        "octree_nearest": "octree, nearest entry",
        "max_coverage": "maximum coverage",
        "median_cut_dither": "median cut + dither",
        HALFTONE: "halftone",
        NEAREST: "nearest color",
        REFINED_FOR_ALL: "refined",
        REFINED_QUICKLY: "refined, few steps",
        REFINED_IN_ONE_PASS: "refined, one pass",
        "refined_flat": "refined, no dither",
        "floyd_steinberg": "Floyd-Steinberg (Pillow)",
        "kmeans": "k-means",
        "kmeans_oklab": "k-means in OKLab",
        "wu": "Wu",
        "wu_nearest": "Wu, nearest entry",
        "libimagequant": "libimagequant",
        "jpeg": "JPEG",
        "webp": "WebP",
        "avif": "AVIF",
        "jxl": "JPEG XL",
        "bpg": "BPG",
        TRUECOLOR: "24-bit PNG",
    }
)


def method_name(method: str) -> str:
    """Return the name of a method for people; an unlisted method keeps its own, without underscores."""
    return METHOD_NAMES.get(method, method.replace("_", " "))
