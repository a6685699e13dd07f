"""Arrays of sRGB colors: their type, their check, one number for each color, and scaling to a network's input size."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Pixels = NDArray[np.uint8]
"""An image: (H, W, 3) uint8 sRGB, 0 to 255."""


def check_pixels(pixels: NDArray[np.uint8]) -> None:
    """Raise ValueError unless `pixels` is (H, W, 3) uint8 with at least one pixel."""
    if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8 or pixels.size == 0:
        raise ValueError(f"pixels must be (H, W, 3) uint8 and not empty, not {pixels.shape} {pixels.dtype}")


def pack(colors: NDArray[np.uint8]) -> NDArray[np.uint32]:
    """(..., 3) uint8 -> (...) uint32, 0xRRGGBB."""
    return np.asarray(colors @ np.array([1 << 16, 1 << 8, 1], dtype=np.uint32), dtype=np.uint32)


def unpack(packed: NDArray[np.integer]) -> NDArray[np.uint8]:
    """(K,) 0xRRGGBB -> (K, 3) uint8."""
    return np.stack([packed >> 16, packed >> 8 & 255, packed & 255], axis=-1).astype(np.uint8)


def resize(pixels: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """(H, W, 3) uint8 sRGB -> (size, size, 3) uint8: the whole image, squeezed to a square.

    Linear interpolation with a support that grows with the reduction, so every pixel of a large image counts.
    """
    if pixels.shape[:2] == (size, size):
        return pixels
    return np.asarray(Image.fromarray(pixels).resize((size, size), Image.Resampling.BILINEAR))
