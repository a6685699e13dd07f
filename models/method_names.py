"""What pages, figures and tables call each method."""

from collections.abc import Mapping
from types import MappingProxyType

METHOD_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "colorcnn": "ColorCNN",
        "colorcnn_one_pass": "ColorCNN, one pass",
        "colorcnn_published": "ColorCNN as published",
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
        "truecolor_png": "24-bit PNG",
    }
)


def method_name(method: str) -> str:
    """The name of a method for people; its own without underscores where none is listed."""
    return METHOD_NAMES.get(method, method.replace("_", " "))
