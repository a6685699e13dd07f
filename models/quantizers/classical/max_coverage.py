"""The maximum coverage quantizer."""

from dataclasses import dataclass
from typing import ClassVar

from PIL import Image

from models.palette_image import PaletteImage
from models.quantizers.base import through_pillow
from models.quantizers.classical.median_cut import apply_palette, subsample
from models.rgb import Pixels


@dataclass(frozen=True)
class MaxCoverage:
    """Farthest-first traversal: Teofilo Gonzalez, "Clustering to Minimize the Maximum Intercluster Distance", 1985.

    The first entry is the color farthest from the mean of all colors. Each further entry is the color farthest from all
    earlier entries. Each pixel gets the nearest entry. The palette for K colors is therefore a prefix of the palette
    for K + 1. Rare colors enter first, so the largest error is small and the mean error is large. The implementation is
    Pillow's (method 1), without dither. The palette of an image of more than 512 x 512 pixels comes from a regular
    sample.

    Cost: O(K d) for d distinct colors of the sample, and O(n) to quantize n pixels. Where there is a sample, each
    distinct color of the image is compared with some entries.
    """

    name: ClassVar[str] = "max_coverage"

    def quantize(self, pixels: Pixels, colors: int) -> PaletteImage:
        """See `Quantizer.quantize`."""
        return through_pillow(pixels, colors, lambda image: _quantize(image, colors))


def _quantize(image: Image.Image, colors: int) -> Image.Image:
    covered = subsample(image).quantize(colors, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    return apply_palette(image, covered)
