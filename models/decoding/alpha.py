"""Transparent pixels, in each way that a file has of saying so, and the background that is seen through them."""

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageChops

from models.decoding.bands import row_bands
from models.decoding.icc import ToSrgb, color_mode

_ALPHA_MODES = frozenset({"LA", "La", "PA", "RGBA", "RGBa"})

ColorKey = tuple[int, ...]
"""The gray level or RGB color, 0 to 255 each, whose pixels are transparent."""


def find_transparency(
    image: Image.Image, kind: str, depth: int, drawn: tuple[int, int, int, int]
) -> tuple[Image.Image, ColorKey | None]:
    """Return the image with the alpha that its file means, and the color that means transparent, if there is one.

    Args:
        image: a loaded image of 8-bit samples.
        kind: the format of its file.
        depth: bits of a sample in a PNG file; 8 for other formats.
        drawn: the box that the file draws: left, upper, right, lower, in pixels.
    """
    if kind == "BMP" and image.mode == "RGBA" and not image.getchannel("A").getbbox():
        return image.convert("RGB"), None  # writers that leave the fourth byte at zero mean no transparency
    if drawn != (0, 0, *image.size):
        return _transparent_outside(image, drawn), None
    key = _color_key(image, depth)
    if image.mode != "P" or isinstance(image.info.get("transparency"), str):
        # Dealt with, or a text chunk of that name. Pillow would convert it along with the pixels, and fail on the text.
        image.info.pop("transparency", None)
    return image, key


def composite(
    image: Image.Image,
    key: ColorKey | None,
    to_srgb: ToSrgb,
    background: tuple[int, int, int],
    *,
    into: npt.NDArray[np.uint8],
) -> bool:
    """Write the image as sRGB over `background` into (H, W, 3) uint8; return whether any background shows through."""
    transparent = False
    for rows, band in row_bands(image):
        colors, alpha = _split(band, key)
        shown = to_srgb(colors)
        if alpha is not None and np.asarray(alpha).min() < 255:
            canvas = Image.new("RGB", band.size, background)
            canvas.paste(shown, mask=alpha)  # (alpha * shown + (255 - alpha) * background) / 255, correctly rounded
            shown, transparent = canvas, True
        into[rows] = np.asarray(shown)
    return transparent


def _transparent_outside(image: Image.Image, drawn: tuple[int, int, int, int]) -> Image.Image:
    """Return a frame as RGBA, transparent where nothing is drawn on the canvas; Pillow has palette entry 0 there."""
    mask = Image.new("L", image.size, 0)
    mask.paste(255, drawn)
    framed = image.convert("RGBA")
    framed.putalpha(ImageChops.darker(framed.getchannel("A"), mask))
    return framed


def _color_key(image: Image.Image, depth: int) -> ColorKey | None:
    """Return the color of a 1, L or RGB image that means transparent, on the scale of its pixels.

    Pillow hands on the number in the file, which counts in steps of the file's `depth` in bits.
    """
    key = image.info.get("transparency")
    if image.mode == "RGB" and isinstance(key, tuple):
        return tuple(level >> 8 for level in key) if depth == 16 else key
    if image.mode in ("1", "L") and isinstance(key, int):
        return (key * 255 // ((1 << depth) - 1) if depth in (2, 4) else key,)
    return None


def _split(band: Image.Image, key: ColorKey | None) -> tuple[Image.Image, Image.Image | None]:
    """Return a band's colors (L, RGB or CMYK) and its alpha (L), None where it has none."""
    if key is not None:
        colors = _colors(band)
        levels = np.asarray(colors).reshape(band.height, band.width, -1)
        opaque = (levels != key).any(axis=-1)
        return colors, Image.fromarray(np.where(opaque, 255, 0).astype(np.uint8))
    if not _has_alpha(band):
        return _colors(band), None
    layered = band.convert("LA" if band.mode in ("LA", "La") else "RGBA")
    return _colors(layered), layered.getchannel("A")


def _has_alpha(image: Image.Image) -> bool:
    return image.mode in _ALPHA_MODES or (image.mode == "P" and "transparency" in image.info)


def _colors(image: Image.Image) -> Image.Image:
    mode = color_mode(image)
    return image if image.mode == mode else image.convert(mode)
