"""Pixels as a file, written by Pillow: what the codecs have in common that palette images are compared with."""

from io import BytesIO

import numpy as np
import numpy.typing as npt
from PIL import Image


def save(pixels: npt.NDArray[np.uint8], kind: str, **options: object) -> bytes:
    """(H, W, 3) uint8 sRGB as a file of Pillow's format `kind`, without metadata.

    Raises ValueError where `pixels` have another shape or dtype.
    """
    if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8 or pixels.size == 0:
        raise ValueError(f"pixels must be (H, W, 3) uint8 and not empty, not {pixels.shape} {pixels.dtype}")
    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, kind, **options)
    return buffer.getvalue()


def check_quality(quality: int) -> None:
    """Raise ValueError unless `quality` is from 1 to 100; Pillow takes others and does as it likes."""
    if not 1 <= quality <= 100:
        raise ValueError(f"quality must be 1 to 100, not {quality}")
