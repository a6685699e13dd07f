"""Palette images as PNG: the smallest bit depth, compressed by libdeflate.

"Portable Network Graphics (PNG) Specification (Second Edition)", W3C 2003, also ISO/IEC 15948; clause numbers refer to
this text. A file holds only the four critical chunks, and tRNS where an entry is not opaque. Rows have filter 0, as
clause 12.8 recommends for palette images: indices are labels, not quantities, so differences of indices rarely compress
better. The highest effort sorts the palette by brightness, which gives similar colors close indices. It applies the
filter that compresses a sample of the rows best.
"""

import struct
import zlib
from typing import Literal

import deflate
import numpy as np
import numpy.typing as npt

from models.codecs.raw import pack_rows
from models.palette_image import PaletteImage
from models.pauses import pause

Effort = Literal["fast", "default", "max"]

SIGNATURE = b"\x89PNG\r\n\x1a\n"
"""The first eight bytes of every PNG (clause 5.2)."""

_LEVELS: dict[str, int] = {"fast": 6, "default": 9, "max": 12}  # libdeflate's levels go to 12, a near-optimal parser
_NONE, _SUB, _UP, _PAETH = 0, 1, 2, 4  # filter types (clause 9.2) that may be the best for the indices of a photo
_QUICK = 1  # compression level at which filters are compared
_SAMPLE_BYTES = 1 << 18  # scanline bytes on which filters are compared; with fewer bytes the selection is often wrong
_OPAQUE = 255
_LUMA = (0.299, 0.587, 0.114)
_BAND_BYTES = 1 << 20  # scanline bytes that are predicted at a time, in wider integers
_FRAME = 12  # bytes of a chunk around its data: length, type and CRC (clause 5.3)
_PALETTE = 3  # color type (clause 11.2.2): each sample is a palette index
_DEFLATE, _ADAPTIVE_FILTERS, _NOT_INTERLACED = 0, 0, 0  # the method fields of the header


def encode(image: PaletteImage, *, effort: Effort = "default", keep_order: bool = False) -> bytes:
    """Return `image` as a PNG file, at `image.bit_depth` bits per pixel before compression.

    Args:
        image: the palette image. Unused palette entries are written too; `compact` drops them.
        effort: "fast", "default" or "max"; a higher effort takes more time for fewer bytes. All efforts keep the
            pixels. The palette is written in the order of `ordered`.
        keep_order: whether to write the palette in its own order.

    Raises:
        ValueError: `effort` is not one of the three.
    """
    if effort not in _LEVELS:
        raise ValueError(f"effort must be one of {', '.join(_LEVELS)}, not {effort!r}")
    if not keep_order:
        image = ordered(image, effort=effort)
    rows = pack_rows(image.indices, image.bit_depth, margin=1)  # a filter byte of 0 (clause 7.2)
    if effort == "max":
        rows = _filtered(rows, _best_filter(rows, image.bit_depth))
    header = struct.pack(
        ">IIBBBBB", image.width, image.height, image.bit_depth, _PALETTE, _DEFLATE, _ADAPTIVE_FILTERS, _NOT_INTERLACED
    )
    data = deflate.zlib_compress(rows, _LEVELS[effort])
    transparency = ((b"tRNS", _transparency(image)),) if image.alpha is not None else ()
    chunks = (b"IHDR", header), (b"PLTE", image.palette.tobytes()), *transparency, (b"IDAT", data), (b"IEND", b"")
    return SIGNATURE + b"".join(part for kind, data in chunks for part in _chunk(kind, data))


def ordered(image: PaletteImage, *, effort: Effort) -> PaletteImage:
    """Return `image` with the palette order of its file: opaque entries last, and at effort "max" from dark to bright.

    Without the opaque entries at its end, tRNS is shorter. In the order of brightness neighboring pixels have close
    indices, which a row filter can use.
    """
    if effort != "max" and image.alpha is None:
        return image
    opaque = image.opacity() == _OPAQUE
    if effort != "max" and opaque.all():
        return image
    brightness = image.palette @ np.array(_LUMA) if effort == "max" else np.zeros(image.colors)
    return image.reordered(np.lexsort((brightness, opaque)))


def fixed_bytes(file: bytes) -> int:
    """Return the number of bytes of a PNG file outside the data of its PLTE, tRNS and IDAT chunks.

    `encode` writes 69: signature 8 (clause 5.2), IHDR 25, IEND 12, and 12 around each of PLTE and IDAT (clause 5.3);
    12 more around tRNS.

    Raises:
        ValueError: `file` is not a PNG file, or it is cut short.
    """
    if not file.startswith(SIGNATURE):
        raise ValueError("not a PNG file")
    fixed, at, kind = len(SIGNATURE), len(SIGNATURE), b""
    while kind != b"IEND":
        if at + _FRAME > len(file):
            raise ValueError("the PNG file is cut short")
        length, kind = struct.unpack_from(">I4s", file, at)
        fixed += _FRAME + (0 if kind in (b"PLTE", b"tRNS", b"IDAT") else length)
        at += _FRAME + length
    return fixed


def _transparency(image: PaletteImage) -> bytes:
    """Return the data of tRNS (clause 11.3.2.1): the alpha of each entry up to the last one that is not opaque."""
    opacity = image.opacity()
    return opacity[: 1 + int(np.flatnonzero(opacity != _OPAQUE)[-1])].tobytes()


def _best_filter(rows: npt.NDArray[np.uint8], bits: int) -> int:
    """Return the filter type that compresses a sample from the middle of unfiltered scanlines best."""
    count = -(-_SAMPLE_BYTES // rows.shape[1])
    sample = rows[max(0, len(rows) - count) // 2 :][:count]
    filters = (_NONE, _SUB, _PAETH) if bits == 8 else (_NONE, _UP)
    return min(filters, key=lambda kind: len(deflate.zlib_compress(_filtered(sample, kind), _QUICK)))


def _filtered(rows: npt.NDArray[np.uint8], kind: int) -> npt.NDArray[np.uint8]:
    """Return scanlines under a filter type (clause 9.2): the difference of each byte to its prediction."""
    if kind == _NONE:
        return rows
    padded = np.zeros((len(rows) + 1, rows.shape[1]), np.uint8)
    padded[1:, 1:] = rows[:, 1:]
    result = np.full_like(rows, kind)
    step = max(1, _BAND_BYTES // rows.shape[1])
    for top in range(0, len(rows), step):
        band = padded[top : top + step + 1]
        left, above, corner = band[1:, :-1], band[:-1, 1:], band[:-1, :-1]
        prediction = _paeth(left, above, corner) if kind == _PAETH else left if kind == _SUB else above
        result[top : top + step, 1:] = band[1:, 1:] - prediction  # modulo 256
        pause()
    return result


def _paeth(
    left: npt.NDArray[np.uint8], above: npt.NDArray[np.uint8], corner: npt.NDArray[np.uint8]
) -> npt.NDArray[np.uint8]:
    """Return the neighbor nearest to left + above - corner, the first of equally near ones (clause 9.4)."""
    a, b, c = (neighbor.astype(np.int16) for neighbor in (left, above, corner))
    to_left, to_above, to_corner = np.abs(b - c), np.abs(a - c), np.abs(a + b - 2 * c)
    of_row_above = np.where(to_above <= to_corner, above, corner)
    return np.where((to_left <= to_above) & (to_left <= to_corner), left, of_row_above)


def _chunk(kind: bytes, data: bytes | bytearray) -> tuple[bytes, bytes, bytes | bytearray, bytes]:
    """Return the parts of one chunk: length, type, data, and the CRC over type and data (clause 5.3)."""
    return struct.pack(">I", len(data)), kind, data, struct.pack(">I", zlib.crc32(data, zlib.crc32(kind)))
