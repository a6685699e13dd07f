"""Scaling pixels to the input size of a network; the same filter in training, quantizing and classifying."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image


def resize(pixels: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """(H, W, 3) uint8 sRGB -> (size, size, 3) uint8: the whole image, squeezed to a square.

    Linear interpolation with a support that grows with the reduction, so every pixel of a large image counts.
    """
    if pixels.shape[:2] == (size, size):
        return pixels
    return np.asarray(Image.fromarray(pixels).resize((size, size), Image.Resampling.BILINEAR))
