"""Transparency: the ways in which a file marks pixels as transparent, and the background behind them."""

import numpy as np
from PIL import Image, ImageChops

from models.decoding.bands import Box
from models.decoding.color_modes import to_color_mode

_ALPHA_MODES = frozenset({"LA", "La", "PA", "RGBA", "RGBa"})

Color = tuple[int, int, int]
"""An sRGB color: red, green and blue, 0 to 255 each."""

ColorKey = tuple[int, ...]
"""The gray level or RGB color, 0 to 255 each, whose pixels are transparent."""


def with_intended_alpha(image: Image.Image, kind: str, drawn: Box) -> Image.Image:
    """Return the image with the alpha channel that its file intends; `image` itself if nothing changes.

    Args:
        image: a loaded image of 8-bit samples.
        kind: the format of its file.
        drawn: the box that the file draws. Pixels outside it become transparent.
    """
    if kind == "BMP" and image.mode == "RGBA" and not image.getchannel("A").getbbox():
        return image.convert("RGB")  # many writers leave the fourth byte at zero and mean an opaque image
    return image if drawn == (0, 0, *image.size) else _transparent_outside(image, drawn)


def pop_color_key(image: Image.Image, depth: int) -> ColorKey | None:
    """Return the color that marks transparent pixels of a 1, L or RGB image, on the scale of its pixels, or None.

    Remove Pillow's entry for this color from `image.info`, except for a palette image, which needs it. Pillow would
    convert the entry with the pixels, and fail if a text chunk named "transparency" has replaced it.

    Args:
        image: a loaded image of 8-bit samples.
        depth: bits of a sample in a PNG file; 8 for other formats. Pillow reports the color on this scale.
    """
    key = image.info.get("transparency")
    if image.mode != "P" or isinstance(key, str):
        image.info.pop("transparency", None)
    if image.mode == "RGB" and isinstance(key, tuple):
        return key
    if image.mode in ("1", "L") and isinstance(key, int):
        return (key * 255 // ((1 << depth) - 1) if depth in (2, 4) else key,)
    return None


def split_alpha(image: Image.Image, key: ColorKey | None) -> tuple[Image.Image, Image.Image | None]:
    """Return the colors of an image (L, RGB or CMYK) and its alpha (L), or None where every pixel is opaque."""
    if key is not None:
        colors = to_color_mode(image)
        alpha = _alpha_of_key(colors, key)
    elif _has_alpha(image):
        layered = image.convert("LA" if image.mode in ("LA", "La") else "RGBA")
        colors, alpha = to_color_mode(layered), layered.getchannel("A")
    else:
        return to_color_mode(image), None
    return colors, alpha if np.asarray(alpha).min() < 255 else None


def on_canvas(
    frame: Image.Image, alpha: Image.Image | None, key: ColorKey | None, size: tuple[int, int], drawn: Box
) -> Image.Image:
    """Return a frame as RGBA in its box of a canvas of this size, which is transparent elsewhere.

    Args:
        frame: the frame, of 8-bit samples.
        alpha: its alpha, L, where its mode has none.
        key: its transparent color, if any.
        size: width and height of the canvas.
        drawn: the box that the frame fills.
    """
    colors, own = split_alpha(frame, key)
    layered = colors.convert("RGBA")
    mask = alpha or own
    if mask is not None:
        layered.putalpha(mask)
    canvas = Image.new("RGBA", size)
    canvas.paste(layered, drawn)
    return canvas


def over_background(rgb: Image.Image, alpha: Image.Image, background: Color) -> Image.Image:
    """Return an RGB image composited over a plain background.

    Each channel is (alpha * rgb + (255 - alpha) * background) / 255, correctly rounded.
    """
    canvas = Image.new("RGB", rgb.size, background)
    canvas.paste(rgb, mask=alpha)
    return canvas


def _transparent_outside(image: Image.Image, drawn: Box) -> Image.Image:
    """Return a frame as RGBA, transparent outside the box; Pillow puts palette entry 0 there."""
    mask = Image.new("L", image.size, 0)
    mask.paste(255, drawn)
    framed = image.convert("RGBA")
    framed.putalpha(ImageChops.darker(framed.getchannel("A"), mask))
    return framed


def _alpha_of_key(colors: Image.Image, key: ColorKey) -> Image.Image:
    levels = np.asarray(colors).reshape(colors.height, colors.width, -1)
    opaque = (levels != key).any(axis=-1)
    return Image.fromarray(np.where(opaque, 255, 0).astype(np.uint8))


def _has_alpha(image: Image.Image) -> bool:
    return image.mode in _ALPHA_MODES or (image.mode == "P" and "transparency" in image.info)
