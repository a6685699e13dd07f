"""Conversion of samples of any depth to eight bits. Pillow converts color correctly, but clips deep gray at 255."""

import numpy as np
from PIL import Image

from models.decoding.bands import row_bands

_DEEP_MODES = frozenset({"I;16", "I;16B", "I;16L", "I"})  # modes of one sample wider than 8 bits
_WHITE = 65535  # of a deep sample of PNG, the only format that reaches this module with one

_PNG_GRAY_ALPHA = 4


def eight_bit(image: Image.Image, depth: int, png_color_type: int | None) -> Image.Image:
    """Return a loaded image in a mode of 8-bit samples; `image` itself if its mode is one already.

    Args:
        image: in any mode, of the class of its Pillow plugin.
        depth: bits of a sample in a PNG file; 8 for other formats.
        png_color_type: color type in the header of a PNG file; None for other formats.
    """
    if image.mode in _DEEP_MODES:
        return _gray(image)
    if (depth, png_color_type) == (16, _PNG_GRAY_ALPHA):
        return image.convert("LA")  # Pillow returns RGBA with equal channels, which a gray profile does not fit
    return image


def _gray(image: Image.Image) -> Image.Image:
    """Return an image of one deep sample as L, or as LA where its file marks a value as transparent."""
    gray = np.empty((image.height, image.width), dtype=np.uint8)
    alpha = np.full_like(gray, 255)
    key = image.info.get("transparency")
    for rows, band in row_bands(image):
        values = np.asarray(band)
        gray[rows] = np.rint(np.clip(values * (255 / _WHITE), 0, 255))
        if isinstance(key, int):
            alpha[rows][values == key] = 0
    plain = Image.fromarray(gray)
    return Image.merge("LA", (plain, Image.fromarray(alpha))) if isinstance(key, int) else plain
