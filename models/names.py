"""Names of quantization methods and kinds of models, as requests, reports and the manifest write them."""

from collections.abc import Mapping
from types import MappingProxyType

LEARNED_METHOD = "colorcnn"
"""The learned quantizer that is served: one network for every number of colors."""
PUBLISHED_METHOD = "colorcnn_published"
"""The network of the ColorCNN paper: one for each number of colors."""
ONE_PASS = "colorcnn_one_pass"
"""The learned quantizer without its search, in evaluations of a network that has one."""
REFINED = "colorcnn_refined"
"""The learned quantizer with its structure refined for each image after the search."""
VARIANTS = (ONE_PASS, REFINED)
"""Ways to paint with the learned quantizer that must be asked for; a checkpoint's measured accuracy is without them."""
TRUECOLOR = "truecolor_png"
"""The originals as lossless files."""

# Kinds of models in the manifest.
CLASSIFIER = "classifier"
COLORCNN = "colorcnn"
PUBLISHED = "colorcnn-published"

METHOD_NAMES: Mapping[str, str] = MappingProxyType(
    {
        LEARNED_METHOD: "ColorCNN",
        ONE_PASS: "ColorCNN, one pass",
        REFINED: "ColorCNN, refined",
        PUBLISHED_METHOD: "ColorCNN as published",
        "median_cut": "median cut",
        "octree": "octree",
        "max_coverage": "maximum coverage",
        "median_cut_dither": "median cut + dither",
        "kmeans": "k-means",
        "kmeans_oklab": "k-means in OKLab",
        "wu": "Wu",
        "libimagequant": "libimagequant",
        "jpeg": "JPEG",
        "webp": "WebP",
        "bpg": "BPG",
        TRUECOLOR: "24-bit PNG",
    }
)


def method_name(method: str) -> str:
    """The name of a method for people; its own without underscores where none is listed."""
    return METHOD_NAMES.get(method, method.replace("_", " "))
