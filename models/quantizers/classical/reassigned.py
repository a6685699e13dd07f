"""The palette of another quantizer, with each pixel at its nearest entry."""

from dataclasses import dataclass

from models.palette_image import PaletteImage, nearest
from models.quantizers.base import Quantizer
from models.rgb import Pixels


@dataclass(frozen=True)
class Reassigned:
    """A quantizer at its best: its palette, and for each pixel the nearest entry.

    Some quantizers give a pixel the entry of its cell, which is quick, although another entry may be nearer. With the
    nearest entry the squared error is never larger.

    Cost: the cost of `base`, and of `models.palette_image.nearest`.

    base: a quantizer that chooses the palette.
    """

    base: Quantizer

    @property
    def name(self) -> str:
        """See `Quantizer.name`."""
        return f"{self.base.name}_nearest"

    def quantize(self, pixels: Pixels, colors: int) -> PaletteImage:
        """See `Quantizer.quantize`."""
        return nearest(pixels, self.base.quantize(pixels, colors).palette).compact()
