"""The header of a BPG file: everything in front of its HEVC data.

Fabrice Bellard, "BPG Specification", as distributed with libbpg 0.9.8; clauses 3.1 and 3.2 define syntax and semantics.
"""

from dataclasses import dataclass, field
from enum import Enum, IntEnum
from typing import TypeVar

from models.codecs.bpg.bits import BitReader, BitWriter, read_ue7, write_ue7
from models.errors import CodecError

MAGIC = b"BPG\xfb"
"""The first four bytes of every BPG file (file_magic, clause 3.2)."""

_MAX_EXTENSIONS = 64  # five kinds are defined; without a limit, each byte of an upload could become an object

_Kind = TypeVar("_Kind", bound=IntEnum)


class PixelFormat(IntEnum):
    """pixel_format (clause 3.2). Chroma lies between luma samples, as in JPEG; with VIDEO, on them, as in MPEG-2."""

    GRAY = 0
    YUV420 = 1
    YUV422 = 2
    YUV444 = 3
    YUV420_VIDEO = 4
    YUV422_VIDEO = 5

    @property
    def chroma_format(self) -> int:
        """chroma_format_idc of HEVC."""
        return (0, 1, 2, 3, 1, 2)[self]

    @property
    def cosited(self) -> bool:
        """Whether chroma samples coincide with every other luma sample of a row."""
        return self >= PixelFormat.YUV420_VIDEO


class ColorSpace(IntEnum):
    """color_space (clause 3.2)."""

    YCBCR = 0
    RGB = 1
    YCGCO = 2
    YCBCR_BT709 = 3
    YCBCR_BT2020 = 4


class Alpha(Enum):
    """Meaning of the second picture, as (alpha1_flag, alpha2_flag) (clause 3.2); WHITE makes RGB a CMYK image."""

    NONE = (False, False)
    STRAIGHT = (True, False)
    PREMULTIPLIED = (True, True)
    WHITE = (False, True)


class ExtensionTag(IntEnum):
    """The defined values of extension_tag (clause 3.2). Decoders skip other values."""

    EXIF = 1
    ICC = 2
    XMP = 3
    THUMBNAIL = 4
    ANIMATION = 5


@dataclass(frozen=True)
class Extension:
    """One entry of extension_data (clause 3.1) as raw bytes."""

    tag: int
    data: bytes


@dataclass(frozen=True)
class BpgHeader:
    """The header of a BPG file (heic_file of clause 3.1, up to the HEVC data); checked when it is built.

    Attributes:
        width, height: picture_width and picture_height, at least 1.
        pixel_format: the planes of the picture, and the positions of chroma samples.
        color_space: the meaning of the planes; YCBCR for gray.
        bit_depth: bits of a sample, 8 to 14.
        alpha: the meaning of the second picture; NONE where there is none.
        limited_range: whether luma and chroma use only the range of video, 16 to 235 and 16 to 240 at 8 bits.
        animation: whether more pictures follow; an extension then holds their timing.
        extensions: metadata such as EXIF, in the order of the file.
        data_length: picture_data_length, the number of bytes behind the header; 0 means the rest of the file.

    Raises:
        CodecError: the specification forbids this combination, or BPG decoders reject it.
    """

    width: int
    height: int
    pixel_format: PixelFormat
    color_space: ColorSpace = ColorSpace.YCBCR
    bit_depth: int = 8
    alpha: Alpha = Alpha.NONE
    limited_range: bool = False
    animation: bool = False
    extensions: tuple[Extension, ...] = ()
    data_length: int = field(default=0, compare=False)

    def __post_init__(self) -> None:
        if not (0 < self.width < 1 << 30 and 0 < self.height < 1 << 30):  # the limit of libbpg
            raise CodecError(f"A BPG image cannot have {self.width} x {self.height} pixels.")
        if not 8 <= self.bit_depth <= 14:
            raise CodecError(f"A BPG image cannot have {self.bit_depth} bits a sample, only 8 to 14.")
        gray = self.pixel_format is PixelFormat.GRAY
        if gray and (self.color_space is not ColorSpace.YCBCR or self.alpha is Alpha.WHITE):
            raise CodecError("The BPG file is damaged: a gray image cannot have a color space or be CMYK.")
        if self.animation:
            _check_timing([each.data for each in self.extensions if each.tag == ExtensionTag.ANIMATION])


def _check_timing(controls: list[bytes]) -> None:
    """Raise CodecError unless there is a valid animation control extension: loop count, frame duration (clause 3.2)."""
    if not controls:
        raise CodecError("The BPG file is damaged: it is an animation without timing.")
    at, numbers = 0, []
    for _ in range(3):
        number, at = read_ue7(controls[-1], at)
        numbers.append(number)
    if max(numbers) >= 1 << 16 or 0 in numbers[1:]:
        raise CodecError("The BPG file is damaged: the timing of its animation is invalid.")


def parse_header(data: bytes) -> tuple[BpgHeader, int]:
    """Return the header at the front of `data`, and the number of its bytes.

    Raises:
        CodecError: `data` does not start with a whole and valid header.
    """
    if not data.startswith(MAGIC):
        raise CodecError("This is not a BPG file.")
    flags = BitReader(data[4:6])
    pixel_format = _defined(PixelFormat, flags.u(3))  # pixel_format
    alpha1 = flags.flag()  # alpha1_flag
    bit_depth = flags.u(4) + 8  # bit_depth_minus_8
    color_space = _defined(ColorSpace, flags.u(4))  # color_space
    extended = flags.flag()  # extension_present_flag
    alpha = Alpha((alpha1, flags.flag()))  # alpha2_flag
    limited_range = flags.flag()  # limited_range_flag
    animation = flags.flag()  # animation_flag
    width, at = read_ue7(data, 6)  # picture_width
    height, at = read_ue7(data, at)  # picture_height
    data_length, at = read_ue7(data, at)  # picture_data_length
    extensions, at = _parse_extensions(data, at) if extended else ((), at)
    header = BpgHeader(
        width,
        height,
        pixel_format,
        color_space,
        bit_depth,
        alpha,
        limited_range,
        animation,
        extensions,
        data_length,
    )
    return header, at


def serialize_header(header: BpgHeader) -> bytes:
    """Return the bytes of a header, the inverse of `parse_header`."""
    alpha1, alpha2 = header.alpha.value
    flags = BitWriter()
    flags.u(3, header.pixel_format)
    flags.flag(alpha1)
    flags.u(4, header.bit_depth - 8)
    flags.u(4, header.color_space)
    flags.flag(bool(header.extensions))
    flags.flag(alpha2)
    flags.flag(header.limited_range)
    flags.flag(header.animation)
    numbers = (header.width, header.height, header.data_length)
    return MAGIC + flags.padded() + b"".join(map(write_ue7, numbers)) + _serialize_extensions(header.extensions)


def _defined(kind: type[_Kind], value: int) -> _Kind:
    try:
        return kind(value)
    except ValueError:
        raise CodecError("The BPG file has a pixel format or a color space that is not defined.") from None


def _parse_extensions(data: bytes, at: int) -> tuple[tuple[Extension, ...], int]:
    """Return the extensions at byte `at`, from extension_data_length on, and the position behind them."""
    length, at = read_ue7(data, at)  # extension_data_length
    end = at + length
    if end > len(data):
        raise CodecError("The BPG file ends inside its extension data: send the whole file.")
    extensions = []
    while at < end:
        tag, at = read_ue7(data[:end], at)  # extension_tag
        length, at = read_ue7(data[:end], at)  # extension_tag_length
        extensions.append(Extension(tag, data[at : at + length]))  # extension_tag_data_byte
        at += length
        if at > end or len(extensions) > _MAX_EXTENSIONS:
            raise CodecError("The BPG file is damaged: its extensions are too many or do not fit their length.")
    return tuple(extensions), at


def _serialize_extensions(extensions: tuple[Extension, ...]) -> bytes:
    """Return the bytes of the extensions, the inverse of `_parse_extensions`; no bytes for no extensions."""
    entries = b"".join(write_ue7(each.tag) + write_ue7(len(each.data)) + each.data for each in extensions)
    return write_ue7(len(entries)) + entries if entries else b""
