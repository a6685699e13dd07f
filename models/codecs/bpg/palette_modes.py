"""BPG files of few-color images, from which the index map can be read back exactly.

A codec for photos blurs what it stores, but a few colors far apart stand much of that: every pixel still is nearest to
the color it had. How far one can go is found by trying. On 32x32 images of two colors by k-means such a file is 15
percent smaller than a PNG of one bit a pixel, and a sixth of what HEVC takes for the exact colors; where the index map
is rougher, or with four colors, it is about as large as the PNG; with more, or on larger images, the PNG is the one to
take.

Lossy RGB takes twice the bytes of YCbCr for the same index map, but where colors are so near each other that the
rounding of YCbCr mixes them up.
"""

import struct
from collections.abc import Callable
from dataclasses import replace
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.codecs.bpg import codec
from models.codecs.bpg.codec import Chroma, Coding, Space
from models.codecs.bpg.header import Extension, ExtensionTag, PixelFormat, parse_header
from models.errors import CodecError
from models.palette_image import PaletteImage, nearest
from models.rgb import Pixels

Mode = Literal["plain", "auto", "index"]

_QPS = range(52)  # HEVC's, finest first
_FINE = 16  # a QP under which colors are so near each other that RGB, or no loss at all, may take fewer bytes
_WHITE, _MIDDLE = 255, 128  # of an index plane


class Encoded(NamedTuple):
    """A BPG file, and how it was coded."""

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
    """Pixels or a palette image as a BPG file: `encode_as` with the coding in words."""
    return encode_as(image, Coding(qp, lossless, chroma, color_space, bit_depth), mode).file


def encode_as(image: Pixels | PaletteImage, coding: Coding, mode: Mode = "plain") -> Encoded:
    """Pixels or a palette image as a BPG file; any reader shows the pixels that `decode` gives.

    Safe to call from several threads, which then encode side by side; equal input gives equal bytes.

    Args:
        image: (H, W, 3) uint8 sRGB, or a palette image.
        coding: how to code it; other modes than "plain" choose that themselves: give them nothing but qp and chroma.
        mode: "plain", or one that chooses:
            "auto" makes, of a palette image, the smallest file in which each pixel is nearest to its own color of the
            palette, at whatever QP and chroma that is, so that `models.palette_image.nearest` gives the index map back;
            of pixels, the file of the highest PSNR at the QP. A palette image costs ten to fifteen times the time of
            "plain".
            "index" stores an image of two colors as black and white, at the highest QP at which the two can be told
            apart, with the colors as metadata. Only `read_index_plane` puts them together: any other reader shows
            black and white, which is why "auto" does not choose it. It is larger than "auto" on small images, and 4
            percent smaller on a photo of 451x300.

    Raises:
        CodecError: the image is larger than BPG, x265 or memory allow.
        ValueError: no such mode; "index" and an image that has not a palette of two colors; a coding that the mode
            would not keep to.
    """
    if mode == "plain":
        return _encoded(image.render() if isinstance(image, PaletteImage) else image, coding)
    if coding != Coding(coding.qp, chroma=coding.chroma):
        raise ValueError(f"the mode {mode} chooses the coding itself, so not {coding}")
    if mode == "index" and isinstance(image, PaletteImage):
        return _index_plane(image)
    if mode == "auto":
        return _smallest_exact(image) if isinstance(image, PaletteImage) else _best_at(image, coding.qp)
    raise ValueError(f"no such mode, or not of these pixels: {mode}")


def _encoded(pixels: Pixels, coding: Coding, extensions: tuple[Extension, ...] = ()) -> Encoded:
    return Encoded(codec.encode(pixels, coding, extensions), coding)


def _smallest_exact(image: PaletteImage) -> Encoded:
    gray = _is_gray(image.compact().palette)
    first = coarsest_exact(image, Coding(chroma="gray" if gray else "444"))
    qp = first.coding.qp if first else 0
    near = range(max(0, qp - 4), min(qp + 4, len(_QPS)))
    searches = [] if gray else [(Coding(chroma="422"), near), (Coding(chroma="420"), near)]
    if qp < _FINE and not gray:
        searches.append((Coding(color_space="rgb"), _QPS))
    found = [first, *(coarsest_exact(image, coding, qps) for coding, qps in searches)]
    if qp < _FINE:
        lossless = Coding(lossless=True, chroma="gray") if gray else Coding(lossless=True, color_space="rgb")
        found.append(_encoded(image.render(), lossless))
    return min(filter(None, found), key=_size)


def coarsest_exact(image: PaletteImage, coding: Coding, qps: range = _QPS) -> Encoded | None:
    """The file of the highest QP from which `models.palette_image.nearest` gives the index map back.

    coding: everything but the QP. None where no QP that was tried keeps the index map.
    """
    pixels, palette = image.render(), image.compact().palette

    def is_exact(file: bytes) -> bool:
        return np.array_equal(nearest(codec.decode(file, max_pixels=pixels.size), palette).render(), pixels)

    return _coarsest(lambda qp: _encoded(pixels, replace(coding, qp=qp)), is_exact, qps)


def _coarsest(
    encode_at: Callable[[int], Encoded], is_exact: Callable[[bytes], bool], qps: range = _QPS
) -> Encoded | None:
    """The exact file of the highest QP, found by halving the range; None where no tried one is exact.

    Now and then a QP is exact and a lower one is not, so what is found may not be the very highest.
    """
    found = None
    while qps:
        middle = len(qps) // 2
        encoded = encode_at(qps[middle])
        if is_exact(encoded.file):
            found, qps = encoded, qps[middle + 1 :]
        else:
            qps = qps[:middle]
    return found


def _best_at(pixels: Pixels, qp: int) -> Encoded:
    """The file of the least squared error at a QP, and of those the smallest."""
    chromas: tuple[Chroma, ...] = ("gray",) if _is_gray(pixels) else ("444", "420")

    def error(encoded: Encoded) -> int:
        difference = np.subtract(codec.decode(encoded.file, max_pixels=pixels.size), pixels, dtype=np.int32)
        return int(np.sum(difference * difference, dtype=np.int64))

    tried = [_encoded(pixels, Coding(qp, chroma=chroma)) for chroma in chromas]
    return min(tried, key=lambda encoded: (error(encoded), _size(encoded)))


def _size(encoded: Encoded) -> int:
    return len(encoded.file)


def _is_gray(colors: NDArray[np.uint8]) -> bool:
    return bool((colors[..., 1:] == colors[..., :1]).all())


# An index plane is a gray image in which the brighter of two colors is white, and the other black. The colors are the
# ColorMap of a TIFF structure, as EXIF metadata are: the field that says what the indices of a palette image stand for
# (TIFF 6.0, section 5), of one bit a pixel where nothing else is said.
_TIFF = struct.Struct(">2sHIHHHIII6H")
_COLOR_MAP = (b"MM", 42, 8, 1, 0x140, 3, 6, 26, 0)  # the first directory is at 8: one field, six SHORTs at 26; the last


def _index_plane(image: PaletteImage) -> Encoded:
    if image.colors != 2:
        raise ValueError(f"an index plane is of two colors, not {image.colors}")
    color_map = _TIFF.pack(*_COLOR_MAP, *(257 * image.palette.T.astype(int)).ravel())
    metadata = (Extension(ExtensionTag.EXIF, color_map),)
    levels = np.where(_is_white(image.palette), _WHITE, 0).astype(np.uint8)
    pixels = np.repeat(levels[image.indices][:, :, None], 3, axis=2)
    found = _coarsest(
        lambda qp: _encoded(pixels, Coding(qp, chroma="gray"), metadata),
        lambda file: read_index_plane(file, max_pixels=pixels.size) == image,
    )
    return found or _encoded(pixels, Coding(lossless=True, chroma="gray"), metadata)


def read_index_plane(data: bytes, *, max_pixels: int = codec.MAX_PIXELS) -> PaletteImage:
    """Return the palette image of a file that `encode` made in mode "index".

    Raises CodecError where `data` is not such a file, or not a whole one, or has more than `max_pixels`.
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
    if len(exif) != _TIFF.size:
        return None
    (*fields,) = _TIFF.unpack(exif)
    if tuple(fields[:9]) != _COLOR_MAP:
        return None
    return (np.array(fields[9:]) // 257).astype(np.uint8).reshape(3, 2).T


def _is_white(palette: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Which one of two colors is white in an index plane: the brighter, of equals the second, (2,) bool."""
    first, second = palette.astype(int) @ (299, 587, 114)
    return np.array([first > second, first <= second])
