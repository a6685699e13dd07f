"""BPG files of palette images, lossy in color but with an exact index map.

A codec for photos blurs an image, but a few distant colors tolerate this: each pixel remains nearest to its own color.
A search finds the coarsest coding that keeps every index.

On 32x32 images of two colors from k-means, such a file is 15 percent smaller than a PNG of one bit a pixel. It has a
sixth of the bytes of lossless HEVC. With four colors, or a rougher index map, it is about as large as the PNG. With
more colors, or on larger images, the PNG is smaller.

For the same index map, lossy RGB needs twice the bytes of lossy YCbCr. RGB is better only where colors are so close
that the rounding of YCbCr merges them.
"""

import struct
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.codecs.bpg import codec
from models.codecs.bpg.codec import Chroma, Coding, Space
from models.codecs.bpg.header import Extension, ExtensionTag, PixelFormat, parse_header
from models.errors import CodecError
from models.names import BpgMode
from models.palette_image import PaletteImage, nearest
from models.rgb import Pixels

Mode = BpgMode

_QPS = range(52)  # quantization parameters of HEVC, finest first
_FINE = 16  # below this QP colors are so close that RGB or lossless coding may need fewer bytes
_WHITE, _MIDDLE = 255, 128  # levels of an index plane


class Encoded(NamedTuple):
    """A BPG file and the coding that made it."""

    file: bytes
    coding: Coding


def encode(
    image: Pixels | PaletteImage,
    *,
    qp: int = 28,
    lossless: bool = False,
    chroma: Chroma = "444",
    color_space: Space = "ycbcr",
    bit_depth: int = 8,
    mode: Mode = "plain",
) -> bytes:
    """Return pixels or a palette image as a BPG file; see `Coding` and `encode_as` for the parameters."""
    return encode_as(image, Coding(qp, lossless, chroma, color_space, bit_depth), mode).file


def encode_as(image: Pixels | PaletteImage, coding: Coding, mode: Mode = "plain") -> Encoded:
    """Return pixels or a palette image as a BPG file, and its coding.

    Every conforming decoder shows the pixels that `decode` returns. Equal input gives equal bytes. Safe to call from
    several threads, which encode in parallel.

    Args:
        image: (H, W, 3) uint8 sRGB, or a palette image.
        coding: parameters of the encoder. Modes other than "plain" select them, and accept only `qp` and `chroma` here.
        mode: "plain" uses `coding` as it is.
            "auto" returns, for a palette image, the smallest file found in which each pixel is nearest to its own
            palette color, at any QP and chroma. `models.palette_image.nearest` then recovers the index map. It needs
            ten to fifteen times the time of "plain". For pixels it returns the file of the highest PSNR at the QP.
            "index" stores an image of two colors in black and white, with its colors as metadata, at the highest QP
            that keeps the index map. Only `read_index_plane` restores the colors. Any other decoder shows black and
            white, so "auto" never selects this mode. The file is larger than with "auto" on small images, and 4
            percent smaller on a photo of 451x300.

    Raises:
        CodecError: the image is larger than BPG, x265 or memory allow.
        ValueError: the mode does not exist, "index" gets an image without a palette of two colors, or `coding` sets a
            field that the mode selects.
    """
    if mode == "plain":
        return _encoded(image.render() if isinstance(image, PaletteImage) else image, coding)
    if coding != Coding(coding.qp, chroma=coding.chroma):
        raise ValueError(f"mode {mode} selects the coding itself and accepts only qp and chroma, not {coding}")
    if mode == "index" and isinstance(image, PaletteImage):
        return _index_plane(image)
    if mode == "auto":
        return _smallest_exact(image) if isinstance(image, PaletteImage) else _best_at(image, coding.qp)
    raise ValueError(f"mode {mode!r} is unknown or does not support this image")


def _encoded(pixels: Pixels, coding: Coding, extensions: tuple[Extension, ...] = ()) -> Encoded:
    return Encoded(codec.encode(pixels, coding, extensions), coding)


def _smallest_exact(image: PaletteImage) -> Encoded:
    """Return the smallest file found that keeps the index map."""
    gray = _is_gray(image.compact().palette)
    first = coarsest_exact(image, Coding(chroma="gray" if gray else "444"))
    qp = first.coding.qp if first else 0
    near = range(max(0, qp - 4), min(qp + 4, len(_QPS)))
    searches = [] if gray else [(Coding(chroma="422"), near), (Coding(chroma="420"), near)]
    if qp < _FINE and not gray:
        searches.append((Coding(color_space="rgb"), _QPS))
    candidates = [first, *(coarsest_exact(image, coding, qps) for coding, qps in searches)]
    if qp < _FINE:
        lossless = Coding(lossless=True, chroma="gray") if gray else Coding(lossless=True, color_space="rgb")
        candidates.append(_encoded(image.render(), lossless))
    return min(filter(None, candidates), key=_size)


def coarsest_exact(image: PaletteImage, coding: Coding, qps: range = _QPS) -> Encoded | None:
    """Return the file of the highest QP found that keeps the index map, or None where no tried QP keeps it.

    The index map is kept where `models.palette_image.nearest` recovers it from the decoded pixels.

    Args:
        image: the palette image.
        coding: all parameters of the encoder except the QP.
        qps: the QPs to search, finest first.
    """
    pixels, palette = image.render(), image.compact().palette

    def is_exact(file: bytes) -> bool:
        return np.array_equal(nearest(codec.decode(file, max_pixels=pixels.size), palette).render(), pixels)

    return _coarsest(lambda qp: _encoded(pixels, replace(coding, qp=qp)), is_exact, qps)


def _coarsest(
    encode_at: Callable[[int], Encoded], is_exact: Callable[[bytes], bool], qps: range = _QPS
) -> Encoded | None:
    """Return the exact file of the highest QP found by bisection, or None where no tried QP is exact.

    Sometimes a QP is exact and a lower one is not, so the result may not be the very highest.
    """
    coarsest = None
    while qps:
        middle = len(qps) // 2
        encoded = encode_at(qps[middle])
        if is_exact(encoded.file):
            coarsest, qps = encoded, qps[middle + 1 :]
        else:
            qps = qps[:middle]
    return coarsest


def _best_at(pixels: Pixels, qp: int) -> Encoded:
    """Return the file of the least squared error at a QP, the smallest one among equals."""
    chromas: tuple[Chroma, ...] = ("gray",) if _is_gray(pixels) else ("444", "420")

    def error(encoded: Encoded) -> int:
        difference = np.subtract(codec.decode(encoded.file, max_pixels=pixels.size), pixels, dtype=np.int32)
        return int(np.sum(difference * difference, dtype=np.int64))

    candidates = [_encoded(pixels, Coding(qp, chroma=chroma)) for chroma in chromas]
    return min(candidates, key=lambda encoded: (error(encoded), _size(encoded)))


def _size(encoded: Encoded) -> int:
    return len(encoded.file)


def _is_gray(colors: NDArray[np.uint8]) -> bool:
    return bool((colors[..., 1:] == colors[..., :1]).all())


# An index plane is a gray image in which the brighter of two colors is white and the other black. EXIF metadata, which
# are a TIFF structure, hold the colors as a ColorMap: the field for the palette of an image (TIFF 6.0, section 5), with
# one bit a pixel by default.
_TIFF = struct.Struct(">2sHIHHHIII6H")
_COLOR_MAP = (b"MM", 42, 8, 1, 0x140, 3, 6, 26, 0)  # a single directory, at 8, with one field of six SHORTs at 26


def _index_plane(image: PaletteImage) -> Encoded:
    """Return a palette image of two colors as an index plane. Raise ValueError for another number of colors."""
    if image.colors != 2:
        raise ValueError(f"an index plane has two colors, not {image.colors}")
    color_map = _TIFF.pack(*_COLOR_MAP, *(257 * image.palette.T.astype(int)).ravel())
    metadata = (Extension(ExtensionTag.EXIF, color_map),)
    levels = np.where(_is_white(image.palette), _WHITE, 0).astype(np.uint8)
    pixels = np.repeat(levels[image.indices][:, :, None], 3, axis=2)
    coarsest = _coarsest(
        lambda qp: _encoded(pixels, Coding(qp, chroma="gray"), metadata),
        lambda file: read_index_plane(file, max_pixels=pixels.size) == image,
    )
    return coarsest or _encoded(pixels, Coding(lossless=True, chroma="gray"), metadata)


def read_index_plane(data: bytes, *, max_pixels: int = codec.MAX_PIXELS) -> PaletteImage:
    """Return the palette image in a file that `encode` made in mode "index".

    Raises:
        CodecError: `data` is not such a file, is not whole, or has more than `max_pixels`.
    """
    header, _ = parse_header(data)
    palette = None
    if header.pixel_format is PixelFormat.GRAY and [each.tag for each in header.extensions] == [ExtensionTag.EXIF]:
        palette = _read_color_map(header.extensions[0].data)
    if palette is None:
        raise CodecError("The BPG file is not an index plane with its two colors.")
    white = codec.decode(data, max_pixels=max_pixels)[:, :, 0] >= _MIDDLE
    return PaletteImage((white == _is_white(palette)[1]).astype(np.uint8), palette)


def _read_color_map(exif: bytes) -> NDArray[np.uint8] | None:
    """Return the palette, (2, 3) uint8, in the EXIF metadata of an index plane; None for other metadata."""
    if len(exif) != _TIFF.size:
        return None
    (*fields,) = _TIFF.unpack(exif)
    if tuple(fields[:9]) != _COLOR_MAP:
        return None
    return (np.array(fields[9:]) // 257).astype(np.uint8).reshape(3, 2).T


def _is_white(palette: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return which of two colors is white in an index plane, (2,) bool: the brighter one, or the second of equals."""
    first, second = palette.astype(int) @ (299, 587, 114)
    return np.array([first > second, first <= second])
