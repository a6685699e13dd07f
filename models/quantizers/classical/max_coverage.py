"""Maximum coverage."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from models.palette_image import PaletteImage
from models.quantizers.base import through_pillow
from models.quantizers.classical.median_cut import sampled, spread


@dataclass(frozen=True)
class MaxCoverage:
    """Farthest-first traversal: Teofilo Gonzalez, "Clustering to Minimize the Maximum Intercluster Distance", 1985.

    The first entry is the color farthest from the mean of all, each next one the color farthest from the entries so
    far; a pixel takes the nearest. So the palette for K colors begins that for K + 1, rare colors are found first,
    and no error is large, at the cost of the mean one. Pillow's implementation (method 1), without dither; an image of
    more than 512 x 512 pixels is covered by a regular sample of no more.

    Cost: O(K d) for d distinct colors of the sample, and O(n) to paint n pixels, O(K n) where the
    palette is that of a sample.
    """

    name: ClassVar[str] = "max_coverage"

    def quantize(self, pixels: NDArray[np.uint8], colors: int) -> PaletteImage:
        """See `Quantizer.quantize`."""
        return through_pillow(pixels, colors, lambda image: _painted(image, colors))


def _painted(image: Image.Image, colors: int) -> Image.Image:
    covered = sampled(image).quantize(colors, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    return spread(image, covered)
