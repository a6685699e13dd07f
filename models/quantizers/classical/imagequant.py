"""libimagequant."""

import io
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pyvips
from numpy.typing import NDArray
from PIL import Image

from models.palette_image import PaletteImage
from models.quantizers.base import through_pillow

_LONGEST_GIF = 65_535  # pixels of a side


@dataclass(frozen=True)
class ImageQuant:
    """libimagequant, the quantizer of pngquant: Kornel Lesiński and Jef Poskanzer, https://pngquant.org/lib/.

    Median cut by variance, repeated with more weight on the colors that came out badly, then k-means, all in a space
    bent towards the eye's. The one inside libvips (a fork of 2.4, under a BSD license), without dither, reached through
    the writers of PNG and GIF, which take a number of bits, not of colors. For numbers in between, entries of the next
    power of two are merged, each time the two that add the least squared error: William Equitz, "A New Vector
    Quantization Clustering Algorithm", IEEE Transactions on Acoustics, Speech, and Signal Processing 37(10), 1989.

    Safe to call from threads, not from a process that was forked after the first call: libvips waits there for threads
    that it does not have.

    Cost: O(K n) for n pixels, and O(K^2) for each merge; with k-means the slowest here.
    """

    name: ClassVar[str] = "libimagequant"

    def quantize(self, pixels: NDArray[np.uint8], colors: int) -> PaletteImage:
        """See `Quantizer.quantize`."""
        return merged(through_pillow(pixels, colors, lambda image: _painted(image, colors)), colors)


def merged(painted: PaletteImage, colors: int) -> PaletteImage:
    """Merge entries of a compact image until `colors` are left; a merged one is the mean of its pixels' colors."""
    if painted.colors <= colors:
        return painted
    palette, counts = painted.palette.astype(np.float64), painted.counts()
    entry = np.arange(len(palette))  # that each one has been merged into
    costs = _ward(palette[:, np.newaxis], counts[:, np.newaxis], palette, counts)
    np.fill_diagonal(costs, np.inf)
    for _ in range(len(palette) - colors):
        kept, gone = np.unravel_index(costs.argmin(), costs.shape)
        palette[kept] = np.average(palette[[kept, gone]], axis=0, weights=counts[[kept, gone]])
        counts[kept] += counts[gone]
        entry[entry == gone] = kept
        costs[gone] = costs[:, gone] = np.inf
        left = np.isfinite(costs[kept])
        costs[kept, left] = costs[left, kept] = _ward(palette[kept], counts[kept], palette[left], counts[left])
    return PaletteImage(painted.indices, np.rint(palette[entry]).astype(np.uint8)).compact()


def _ward(
    color: NDArray[np.float64], count: NDArray[np.int64], others: NDArray[np.float64], counts: NDArray[np.int64]
) -> NDArray[np.float64]:
    """How much the squared error grows when entries become one: (..., 3), (...), (K, 3), (K,) -> (..., K).

    Joe Ward, "Hierarchical Grouping to Optimize an Objective Function", 1963.
    """
    cost: NDArray[np.float64] = count * counts / (count + counts) * np.square(color - others).sum(-1)
    return cost


def _painted(image: Image.Image, colors: int) -> Image.Image:
    """libimagequant's P image with at least `colors` colors, if it finds as many, and the fewest beyond that."""
    source = pyvips.Image.new_from_array(np.asarray(image), interpretation="srgb")
    # GIF takes every number of bits, but keeps one color of 256 for transparency. Where PNG takes it too, both agree.
    numbers = range(1, 8) if max(image.size) <= _LONGEST_GIF else (1, 2, 4)
    bits = next((bits for bits in numbers if colors <= 1 << bits), 8)
    if bits in (1, 2, 4, 8):
        file = source.pngsave_buffer(palette=True, bitdepth=bits, dither=0, compression=1)
    else:
        file = source.gifsave_buffer(bitdepth=bits, dither=0)
    # Pillow takes a GIF whose palette is 0, 1, 2, ... in gray for a gray image without one.
    return Image.open(io.BytesIO(file)).convert("P")
