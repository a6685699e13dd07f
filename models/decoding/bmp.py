"""BMP files whose pixels are bit fields: 16 or 32 bits with a mask for each channel.

Pillow ignores the alpha of 16-bit pixels and reads only the usual masks. Source of the structures: Microsoft's
documentation of BITMAPINFOHEADER, BITMAPV4HEADER and BITMAPV5HEADER.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from models.errors import BadImage

_HEADER = 14  # byte offset of the second header
_WITH_FIELDS, _WITH_ALPHA_FIELDS = 3, 6  # compressions; the second has a mask of alpha after a header of 40 bytes
_MASKS_AT = _HEADER + 40
_HEADER_WITH_ALPHA = 56  # bytes of the smallest header that holds a mask of alpha
_USUAL = (0xFF0000, 0xFF00, 0xFF, 0xFF000000)
_BAND_PIXELS = 1 << 20


@dataclass(frozen=True)
class BitFields:
    """A picture of bit fields.

    Attributes:
        width, height: in pixels.
        bits: of a pixel, 16 or 32.
        masks: the bits of red, green, blue and alpha; the last is 0 in an opaque picture.
        offset: of the first row in the file.
        upward: whether the first row is the lowest of the picture.
    """

    width: int
    height: int
    bits: int
    masks: tuple[int, int, int, int]
    offset: int
    upward: bool

    @property
    def stride(self) -> int:
        """Bytes from one row to the next: a multiple of four."""
        return (self.width * self.bits + 31) // 32 * 4


def read_bit_fields(data: bytes) -> BitFields | None:
    """Return the description of a BMP of bit fields; None for any other BMP, and for a damaged header."""
    try:
        (offset, size, width, height, _, bits, compression) = struct.unpack_from("<IIiiHHI", data, 10)
        fields = compression == _WITH_FIELDS or (compression == _WITH_ALPHA_FIELDS and size == _MASKS_AT - _HEADER)
        if not fields or size < _MASKS_AT - _HEADER or bits not in (16, 32) or width < 1 or height == 0:
            return None
        has_alpha = size >= _HEADER_WITH_ALPHA or compression == _WITH_ALPHA_FIELDS
        red, green, blue, alpha = struct.unpack_from("<4I" if has_alpha else "<3I4x", data, _MASKS_AT) + (0,) * (
            not has_alpha
        )
    except struct.error:
        return None
    masks = (red, green, blue, alpha) if red | green | blue else _USUAL
    behind_masks = _MASKS_AT + (0 if size > _MASKS_AT - _HEADER else 16 if has_alpha else 12)
    return BitFields(width, abs(height), bits, masks, offset or max(_HEADER + size, behind_masks), height > 0)


def load_bit_fields(data: bytes, fields: BitFields) -> Image.Image:
    """Return the picture as RGBA, or as RGB where no mask of alpha exists.

    Raises:
        BadImage: rows are missing.
    """
    if len(data) < fields.offset + fields.stride * fields.height:
        raise BadImage("A part of the picture is missing from the BMP file. Save it again and send the whole file.")
    image = Image.new("RGBA" if fields.masks[3] else "RGB", (fields.width, fields.height))
    for top, rows in _bands(data, fields):
        channels = [_levels(rows, mask) for mask in fields.masks[: len(image.getbands())]]
        image.paste(Image.fromarray(np.stack(channels, axis=-1)), (0, top))
    return image


def _bands(data: bytes, fields: BitFields) -> Iterator[tuple[int, npt.NDArray[np.uint32]]]:
    """Yield bands of pixels from top to bottom, each with the number of its first row."""
    stored = np.frombuffer(data, np.uint8, fields.stride * fields.height, fields.offset).reshape(fields.height, -1)
    rows = stored[::-1] if fields.upward else stored
    step = max(1, _BAND_PIXELS // fields.width)
    for top in range(0, fields.height, step):
        band = np.ascontiguousarray(rows[top : top + step]).view(f"<u{fields.bits // 8}")
        yield top, band[:, : fields.width].astype(np.uint32)


def _levels(pixels: npt.NDArray[np.uint32], mask: int) -> npt.NDArray[np.uint8]:
    """Return the field of a mask on the scale of 0 to 255; zeros for an empty mask."""
    if not mask:
        return np.zeros(pixels.shape, np.uint8)
    shift = (mask & -mask).bit_length() - 1
    values: npt.NDArray[np.uint32] = (pixels & np.uint32(mask)) >> np.uint32(shift)
    levels: npt.NDArray[np.float64] = np.rint(values * (255 / (mask >> shift)))
    return levels.astype(np.uint8)
