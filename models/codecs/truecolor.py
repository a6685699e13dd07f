"""Pixels as a 24-bit PNG, exactly: what an image costs before anything is taken from it."""

import io

import numpy as np
import numpy.typing as npt
from PIL import Image

from models.codecs.pillow import save
from models.codecs.png import fixed_bytes as fixed_bytes
from models.rgb import Pixels


def encode(pixels: npt.NDArray[np.uint8]) -> bytes:
    """(H, W, 3) uint8 sRGB as a PNG of 8 bits a channel, with Pillow's choice of row filters and its best compression.

    Raises ValueError where `pixels` have another shape or dtype.
    """
    return save(pixels, "PNG", optimize=True)


def encode_rgb(pixels: Pixels) -> bytes:
    """(H, W, 3) uint8 as a 24-bit PNG."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", compress_level=3)  # half the time of the default, some percent larger
    return buffer.getvalue()
