"""Lossy codecs that studies compare palettes with: JPEG and WebP of the project, AVIF and JPEG XL by Pillow.

The service writes neither AVIF nor JPEG XL. JPEG XL needs the package pillow-jxl-plugin, which no extra installs: its
license is the GPL.
"""

from collections.abc import Callable, Mapping
from importlib import import_module
from io import BytesIO
from types import MappingProxyType

import numpy as np
from PIL import Image

from models.codecs import jpeg, webp
from models.codecs.pillow import save
from models.rgb import Pixels
from training.data.datasets import DatasetError

_JXL_PLUGIN = "pillow_jxl"  # registers its format with Pillow when it is imported


def encode(codec: str, pixels: Pixels, quality: int) -> bytes:
    """Return `pixels`, (H, W, 3) uint8 sRGB, as a file of `codec`, one of CODECS.

    quality: 1 to 100, on a scale that differs from codec to codec. Raises DatasetError for JPEG XL without its package.
    """
    return CODECS[codec](pixels, quality)


def decode(file: bytes) -> Pixels:
    """Return the (H, W, 3) uint8 sRGB pixels of a file that `encode` wrote."""
    with Image.open(BytesIO(file)) as picture:
        return np.asarray(picture.convert("RGB"))


def _avif(pixels: Pixels, quality: int) -> bytes:
    return save(pixels, "AVIF", quality=quality, max_threads=1)


def _jxl(pixels: Pixels, quality: int) -> bytes:
    try:
        import_module(_JXL_PLUGIN)
    except ImportError:
        raise DatasetError("JPEG XL needs the package pillow-jxl-plugin: pip install pillow-jxl-plugin") from None
    return save(pixels, "JXL", quality=quality, num_threads=1)


CODECS: Mapping[str, Callable[[Pixels, int], bytes]] = MappingProxyType(
    {"jpeg": jpeg.encode, "webp": webp.encode, "avif": _avif, "jxl": _jxl}
)
"""Encoders by the name of the codec."""
