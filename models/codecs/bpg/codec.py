"""Decoding of BPG files to pixels, and encoding of pixels to BPG files."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from models.codecs.bpg import color, container, hevc, nal_units, slice_headers
from models.codecs.bpg.coding_tools import Tools
from models.codecs.bpg.color import Plane
from models.codecs.bpg.container import BpgFile
from models.codecs.bpg.header import Alpha, BpgHeader, ColorSpace, Extension, PixelFormat
from models.codecs.bpg.nal_units import Nal, NalType
from models.codecs.bpg.parameter_sets import Shape
from models.errors import CodecError
from models.rgb import Pixels, check_pixels

MAX_PIXELS = 50_000_000
"""Default limit on the pixels of an image."""

_SMALL = 1 << 20  # samples of a coded plane that are always allowed: blocks of 64x64 may enlarge a small image greatly

_MAX_UNITS = 700  # of one picture: no level of HEVC allows more than 600 slices (table A.8)

_MAX_WORK = 4 * MAX_PIXELS  # slices times samples: each slice of a few bytes may visit the whole picture


def decode(data: bytes, *, max_pixels: int = MAX_PIXELS) -> Pixels:
    """Decode a BPG file to exactly the pixels of the reference decoder, `bpgdec`.

    An animation yields its first picture. CMYK is converted to RGB, and premultiplied alpha to straight alpha. EXIF
    orientation and ICC profile are not applied. Safe to call from several threads.

    Args:
        data: the bytes of one BPG file; any bytes are safe.
        max_pixels: limit on width times height; checked from the header, before any memory is allocated.

    Returns:
        (H, W, 3) uint8 sRGB, or (H, W, 4) with straight alpha where the file has alpha.

    Raises:
        CodecError: the file is not BPG, damaged, cut short, too large, or of a kind that FFmpeg decodes wrongly.
    """
    file = container.parse(data)
    _check_size(file, max_pixels)
    _check_kind(file)
    try:
        return _decode(file)
    except MemoryError as error:
        raise CodecError("The BPG image needs more memory than is available. Send a smaller one.") from error


def _check_size(file: BpgFile, max_pixels: int) -> None:
    header = file.header
    if header.width * header.height > max_pixels:
        raise CodecError(
            f"The BPG image has {header.width} x {header.height} pixels; at most {max_pixels:,} pixels are allowed. "
            "Send a smaller one."
        )
    for tools in filter(None, (file.color, file.alpha)):
        width, height = _coded_size(header, 1 << tools.log2_min_block)
        if width * height > max(max_pixels + max_pixels // 4, _SMALL):
            raise CodecError("The BPG image is so narrow that its HEVC picture would be many times as large.")


def _check_kind(file: BpgFile) -> None:
    """Raise CodecError for a file that FFmpeg cannot decode, or decodes to wrong pixels without an error."""
    if file.header.bit_depth not in hevc.DECODED_DEPTHS:
        raise CodecError(f"BPG images with {file.header.bit_depth} bits per sample are not supported.")
    # With transform_skip_rotation, FFmpeg decodes lossless blocks as `bpgdec` does, although H.265 differs. No known
    # encoder sets this flag.
    for extension in (tools.range_extension for tools in (file.color, file.alpha) if tools):
        # FFmpeg smooths block borders that a lossless encoder with implicit RDPCM does not smooth (clause 8.4.4.2.6).
        if extension and extension.implicit_rdpcm:
            raise CodecError(
                "BPG images with implicit RDPCM, as `bpgenc -e jctvc -lossless` writes them, are not supported."
            )
        if extension and (extension.extended_precision or extension.cabac_bypass_alignment):  # BPG, clause 3.3
            raise CodecError("The BPG file uses an extension of HEVC that BPG does not allow.")


def _coded_size(header: BpgHeader, block: int) -> tuple[int, int]:
    """Return width and height of the HEVC picture: the image size, rounded up to whole blocks (BPG, clause 3.2)."""
    return -(-header.width // block) * block, -(-header.height // block) * block


def _decode(file: BpgFile) -> Pixels:
    header = file.header
    planes = _decode_layer(file, 0, header.pixel_format, file.color)
    pixels = color.to_rgb(
        planes, header.pixel_format, header.color_space, header.bit_depth, limited=header.limited_range
    )
    if file.alpha is None:
        return pixels
    [second] = _decode_layer(file, 1, PixelFormat.GRAY, file.alpha)
    if header.alpha is Alpha.WHITE:
        color.multiply_white(pixels, second, header.bit_depth)
        return pixels
    pixels = np.dstack([pixels, color.to_eight_bits(second, header.bit_depth)])
    if header.alpha is Alpha.PREMULTIPLIED:
        color.divide_alpha(pixels)
    return pixels


def _decode_layer(file: BpgFile, layer: int, layout: PixelFormat, tools: Tools) -> list[Plane]:
    """Decode the first picture of a layer to planes, cropped to the size of the image."""
    header, chroma = file.header, layout.chroma_format
    shape = Shape(chroma, *_coded_size(header, 1 << tools.log2_min_block), header.bit_depth)
    picture = _first_picture(file, layer)
    if sum(nal.is_slice for nal in picture) * shape.width * shape.height > _MAX_WORK:
        raise CodecError("The BPG image has more slices than are accepted at its size.")
    slice_headers.check_quantization(picture, shape, tools)
    first, *others = hevc.decode_picture(picture, shape, tools)
    rows = -(-header.height // 2) if chroma == 1 else header.height
    columns = -(-header.width // 2) if chroma in (1, 2) else header.width
    return [first[: header.height, : header.width], *(plane[:rows, :columns] for plane in others)]


def _first_picture(file: BpgFile, layer: int) -> list[Nal]:
    """Return the units of the first picture of a layer, renumbered as the base layer."""
    if any(nal.layer > (file.alpha is not None) for nal in file.nals):
        raise CodecError("The BPG file is damaged: it has more layers than its header declares.")
    units = [nal.in_base_layer() for nal in file.nals if nal.layer == layer and nal.type != NalType.PREFIX_SEI]
    starts = [at for at, nal in enumerate(units) if nal.starts_picture]
    if not starts or (len(starts) > 1 and not file.header.animation):
        raise CodecError("The BPG file is damaged or cut short: the number of its pictures is wrong.")
    first = units[: starts[1]] if len(starts) > 1 else units
    # A parameter set inside the data could replace the one that was checked.
    kinds = {nal.type for nal in first}
    if not kinds <= {*nal_units.PICTURES, NalType.PPS, NalType.SUFFIX_SEI} or len(first) > _MAX_UNITS:
        raise CodecError("The BPG file is damaged: it has HEVC data that do not belong in a still picture.")
    return first


Chroma = Literal["444", "422", "420", "gray"]
Space = Literal["ycbcr", "rgb"]

_FORMATS = {"gray": PixelFormat.GRAY, "420": PixelFormat.YUV420, "422": PixelFormat.YUV422, "444": PixelFormat.YUV444}
_SPACES = {"ycbcr": ColorSpace.YCBCR, "rgb": ColorSpace.RGB}


@dataclass(frozen=True)
class Coding:
    """Parameters of the encoder; checked when it is built.

    Attributes:
        qp: quantization parameter of HEVC, 0 to 51; six more double the quantization step. Ignored if
            `lossless` is set.
        lossless: whether planes are stored exactly. Pixels are then exact in "rgb" with 8 bits, and gray pixels in
            "gray".
        chroma: resolution of the chroma planes: "444", "422", "420", or "gray" for none.
        color_space: "ycbcr" (BT.601, full range), or "rgb", which requires chroma "444".
        bit_depth: bits of a sample, 8 or 10.
        transform_skip: whether x265 may code small blocks without a transform. Images of few colors become much
            smaller, and photos do not become larger.

    Raises:
        ValueError: a value is out of range, or the values do not fit together.
    """

    qp: int = 28
    lossless: bool = False
    chroma: Chroma = "444"
    color_space: Space = "ycbcr"
    bit_depth: int = 8
    transform_skip: bool = True

    def __post_init__(self) -> None:
        if not 0 <= self.qp <= 51:
            raise ValueError(f"qp must be 0 to 51, not {self.qp}")
        if self.chroma not in _FORMATS:
            raise ValueError(f"chroma must be one of {', '.join(_FORMATS)}, not {self.chroma}")
        if self.color_space not in _SPACES:
            raise ValueError(f"color_space must be one of {', '.join(_SPACES)}, not {self.color_space}")
        if self.bit_depth not in (8, 10):
            raise ValueError(f"bit_depth must be 8 or 10, not {self.bit_depth}")
        if self.color_space == "rgb" and self.chroma != "444":
            raise ValueError(f"color_space rgb requires chroma 444, not {self.chroma}")


def encode(pixels: Pixels, coding: Coding, extensions: tuple[Extension, ...] = ()) -> bytes:
    """Return `pixels` as a BPG file. Every conforming decoder shows the pixels that `decode` returns.

    Equal input gives equal bytes. Safe to call from several threads, which encode in parallel.

    Args:
        pixels: (H, W, 3) uint8 sRGB.
        coding: parameters of the encoder.
        extensions: metadata to store in the header.

    Raises:
        CodecError: the image is larger than BPG, x265 or memory allow.
        ValueError: `pixels` has another shape or dtype.
    """
    check_pixels(pixels)
    height, width = pixels.shape[:2]
    layout, space, depth = _FORMATS[coding.chroma], _SPACES[coding.color_space], coding.bit_depth
    header = BpgHeader(width, height, layout, space, depth, extensions=extensions)
    block = 8 if min(width, height) > 8 else 16  # x265 requires sides of 16, and the block size implies the coded size
    shape = Shape(layout.chroma_format, *_coded_size(header, block), depth)
    planes = color.from_rgb(pixels, layout, space, depth)
    qp = None if coding.lossless else coding.qp
    tools, nals = hevc.encode_picture(planes, shape, block, qp=qp, transform_skip=coding.transform_skip)
    return container.serialize(BpgFile(header, tools, None, tuple(nals)))


def fixed_bytes(file: bytes) -> int:
    """Return the number of bytes of a BPG file that do not depend on its pixels, about 25 for a file of `encode`.

    They are the header with its extensions, the HEVC header, the picture parameter set, and two bytes of each slice.

    Raises:
        CodecError: `file` is not a whole BPG file.
    """
    return len(file) - sum(len(nal.data) - 2 for nal in container.parse(file).nals if nal.is_slice)
