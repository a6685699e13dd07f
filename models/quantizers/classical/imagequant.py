"""The quantizer of libimagequant, through libvips."""

import io
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pyvips
from numpy.typing import NDArray
from PIL import Image

from models.palette_image import PaletteImage
from models.quantizers.base import through_pillow
from models.rgb import Pixels

_MAX_GIF_SIDE = 65_535  # pixels; the limit of the format


@dataclass(frozen=True)
class ImageQuant:
    """libimagequant, the quantizer of pngquant: Kornel Lesiński and Jef Poskanzer, https://pngquant.org/lib/.

    Median cut by variance, repeated with more weight on colors of large error, then k-means, all in a perceptual space.
    The implementation is the one in libvips, a fork of version 2.4 under a BSD license, without dither. libvips
    exposes it through its PNG and GIF writers, which accept a number of bits instead of a number of colors. For other
    numbers of colors, entries of the result for the next power of two are merged in pairs. Each merge joins the two
    entries that add the least squared error: William Equitz, "A New Vector Quantization Clustering Algorithm", IEEE
    Transactions on Acoustics, Speech, and Signal Processing 37(10), 1989.

    Safe to call from threads, but not from a process that was forked after the first call. In such a process, libvips
    waits for threads that do not exist.

    Cost: O(K n) for n pixels, and O(K^2) for each merge. This quantizer and k-means are the slowest of the catalog.
    """

    name: ClassVar[str] = "libimagequant"

    def quantize(self, pixels: Pixels, colors: int) -> PaletteImage:
        """See `Quantizer.quantize`."""
        return merge_entries(through_pillow(pixels, colors, lambda image: _quantize(image, colors)), colors)


def merge_entries(image: PaletteImage, colors: int) -> PaletteImage:
    """Merge entries of a compact image until `colors` are left; a merged entry is the mean of its pixels."""
    if image.colors <= colors:
        return image
    palette, counts = image.palette.astype(np.float64), image.counts()
    target = np.arange(len(palette))  # entry that each original entry is merged into
    costs = _ward(palette[:, np.newaxis], counts[:, np.newaxis], palette, counts)
    np.fill_diagonal(costs, np.inf)
    for _ in range(len(palette) - colors):
        kept, merged = np.unravel_index(costs.argmin(), costs.shape)
        palette[kept] = np.average(palette[[kept, merged]], axis=0, weights=counts[[kept, merged]])
        counts[kept] += counts[merged]
        target[target == merged] = kept
        costs[merged] = costs[:, merged] = np.inf
        others = np.isfinite(costs[kept])
        costs[kept, others] = costs[others, kept] = _ward(palette[kept], counts[kept], palette[others], counts[others])
    return PaletteImage(image.indices, np.rint(palette[target]).astype(np.uint8)).compact()


def _ward(
    color: NDArray[np.float64], count: NDArray[np.int64], others: NDArray[np.float64], counts: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Compute the growth of the squared error if two entries merge: (..., 3), (...), (K, 3), (K,) -> (..., K).

    Source: Joe Ward, "Hierarchical Grouping to Optimize an Objective Function", 1963.
    """
    cost: NDArray[np.float64] = count * counts / (count + counts) * np.square(color - others).sum(-1)
    return cost


def _quantize(image: Image.Image, colors: int) -> Image.Image:
    """Return a P image with at least `colors` colors, as few as libvips offers, or with fewer where it finds fewer."""
    source = pyvips.Image.new_from_array(np.asarray(image), interpretation="srgb")
    # GIF accepts every number of bits, but reserves one color of 256 for transparency. Both writers give equal colors.
    numbers = range(1, 8) if max(image.size) <= _MAX_GIF_SIDE else (1, 2, 4)
    bits = next((bits for bits in numbers if colors <= 1 << bits), 8)
    if bits in (1, 2, 4, 8):
        file = source.pngsave_buffer(palette=True, bitdepth=bits, dither=0, compression=1)
    else:
        file = source.gifsave_buffer(bitdepth=bits, dither=0)
    # Pillow opens a GIF whose palette is the grays 0, 1, 2, ... as a gray image without a palette.
    return Image.open(io.BytesIO(file)).convert("P")
