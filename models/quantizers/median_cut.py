"""Median cut."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from models.palette_image import PaletteImage
from models.quantizers.base import through_pillow


@dataclass(frozen=True)
class MedianCut:
    """Median cut: Paul Heckbert, "Color Image Quantization for Frame Buffer Display", SIGGRAPH 1982.

    Splits the box of all colours K - 1 times, each time the box that matters most at the median of its longest side;
    an entry is the mean of its box, and a pixel takes the nearest entry. Pillow's implementation (method 0), without
    dither, as in the ColorCNN paper.

    Cost: O(n) to count n pixels and O(d log d) to sort their d distinct colours, which dominates for photos.
    """

    name: ClassVar[str] = "median_cut"

    def quantize(self, pixels: NDArray[np.uint8], colors: int) -> PaletteImage:
        """See `Quantizer.quantize`."""
        return through_pillow(pixels, colors, lambda image: median_cut(image, colors))


def median_cut(image: Image.Image, colors: int) -> Image.Image:
    """Median cut of an RGB image with Pillow; mode P."""
    return image.quantize(colors, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
