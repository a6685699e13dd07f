"""Median cut with error diffusion."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from models.palette_image import PaletteImage
from models.quantizers.base import through_pillow
from models.quantizers.classical.median_cut import cut, sampled


@dataclass(frozen=True)
class DitheredMedianCut:
    """Median cut's palette, painted with the error diffusion of Robert Floyd and Louis Steinberg.

    "An Adaptive Algorithm for Spatial Grayscale", Proceedings of the Society for Information Display 17(2), 1976: the
    error of each pixel is spread over its right and lower neighbors. Looks better, compresses worse, and is read worse
    by a network. Palette and diffusion are Pillow's.

    Cost: that of median cut, and O(n) for n pixels to diffuse, one after the other. Pillow finds the nearest entry in a
    coarse table.
    """

    name: ClassVar[str] = "median_cut_dither"

    def quantize(self, pixels: NDArray[np.uint8], colors: int) -> PaletteImage:
        """See `Quantizer.quantize`."""
        return through_pillow(pixels, colors, lambda image: _dithered(image, colors))


def _dithered(image: Image.Image, colors: int) -> Image.Image:
    return image.quantize(palette=cut(sampled(image), colors), dither=Image.Dither.FLOYDSTEINBERG)
