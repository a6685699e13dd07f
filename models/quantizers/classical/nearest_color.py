"""Nearest color: each pixel gets the nearest color of a fixed palette."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from models.names import NEAREST
from models.palette_image import PaletteImage, nearest
from models.quantizers.base import checked_exact_in
from models.rgb import Pixels


@dataclass(frozen=True, eq=False)
class NearestColor:
    """Mapping of each pixel to the nearest color of a fixed palette, by Euclidean distance in sRGB.

    Areas are flat and files are short, but shades that lie between two colors of the palette are lost.

    Cost: see `models.palette_image.nearest`.

    palette: (K, 3) uint8, K from 2 to 256, no two entries equal.
    """

    name: ClassVar[str] = NEAREST

    palette: NDArray[np.uint8]

    def quantize(self, pixels: Pixels, colors: int) -> PaletteImage:
        """See `Quantizer.quantize`."""
        return checked_exact_in(pixels, colors, self.palette) or nearest(pixels, self.palette)
