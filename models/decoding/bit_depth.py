"""Samples of any depth to eight bits. Pillow converts color by itself, but cuts deep gray off at 255."""

import numpy as np
from PIL import Image, TiffImagePlugin

from models.decoding.bands import row_bands

_DEEP_MODES = frozenset({"I;16", "I;16B", "I;16L", "I", "F"})  # Pillow's modes of one sample wider than 8 bits

_TIFF_PHOTOMETRIC, _TIFF_MIN_IS_WHITE = 262, 0
_PNG_GRAY_ALPHA = 4


def eight_bit(image: Image.Image, depth: int, png_color_type: int | None) -> Image.Image:
    """Return a loaded image in a mode of 8-bit samples; it is `image` itself unless something has to be done.

    Args:
        image: in any mode, of the class that its reader gave it.
        depth: bits of a sample in a PNG file; 8 for other formats.
        png_color_type: of a PNG file; None for other formats.
    """
    if image.mode in _DEEP_MODES:
        return _gray(image)
    if (depth, png_color_type) == (16, _PNG_GRAY_ALPHA):
        return image.convert("LA")  # Pillow gives RGBA with equal channels, which no gray profile would fit
    return image


@np.errstate(invalid="ignore")  # or numpy warns of a signalling NaN, and the log repeats it for every upload
def _gray(image: Image.Image) -> Image.Image:
    """Return an image of one deep sample as L, or as LA where one of its values means transparent.

    16-bit gray runs from 0 to 65535. Wider and floating samples have no agreed white, except floats from 0 to 1; others
    are stretched from their smallest to their largest value.
    """
    black, white = _level_range(image)
    gray = np.empty((image.height, image.width), dtype=np.uint8)
    alpha = np.full_like(gray, 255)
    key = image.info.get("transparency")
    for rows, band in row_bands(image):
        values = np.asarray(band)
        levels = (values.astype(np.float64) - black) * (255 / (white - black))
        gray[rows] = np.rint(np.clip(np.nan_to_num(levels, nan=0.0), 0, 255))
        if isinstance(key, int):
            alpha[rows][values == key] = 0
    plain = Image.fromarray(gray)
    return Image.merge("LA", (plain, Image.fromarray(alpha))) if isinstance(key, int) else plain


def _level_range(image: Image.Image) -> tuple[float, float]:
    """Return the values of black and white of a deep image; black is the larger one where the file says so."""
    tags = image.tag_v2 if isinstance(image, TiffImagePlugin.TiffImageFile) else {}
    if image.mode in ("I", "F"):
        low, high = _finite_range(image)
        if image.mode == "F" and low >= 0 and high <= 1:
            low, high = 0.0, 1.0
        high = high if high > low else low + 1
    else:
        bits = tags.get(TiffImagePlugin.BITSPERSAMPLE, (16,))
        low, high = 0.0, float((1 << bits[0]) - 1)  # 12-bit TIFFs come as I;16 too, not scaled up
    inverted = tags.get(_TIFF_PHOTOMETRIC) == _TIFF_MIN_IS_WHITE  # Pillow minds this up to 8 bits only
    return (high, low) if inverted else (low, high)


def _finite_range(image: Image.Image) -> tuple[float, float]:
    low, high = np.inf, -np.inf
    for _, band in row_bands(image):
        values = np.asarray(band, dtype=np.float64)
        finite = values[np.isfinite(values)]
        if finite.size:
            low, high = min(low, float(finite.min())), max(high, float(finite.max()))
    return (low, high) if low <= high else (0.0, 1.0)
