"""Pixels as a 24-bit PNG, without loss."""

from typing import Literal

from models.codecs.pillow import save
from models.codecs.png import fixed_bytes as fixed_bytes
from models.rgb import Pixels

Effort = Literal["fast", "max"]

_FAST_LEVEL = 3  # level of zlib: half the time of the default level, for a file that is a few percent larger


def encode(pixels: Pixels, *, effort: Effort = "max") -> bytes:
    """Return `pixels` as a PNG of 8 bits a channel, with the row filters that Pillow selects.

    Args:
        pixels: (H, W, 3) uint8 sRGB.
        effort: "max" for the smallest file, "fast" while a client waits. The pixels are the same.

    Raises:
        ValueError: `pixels` has another shape or dtype.
    """
    if effort == "max":
        return save(pixels, "PNG", optimize=True)
    return save(pixels, "PNG", compress_level=_FAST_LEVEL)
