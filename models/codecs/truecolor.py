"""Pixels as a 24-bit PNG, exactly: what an image costs before anything is taken from it."""

import numpy as np
import numpy.typing as npt

from models.codecs.pillow import save
from models.codecs.png import fixed_bytes as fixed_bytes


def encode(pixels: npt.NDArray[np.uint8]) -> bytes:
    """(H, W, 3) uint8 sRGB as a PNG of 8 bits a channel, with Pillow's choice of row filters and its best compression.

    Raises ValueError where `pixels` have another shape or dtype.
    """
    return save(pixels, "PNG", optimize=True)
