"""Draw a class activation map over its image, as figures 1 and 2 of the ColorCNN paper do."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from models.rgb import Pixels, central_square

# Cold to hot: dark blue, blue, cyan, yellow, red, dark red, evenly spaced over [0, 1].
_HEAT_ANCHORS = ((0, 0, 128), (0, 64, 255), (0, 255, 255), (255, 255, 0), (255, 48, 0), (128, 0, 0))


def _heat_table() -> Pixels:
    """Return the color of each of 256 levels of heat, (256, 3) uint8."""
    levels = np.linspace(0, len(_HEAT_ANCHORS) - 1, 256)
    channels = [np.interp(levels, range(len(_HEAT_ANCHORS)), channel) for channel in zip(*_HEAT_ANCHORS, strict=True)]
    return np.stack(channels, axis=-1).round().astype(np.uint8)


_HEAT = _heat_table()


def fit(pixels: Pixels, max_pixels: int) -> Pixels:
    """Scale (H, W, 3) uint8 down to at most `max_pixels` pixels in the same aspect; return a smaller image as it is."""
    height, width = pixels.shape[:2]
    if height * width <= max_pixels:
        return pixels
    scale = math.sqrt(max_pixels / (height * width))
    new_height = min(max(1, int(height * scale)), max_pixels)
    new_width = min(max(1, int(width * scale)), max_pixels // new_height)
    scaled = Image.fromarray(pixels).resize((new_width, new_height), Image.Resampling.BOX)
    return np.asarray(scaled)


def draw(pixels: Pixels, heat: NDArray[np.float32], crop: float | None = None) -> Pixels:
    """Blend an image with the colors of its heat, half and half.

    Args:
        pixels: (H, W, 3) uint8 sRGB.
        heat: (h, w) float32 in [0, 1]; scaled smoothly to the size of what it spans.
        crop: share of the shorter side, 0 to 1, where the heat spans the central square; None for the whole image.

    Returns:
        (H, W, 3) uint8 sRGB, unchanged where there is no heat.
    """
    if crop is None:
        return _blend(pixels, heat)
    left, top, side = central_square(pixels, crop)
    rows, columns = (slice(math.floor(start), math.ceil(start + side)) for start in (top, left))
    drawn = pixels.copy()
    drawn[rows, columns] = _blend(pixels[rows, columns], heat)
    return drawn


def _blend(pixels: Pixels, heat: NDArray[np.float32]) -> Pixels:
    height, width = pixels.shape[:2]
    smooth = np.asarray(Image.fromarray(heat).resize((width, height), Image.Resampling.BICUBIC))
    levels = np.clip(smooth * 255 + 0.5, 0, 255).astype(np.uint8)
    mixed: Pixels = ((pixels.astype(np.uint16) + _HEAT[levels]) // 2).astype(np.uint8)
    return mixed
