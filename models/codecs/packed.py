"""Palette images in the fewest bytes: a few bytes of header, the palette, and the index map by the best coder at hand.

docs/packed.md specifies the format. A file is smaller than the PNG or the lossless WebP of the same image, most of all
where it is small: an image of 32x32 pixels in two colors takes about 85 bytes, where PNG takes 210.
"""

import zlib
from binascii import crc_hqx
from dataclasses import dataclass
from typing import Self

import deflate
import numpy as np

from models.codecs import packed_model
from models.codecs.packed_model import damaged
from models.codecs.png import Effort
from models.codecs.raw import pack_rows, unpack_rows
from models.palette_image import PaletteImage

_MARK = 0xB0  # of the first byte, in its upper six bits; no text in UTF-8 begins with it
_MODELED, _WITH_ALPHA = 1, 2  # its lower two bits
_CHECK = 2  # bytes of the CRC-16 at the end, which makes that of the whole file 0
_MAX_VARINT = 4  # bytes of a side
_LEVELS = {"fast": 6, "default": 9, "max": 12}  # of libdeflate


@dataclass(frozen=True)
class Header:
    """The beginning of a file. size: bytes of the header itself."""

    width: int
    height: int
    colors: int
    is_modeled: bool
    has_alpha: bool
    size: int

    @classmethod
    def parse(cls, file: bytes) -> Self:
        """Read the header of a file, whose end may be missing. Raises CodecError."""
        if not is_packed(file) or len(file) < 2:
            raise damaged("it has no header")
        width, at = _varint(file, 2)
        height, at = _varint(file, at)
        if not width or not height:
            raise damaged("its header states an image without pixels")
        return cls(width, height, file[1] + 1, bool(file[0] & _MODELED), bool(file[0] & _WITH_ALPHA), at)

    def to_bytes(self) -> bytes:
        """Return the header as it stands in a file."""
        first = _MARK | _MODELED * self.is_modeled | _WITH_ALPHA * self.has_alpha
        return bytes([first, self.colors - 1, *_as_varint(self.width), *_as_varint(self.height)])


def is_packed(file: bytes) -> bool:
    """Return whether the first byte is that of a packed image."""
    return file[:1] != b"" and file[0] & ~(_MODELED | _WITH_ALPHA) == _MARK


def encode(image: PaletteImage, *, effort: Effort = "default", keep_order: bool = False) -> bytes:
    """Return `image` as a packed file, by the model or by deflate, whichever is smaller.

    The model is for at most `packed_model.MAX_COLORS` colors and `packed_model.MAX_DECISIONS` decisions. Above that
    only deflate remains, and the file is hardly smaller than a PNG.

    Args:
        image: the palette image. Unused palette entries are written too; `compact` drops them.
        effort: "fast" for deflate alone; "default" and "max" try both.
        keep_order: whether to write the palette in its own order, and not in the order of `ordered`.

    Raises:
        ValueError: `effort` is not one of the three.
    """
    if effort not in _LEVELS:
        raise ValueError(f"effort must be one of {', '.join(_LEVELS)}, not {effort!r}")
    image = image if keep_order else ordered(image)
    files = [_file(image, image.palette.tobytes() + _deflated(image, effort), is_modeled=False)]
    if effort != "fast" and packed_model.can_encode(image):
        files.append(_file(image, packed_model.encode(image), is_modeled=True))
    return min(files, key=len)


def ordered(image: PaletteImage) -> PaletteImage:
    """Return `image` with its palette sorted by green, then red, blue and alpha, which takes fewest bytes."""
    red, green, blue = image.palette.T
    return image.reordered(np.lexsort((image.opacity(), blue, red, green)))


def decode(file: bytes, *, max_pixels: int) -> PaletteImage:
    """Return the image of a packed file.

    Args:
        file: the whole file.
        max_pixels: limit on width times height; checked before anything is decoded.

    Raises:
        CodecError: the file is damaged, cut short or no packed file, or its image is too large.
    """
    header = Header.parse(file)
    if crc_hqx(file, 0):
        raise damaged("its checksum does not match")
    if header.width * header.height > max_pixels:
        raise damaged(f"it has {header.width} x {header.height} pixels, more than {max_pixels:,}")
    body = file[header.size : -_CHECK]
    alpha = None
    if header.has_alpha:
        alpha, body = np.frombuffer(_part(body, header.colors), np.uint8), body[header.colors :]
    if header.is_modeled:
        image = packed_model.decode(body, header.width, header.height, header.colors)
    else:
        image = _inflated(header, body)
    return PaletteImage(image.indices, image.palette, alpha)


def _file(image: PaletteImage, body: bytes, *, is_modeled: bool) -> bytes:
    has_alpha = image.alpha is not None
    header = Header(image.width, image.height, image.colors, is_modeled, has_alpha, 0)
    checked = header.to_bytes() + (image.opacity().tobytes() if has_alpha else b"") + body
    return checked + crc_hqx(checked, 0).to_bytes(_CHECK, "big")


def _deflated(image: PaletteImage, effort: Effort) -> bytes:
    rows = pack_rows(image.indices, image.bit_depth)
    return bytes(deflate.deflate_compress(rows, _LEVELS[effort]))


def _inflated(header: Header, body: bytes) -> PaletteImage:
    palette = np.frombuffer(_part(body, 3 * header.colors), np.uint8).reshape(-1, 3)
    bits = next(bits for bits in (1, 2, 4, 8) if header.colors <= 1 << bits)
    row = -(-header.width * bits // 8)
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        rows = inflater.decompress(body[palette.size :], row * header.height)
        ended = inflater.eof or not inflater.decompress(inflater.unconsumed_tail, 1)
    except zlib.error as error:
        raise damaged("its index map cannot be inflated") from error
    if len(rows) < row * header.height or not ended or not inflater.eof or inflater.unused_data:
        raise damaged("its index map has another size than its header states")
    indices = unpack_rows(np.frombuffer(rows, np.uint8).reshape(header.height, row), header.width, bits)
    if int(indices.max()) >= header.colors:
        raise damaged("an index points outside its palette")
    return PaletteImage(indices, palette)


def _part(body: bytes, size: int) -> bytes:
    if len(body) < size:
        raise damaged("its palette is cut short")
    return body[:size]


def _as_varint(value: int) -> bytes:
    """Return `value` in groups of seven bits, the lowest first; all but the last byte have their highest bit set."""
    groups = []
    while value > 127:
        groups.append(value & 127 | 128)
        value >>= 7
    return bytes([*groups, value])


def _varint(file: bytes, at: int) -> tuple[int, int]:
    """Return the value of `_as_varint` at a position, and the position behind it."""
    value = 0
    for place, byte in enumerate(file[at : at + _MAX_VARINT]):
        value |= (byte & 127) << 7 * place
        if byte < 128:
            return value, at + place + 1
    raise damaged("its header states no width or height")
