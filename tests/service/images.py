"""Small uploads, made in memory."""

import io
import struct
import zlib

import numpy as np
from PIL import Image

from models.codecs import bpg, packed
from models.palette_image import nearest
from models.rgb import Pixels


def ramp(width: int = 40, height: int = 24) -> Pixels:
    """Return (height, width, 3) uint8 pixels: dark on the left, light on the right, more yellow towards the bottom."""
    x = np.linspace(0, 255, width)[None, :]
    y = np.linspace(0, 1, height)[:, None]
    channels = [x + 0 * y, x * (1 - y / 4), x * (1 - y / 2)]
    return np.stack(channels, axis=-1).round().astype(np.uint8)


def encoded(pixels: Pixels, image_format: str = "PNG") -> bytes:
    """Encode `pixels` in one of ACCEPTED_FORMATS, or in another format of Pillow."""
    buffer = io.BytesIO()
    if image_format == "BPG":
        return bpg.encode(pixels)
    if image_format == "PACKED":
        return packed.encode(nearest(pixels, pixels[0, :8].copy()))
    Image.fromarray(pixels).save(buffer, image_format)
    return buffer.getvalue()


PHOTO = encoded(ramp(), "JPEG")
DRAWING = encoded(ramp())
PHOTOGRAPH = encoded(ramp(90, 65))  # larger than the largest small image of the fake engine
BPG = encoded(ramp(), "BPG")


def bomb(side: int = 13_000) -> bytes:
    """Return a valid 1-bit PNG of side x side white pixels in some kilobytes."""
    row = b"\0" + b"\xff" * -(-side // 8)
    chunks = (
        (b"IHDR", struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)),
        (b"IDAT", zlib.compress(row * side, 9)),
        (b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in chunks)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def pixels_of(data: bytes) -> Pixels:
    """Decode `data` with Pillow to (H, W, 3) uint8."""
    return np.asarray(opened(data).convert("RGB"))


def opened(data: bytes) -> Image.Image:
    """Decode `data` with Pillow."""
    image = Image.open(io.BytesIO(data))
    image.load()
    return image
