"""The median cut quantizer."""

import itertools
import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from PIL import Image

from models.palette_image import PaletteImage, nearest
from models.quantizers.base import through_pillow
from models.rgb import Pixels

_MAX_PIXELS = 1 << 18  # of a sample; Pillow needs half a minute to count the colors of 12 megapixels


@dataclass(frozen=True)
class MedianCut:
    """Median cut: Paul Heckbert, "Color Image Quantization for Frame Buffer Display", SIGGRAPH 1982.

    The box of all colors is split K - 1 times. Each split divides the most important box at the median of its longest
    side. An entry is the mean of its box, and each pixel gets the nearest entry. The implementation is Pillow's
    (method 0), without dither, as in the ColorCNN paper; `MedianCutByError` has a smaller error. The palette of an
    image of more than 512 x 512 pixels comes from a regular sample.

    Cost: O(d log d) to count and sort the d distinct colors of the sample, and O(n) to quantize n pixels. Where there
    is a sample, each distinct color of the image is compared with some entries.
    """

    name: ClassVar[str] = "median_cut"

    def quantize(self, pixels: Pixels, colors: int) -> PaletteImage:
        """See `Quantizer.quantize`."""
        return through_pillow(pixels, colors, lambda image: apply_palette(image, cut(subsample(image), colors)))


def cut(sample: Image.Image, colors: int) -> Image.Image:
    """Run Pillow's median cut on an RGB image; return a P image that holds the palette."""
    return sample.quantize(colors, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)


def subsample(image: Image.Image) -> Image.Image:
    """Return an image of at most 512 x 512 pixels: the image itself, or rows and columns at regular distances."""
    if image.width * image.height <= _MAX_PIXELS:
        return image
    first = math.ceil(math.sqrt(image.width * image.height / _MAX_PIXELS))
    sizes = ((-(-image.width // step), -(-image.height // step)) for step in itertools.count(first))
    # Only a strip of a few rows or columns needs a larger step than the first.
    size = next(size for size in sizes if size[0] * size[1] <= _MAX_PIXELS)
    return image.resize(size, Image.Resampling.NEAREST)


def apply_palette(image: Image.Image, sample: Image.Image) -> Image.Image:
    """Return a P image in which each pixel of `image` has the nearest entry of the palette of `sample`, a P image.

    Return `sample` itself if it has the same size. Pillow's own lookup uses a coarse table, which costs up to 1 dB.
    """
    if sample.size == image.size:
        return sample
    palette = np.asarray(sample.getpalette("RGB"), dtype=np.uint8).reshape(-1, 3)
    quantized = Image.frombytes("P", image.size, nearest(np.asarray(image), palette).indices.tobytes())
    quantized.putpalette(palette.tobytes())
    return quantized
