"""Median cut."""

import itertools
import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from models.palette_image import PaletteImage, nearest
from models.quantizers.base import through_pillow

_MOST_PIXELS = 1 << 18  # that Pillow gets to cut: counting the colors of 12 megapixels takes it half a minute


@dataclass(frozen=True)
class MedianCut:
    """Median cut: Paul Heckbert, "Color Image Quantization for Frame Buffer Display", SIGGRAPH 1982.

    Splits the box of all colors K - 1 times, each time the box that matters most at the median of its longest side;
    an entry is the mean of its box, and a pixel takes the nearest entry. Pillow's implementation (method 0), without
    dither, as in the ColorCNN paper; an image of more than 512 x 512 pixels is cut by a regular sample of no more.

    Cost: O(d log d) to count and sort the d distinct colors of the sample, and O(n) to paint n pixels,
    O(K n) where the palette is that of a sample.
    """

    name: ClassVar[str] = "median_cut"

    def quantize(self, pixels: NDArray[np.uint8], colors: int) -> PaletteImage:
        """See `Quantizer.quantize`."""
        return through_pillow(pixels, colors, lambda image: spread(image, cut(sampled(image), colors)))


def cut(sample: Image.Image, colors: int) -> Image.Image:
    """Median cut of an RGB image with Pillow; a P image that holds the palette."""
    return sample.quantize(colors, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)


def sampled(image: Image.Image) -> Image.Image:
    """The image itself, or every so many rows and columns of one of more than 512 x 512 pixels."""
    if image.width * image.height <= _MOST_PIXELS:
        return image
    first = math.ceil(math.sqrt(image.width * image.height / _MOST_PIXELS))
    sizes = ((-(-image.width // step), -(-image.height // step)) for step in itertools.count(first))
    # Only a strip of a few rows or columns needs a longer step than the first.
    size = next(size for size in sizes if size[0] * size[1] <= _MOST_PIXELS)
    return image.resize(size, Image.Resampling.NEAREST)


def spread(image: Image.Image, painted: Image.Image) -> Image.Image:
    """`image` with the palette of its `painted` sample, each pixel by the nearest entry; a P image.

    Pillow would look entries up in a coarse table, which costs up to a decibel.
    """
    if painted.size == image.size:
        return painted
    palette = np.asarray(painted.getpalette("RGB"), dtype=np.uint8).reshape(-1, 3)
    whole = Image.frombytes("P", image.size, nearest(np.asarray(image), palette).indices.tobytes())
    whole.putpalette(palette.tobytes())
    return whole
