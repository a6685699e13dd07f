"""The octree quantizer."""

from dataclasses import dataclass
from typing import ClassVar

from PIL import Image

from models.palette_image import PaletteImage
from models.quantizers.base import through_pillow
from models.rgb import Pixels


@dataclass(frozen=True)
class Octree:
    """Octree: Michael Gervautz and Werner Purgathofer, "A Simple Method for Color Quantization", 1988.

    The pixels are sorted into a tree of cubes of the color space, and the K cubes with the most pixels are kept. An
    entry is the mean of its cube. The implementation is Pillow's FASTOCTREE (method 2) with its two fixed tree depths,
    without dither, as in the ColorCNN paper. A pixel gets the entry of its cube, although another may be nearer;
    `Reassigned` gives it the nearest.

    Cost: O(n) for n pixels. This quantizer is the fastest of the catalog, with the largest error at few colors.
    """

    name: ClassVar[str] = "octree"

    def quantize(self, pixels: Pixels, colors: int) -> PaletteImage:
        """See `Quantizer.quantize`."""
        return through_pillow(pixels, colors, lambda image: _fast_octree(image, colors))


def _fast_octree(image: Image.Image, colors: int) -> Image.Image:
    return image.quantize(colors, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
