"""Conversion of samples of any depth to eight bits. Pillow converts color correctly, but clips deep gray at 255."""

import numpy as np
from PIL import Image, TiffImagePlugin

from models.decoding.bands import row_bands

_DEEP_MODES = frozenset({"I;16", "I;16B", "I;16L", "I", "F"})  # modes of one sample wider than 8 bits

_TIFF_PHOTOMETRIC, _TIFF_MIN_IS_WHITE = 262, 0
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


@np.errstate(invalid="ignore")  # otherwise NumPy warns about a signaling NaN in the log of every such upload
def _gray(image: Image.Image) -> Image.Image:
    """Return an image of one deep sample as L, or as LA where its file marks a value as transparent.

    16-bit gray ranges from 0 to 65535. Wider and floating-point samples have no standard white level. Floats within 0
    to 1 keep this range; all other samples are stretched from the smallest value to the largest.
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
    """Return the sample values of black and white; black is the larger value in a file where zero means white."""
    tags = image.tag_v2 if isinstance(image, TiffImagePlugin.TiffImageFile) else {}
    if image.mode in ("I", "F"):
        low, high = _finite_range(image)
        if image.mode == "F" and low >= 0 and high <= 1:
            low, high = 0.0, 1.0
        high = high if high > low else low + 1
    else:
        bits = tags.get(TiffImagePlugin.BITSPERSAMPLE, (16,))
        low, high = 0.0, float((1 << bits[0]) - 1)  # Pillow loads a 12-bit TIFF as I;16 without scaling it
    inverted = tags.get(_TIFF_PHOTOMETRIC) == _TIFF_MIN_IS_WHITE  # Pillow inverts samples of up to 8 bits only
    return (high, low) if inverted else (low, high)


def _finite_range(image: Image.Image) -> tuple[float, float]:
    """Return the smallest and largest finite sample; 0 and 1 where no sample is finite."""
    low, high = np.inf, -np.inf
    for _, band in row_bands(image):
        values = np.asarray(band, dtype=np.float64)
        finite = values[np.isfinite(values)]
        if finite.size:
            low, high = min(low, float(finite.min())), max(high, float(finite.max()))
    return (low, high) if low <= high else (0.0, 1.0)
