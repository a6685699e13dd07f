"""Pixels as a file, written by Pillow: what the codecs have in common that palette images are compared with."""

from io import BytesIO

import numpy as np
import numpy.typing as npt
from PIL import Image

from models.rgb import check_pixels


def save(pixels: npt.NDArray[np.uint8], kind: str, **options: object) -> bytes:
    """(H, W, 3) uint8 sRGB as a file of Pillow's format `kind`, without metadata.

    Raises ValueError where `pixels` have another shape or dtype.
    """
    check_pixels(pixels)
    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, kind, **options)
    return buffer.getvalue()


def check_quality(quality: int) -> None:
    """Raise ValueError unless `quality` is from 1 to 100; Pillow takes others and does as it likes."""
    if not 1 <= quality <= 100:
        raise ValueError(f"quality must be 1 to 100, not {quality}")
