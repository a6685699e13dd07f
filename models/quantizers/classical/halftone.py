"""Halftone: error diffusion to a palette that reaches beyond the colors of the image."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from models.names import HALFTONE
from models.palette_image import PaletteImage
from models.quantizers.base import MIN_COLORS, checked_exact, checked_exact_in
from models.quantizers.classical.gamut import Gamut
from models.quantizers.classical.kmeans import KMeans, random_sample
from models.rgb import Pixels

_STRETCH = 0.5
_STRETCH_OF_TWO = 1.0
_FEW_COLORS = 16  # number of colors up to which the palette is stretched in full


@dataclass(frozen=True, eq=False)
class Halftone:
    """Few colors for a photograph that is looked at, or recognized, after scaling down: its local means are kept.

    Error diffusion (Floyd and Steinberg, 1976; see `DitheredMedianCut`) reproduces every color that is a mixture of
    palette entries. The means of clusters lie inside the colors of the image, so that they mix no color at its ends.
    Here the palette is that of k-means in sRGB, stretched away from the mean pixel by `stretch` and clipped to 0..255.

    Cost: the fit of k-means to a sample, and O(n) to diffuse n pixels, one after the other. Pillow finds the nearest
    entry in a coarse table.

    palette: (K, 3) uint8, a fixed palette in place of that of k-means; it is not stretched.
    """

    name: ClassVar[str] = HALFTONE

    palette: NDArray[np.uint8] | None = None

    def quantize(self, pixels: Pixels, colors: int) -> PaletteImage:
        """See `Quantizer.quantize`."""
        if self.palette is not None:
            return checked_exact_in(pixels, colors, self.palette) or diffuse(pixels, self.palette)
        unchanged = checked_exact(pixels, colors)
        if unchanged is not None:
            return unchanged
        palette = stretched_palette(pixels, colors, stretch(colors))
        return diffuse(pixels, palette).compact()


def stretch(colors: int) -> float:
    """Return the factor by which a palette of `colors` entries is stretched: 2 for two, 1.5 up to 16, then falling.

    The more clusters there are, the closer their outer means lie to the ends of the colors. A further stretch then only
    adds noise.
    """
    if colors == MIN_COLORS:
        return 1 + _STRETCH_OF_TWO
    return 1 + _STRETCH * min(1, _FEW_COLORS / colors)


def stretched_palette(pixels: Pixels, colors: int, factor: float) -> NDArray[np.uint8]:
    """Return the centers of k-means in sRGB, moved away from the mean pixel by `factor` and clipped to 0..255.

    pixels: (H, W, 3) uint8 sRGB. The palette is (K', 3) uint8; K' is `colors`, or fewer where a sample of the pixels
    has fewer colors.
    """
    mean = random_sample(pixels.reshape(-1, 3)).mean(0)
    stretched = mean + factor * (KMeans("srgb").centers(pixels, colors) - mean)
    rounded: NDArray[np.uint8] = np.rint(stretched.clip(0, 255)).astype(np.uint8)
    return rounded


def diffuse(pixels: Pixels, palette: NDArray[np.uint8]) -> PaletteImage:
    """Map an image to a given palette with error diffusion; the result may have unused or equal entries.

    Each pixel first moves to the nearest color of the palette's gamut. An error that no mixture of entries removes
    would otherwise add up along the way until it is cut off at 0 or 255, and then disturb the rest.

    pixels: (H, W, 3) uint8 sRGB. palette: (K, 3) uint8, K from 1 to 256.
    """
    holder = Image.new("P", (1, 1))
    holder.putpalette(palette.tobytes())
    diffused = Image.fromarray(Gamut.of(palette).nearest(pixels)).quantize(
        palette=holder, dither=Image.Dither.FLOYDSTEINBERG
    )
    return PaletteImage(np.asarray(diffused), palette)
