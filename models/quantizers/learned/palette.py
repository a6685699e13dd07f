"""Palette of an index map: the mean of the pixels of each index, exact because colors are summed in integers."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.palette_image import PaletteImage


def color_sums(pixels: Tensor, indices: Tensor, colors: int) -> Tensor:
    """Sum the red, green and blue of the pixels of each index, and count the pixels, on the device of the arguments.

    Args:
        pixels: (B, H, W, 3) uint8.
        indices: (B, H, W) uint8, each in [0, colors).
        colors: K.

    Returns:
        (B, K, 4) int64. Temporary memory is 17 bytes for each pixel, for any K.
    """
    bins = (indices.flatten(1) + colors * torch.arange(len(indices), device=indices.device).unsqueeze(1)).flatten()
    count = colors * len(indices)
    # float64 holds sums of 8-bit values exactly, so the order in which a GPU adds does not matter.
    planes = [torch.bincount(bins, pixels[..., channel].flatten().double(), count) for channel in range(3)]
    return torch.stack([*planes, torch.bincount(bins, minlength=count)], 1).long().view(len(indices), colors, 4)


def mean_palette(indices: NDArray[np.uint8], sums: NDArray[np.int64]) -> PaletteImage:
    """Build the image whose palette is the mean of each index's pixels, rounded to 8 bits; unused indices are dropped.

    indices: (H, W) uint8, each in [0, K). sums: (K, 4) int64, from `color_sums`.
    """
    means = sums[:, :3] / np.maximum(sums[:, 3:], 1)
    return PaletteImage(indices, np.rint(means).astype(np.uint8)).compact()
