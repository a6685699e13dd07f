"""Median cut with Floyd-Steinberg dithering."""

from dataclasses import dataclass
from typing import ClassVar

from PIL import Image

from models.palette_image import PaletteImage
from models.quantizers.base import through_pillow
from models.quantizers.classical.median_cut import cut, subsample
from models.rgb import Pixels


@dataclass(frozen=True)
class DitheredMedianCut:
    """Median cut with error diffusion: Robert Floyd and Louis Steinberg, "An Adaptive Algorithm for Spatial Grayscale",
    Proceedings of the Society for Information Display 17(2), 1976.

    The error of each pixel is distributed to its right and lower neighbors. The result looks better, but compresses
    worse, and a network recognizes it less often. Pillow computes the palette and the diffusion.

    Cost: the cost of median cut, and O(n) to diffuse n pixels one after the other. Pillow looks up the nearest entry in
    a coarse table.
    """

    name: ClassVar[str] = "median_cut_dither"

    def quantize(self, pixels: Pixels, colors: int) -> PaletteImage:
        """See `Quantizer.quantize`."""
        return through_pillow(pixels, colors, lambda image: _dithered(image, colors))


def _dithered(image: Image.Image, colors: int) -> Image.Image:
    return image.quantize(palette=cut(subsample(image), colors), dither=Image.Dither.FLOYDSTEINBERG)
