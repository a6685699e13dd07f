"""Octree."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from models.palette_image import PaletteImage
from models.quantizers.base import through_pillow


@dataclass(frozen=True)
class Octree:
    """Octree: Michael Gervautz and Werner Purgathofer, "A Simple Method for Color Quantization", 1988.

    Sorts the pixels into a tree of cubes of the color space and keeps the K cubes with the most pixels; an entry is
    the mean of its cube. Pillow's FASTOCTREE (method 2) with its two fixed tree depths, without dither, as in the
    ColorCNN paper.

    Cost: O(n) for n pixels, the fastest here and the worst at few colors.
    """

    name: ClassVar[str] = "octree"

    def quantize(self, pixels: NDArray[np.uint8], colors: int) -> PaletteImage:
        """See `Quantizer.quantize`."""
        return through_pillow(pixels, colors, lambda image: _fast_octree(image, colors))


def _fast_octree(image: Image.Image, colors: int) -> Image.Image:
    return image.quantize(colors, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
