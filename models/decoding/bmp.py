"""BMP files that Pillow does not read, or not rightly.

Pixels that are bit fields, 16 or 32 bits with a mask for each channel, are read here: Pillow ignores the alpha of
16-bit pixels and reads only the usual masks. Files with two bits per pixel, with a short header of OS/2 or with a
palette that is too long are written anew for Pillow. Compressions that no reader knows are named.

Sources of the structures: Microsoft's documentation of BITMAPINFOHEADER, BITMAPV4HEADER and BITMAPV5HEADER; "OS/2 2.0
Presentation Manager Programming Reference", IBM 1992, for BITMAPINFOHEADER2.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from models.errors import BadImage, UnsupportedFormat

_HEADER = 14  # byte offset of the second header
_WITH_FIELDS, _WITH_ALPHA_FIELDS = 3, 6  # compressions; the second has a mask of alpha after a header of 40 bytes
_MASKS_AT = _HEADER + 40
_COLORS_AT = _HEADER + 32  # number of colors in the palette
_HEADER_WITH_ALPHA = 56  # bytes of the smallest header that holds a mask of alpha
_USUAL = (0xFF0000, 0xFF00, 0xFF, 0xFF000000)
_BAND_PIXELS = 1 << 20
_HEADER_OF_WINDOWS, _HEADERS_OF_OS2 = 40, range(16, 65)  # bytes; OS/2 writes any beginning of a header of 64 bytes
_COMPRESSIONS = {4: "a JPEG inside a BMP", 5: "a PNG inside a BMP"} | dict.fromkeys((11, 12, 13), "a BMP of CMYK")
_COMPRESSIONS_OF_OS2 = {3: "a BMP with Huffman coding", 4: "a BMP with run lengths of 24-bit colors"}


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


def check_compression(data: bytes) -> None:
    """Raise UnsupportedFormat for a BMP whose pixels are compressed in a way that is not read; the message names it."""
    size, *_, compression = _header(data)
    name = _COMPRESSIONS.get(compression)
    if _is_of_os2(size):
        name = _COMPRESSIONS_OF_OS2.get(compression, name)
    if name is not None:
        raise UnsupportedFormat(f"This is {name}, which is not accepted. Save it again as PNG or JPEG.")


def for_pillow(data: bytes) -> bytes:
    """Return a BMP without bit fields as Pillow reads it; `data` itself where nothing has to change.

    Raises:
        BadImage: rows of two bits per pixel are missing.
    """
    size, width, height, _, bits, compression = _header(data)
    if _is_of_os2(size) and size < _HEADER_OF_WINDOWS:
        (offset,) = struct.unpack_from("<I", data, 10)
        fields = data[_HEADER : _HEADER + size].ljust(_HEADER_OF_WINDOWS, b"\0")
        longer = _HEADER_OF_WINDOWS - size
        head = data[:10] + struct.pack("<II", offset + longer, _HEADER_OF_WINDOWS) + fields[4:]
        data, size = head + data[_HEADER + size :], _HEADER_OF_WINDOWS
    if size >= _HEADER_OF_WINDOWS and bits <= 8:
        (colors,) = struct.unpack_from("<I", data, _COLORS_AT)
        if colors > 1 << bits:
            data = data[:_COLORS_AT] + struct.pack("<I", 1 << bits) + data[_COLORS_AT + 4 :]
        if bits == 2 and compression == 0 and width > 0:
            return _with_four_bits(data, size, width, height)
    return data


def bmp_size(data: bytes) -> tuple[int, int]:
    """Return the width and height in pixels that the header of a BMP states; 0 for both in a header of 12 bytes."""
    _, width, height, *_ = _header(data)
    return max(0, width), abs(height)


def _header(data: bytes) -> tuple[int, int, int, int, int, int]:
    """Return size, width, height, planes, bits and compression; zeros after the size for a header of 12 bytes."""
    (size,) = struct.unpack_from("<I", data, _HEADER)
    if size < _HEADERS_OF_OS2.start:
        return size, 0, 0, 0, 0, 0
    stored = data[_HEADER : _HEADER + min(size, _HEADER_OF_WINDOWS)].ljust(_HEADER_OF_WINDOWS, b"\0")
    width, height, planes, bits, compression = struct.unpack_from("<iiHHI", stored, 4)
    return size, width, height, planes, bits, compression


def _is_of_os2(size: int) -> bool:
    return size in _HEADERS_OF_OS2 and size not in (_HEADER_OF_WINDOWS, 52, 56)


def _with_four_bits(data: bytes, size: int, width: int, height: int) -> bytes:
    """Return a BMP of two bits per pixel as one of four."""
    (offset,) = struct.unpack_from("<I", data, 10)
    rows, stride = abs(height), (2 * width + 31) // 32 * 4
    if len(data) < offset + rows * stride:
        raise BadImage("A part of the picture is missing from the BMP file. Save it again and send the whole file.")
    stored = np.frombuffer(data, np.uint8, rows * stride, offset).reshape(rows, stride)
    pairs = np.stack([stored >> 4, stored & 15], axis=-1)  # of pixels
    doubled = ((pairs & 12) << 2 | pairs & 3).reshape(rows, 2 * stride)
    packed = doubled[:, : (4 * width + 31) // 32 * 4].tobytes()
    bits_at = _HEADER + 14
    return data[:bits_at] + struct.pack("<H", 4) + data[bits_at + 2 : offset] + packed


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
