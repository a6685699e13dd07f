"""Pixels as lossy WebP, the best of the common lossy formats at small file sizes, and palette images as lossless WebP.

J. Zern, P. Massimino and J. Alakuijala, "WebP Image Format", RFC 9649, 2024; section numbers refer to this text.
"""

import struct
from io import BytesIO
from typing import Literal

from PIL import Image

from models.codecs.pillow import check_quality, save
from models.errors import BadOption
from models.palette_image import PaletteImage
from models.rgb import Pixels

MAX_SIDE = 16_383
"""Pixels of the longest side that a WebP can have (section 3.4)."""

_EFFORTS = {"fast": (25, 0), "default": (75, 4), "max": (75, 5)}
"""Quality and method of libwebp's lossless coder. At 100 and 6 it takes 20 times as long as at 75 and 5."""

_METHOD = 4  # the default of libwebp, 0 to 6; 6 needs twice the time for 2 to 7 percent fewer bytes
_HEADER = struct.Struct("<4s4x8sI")  # RIFF, file size, WEBP and chunk name, size of the chunk data


def encode(pixels: Pixels, quality: int) -> bytes:
    """Return `pixels` as a lossy WebP.

    Args:
        pixels: (H, W, 3) uint8 sRGB, H and W at most 16383.
        quality: 1 to 100 on the scale of libwebp, which differs from the scale of JPEG.

    Raises:
        ValueError: `pixels` has another shape or dtype, or `quality` is out of range.
    """
    check_quality(quality)
    return save(pixels, "WEBP", quality=quality, method=_METHOD)


def encode_lossless(image: PaletteImage, *, effort: Literal["fast", "default", "max"] = "default") -> bytes:
    """Return `image` as a lossless WebP with the same pixels; the file has alpha if an entry is not opaque.

    WebP chooses the order of its palette, and drops unused entries. Transparent pixels keep their colors.

    Args:
        image: the palette image.
        effort: a higher effort takes more time for fewer bytes.

    Raises:
        BadOption: the image is too wide or too high for the format.
    """
    if max(image.height, image.width) > MAX_SIDE:
        raise BadOption(
            f"a WebP has at most {MAX_SIDE} pixels along a side, and the image has {image.width} x {image.height}; "
            "ask for a PNG instead"
        )
    quality, method = _EFFORTS[effort]
    picture = Image.fromarray(image.render())
    if image.alpha is not None:
        picture.putalpha(Image.fromarray(image.render_alpha()))
    buffer = BytesIO()
    picture.save(buffer, "WEBP", lossless=True, exact=True, quality=quality, method=method)
    return buffer.getvalue()


def fixed_bytes(file: bytes) -> int:
    """Return the number of bytes of a WebP file of one lossy picture outside the data of its VP8 chunk.

    `encode` writes 20: 12 for the file header and 8 for the chunk header (sections 2.4 and 2.5).

    Raises:
        ValueError: `file` is not a WebP file of one lossy picture.
    """
    if len(file) < _HEADER.size:
        raise ValueError("not a WebP file")
    riff, kind, length = _HEADER.unpack_from(file)
    if (riff, kind) != (b"RIFF", b"WEBPVP8 "):
        raise ValueError("not a WebP file of one lossy picture")
    return len(file) - int(length)
