"""The chunks of a PNG file: what its picture needs, what is known of its colors, and what is damaged beside it.

Pillow gets a file that holds the picture alone, so damage in other chunks costs nothing but these chunks.
Specification: "Portable Network Graphics (PNG) Specification (Third Edition)", W3C 2025; clause numbers refer to it.
"""

import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from models.codecs.png import SIGNATURE
from models.decoding.bands import Box
from models.decoding.color_space import profile_of_code_points, profile_of_gamma
from models.decoding.hdr import HdrColors, hdr_colors
from models.decoding.png_content import (
    CHECKS,
    GRAY_TYPES,
    MAX_PROFILE,
    MAX_RAW_EXIF,
    chromaticities,
    frame_box,
    gamma,
    lies_in,
    peak,
    profile,
    raw_exif,
)
from models.errors import BadImage

_PICTURE = frozenset({b"IHDR", b"PLTE", b"IDAT"})  # chunks whose damage is damage of the picture
_PALETTE_TYPE, _ALPHA_BIT = 3, 4
_NAMED_CHUNKS = 4  # in a note
_DAMAGED = "The PNG file is damaged in its picture (chunk {}). Send the file as it was written, or save it again."
_CUT_SHORT = "The PNG file ends before its picture does. Save it again and send the whole file."


@dataclass(frozen=True, eq=False)
class PngFile:
    """A PNG file without what its picture does not need.

    Attributes:
        width, height: of the canvas in pixels.
        depth: bits of a sample.
        color_type: as in the header.
        plain: a PNG file of the picture alone, or of the first frame of the animation.
        drawn: the box of the canvas that this picture fills.
        is_animated: whether other frames exist.
        exif: EXIF data, or None.
        profile: ICC profile of the colors, or a color space of high dynamic range, or None for sRGB.
        profile_source: the chunks that state the color space, for a note.
        skipped: names of damaged chunks.
    """

    width: int
    height: int
    depth: int
    color_type: int
    plain: bytes
    drawn: Box
    is_animated: bool
    exif: bytes | None
    profile: bytes | HdrColors | None
    profile_source: str
    skipped: tuple[str, ...]

    @property
    def notes(self) -> tuple[str, ...]:
        """A note on the damaged chunks."""
        if not self.skipped:
            return ()
        more = ", ..." if len(self.skipped) > _NAMED_CHUNKS else ""
        return (f"damaged PNG chunks skipped: {', '.join(self.skipped[:_NAMED_CHUNKS])}{more}",)


def read_png(data: bytes, check_size: Callable[[int, int], None]) -> PngFile:
    """Return the parts of a PNG file that `check_png` has accepted.

    Args:
        data: the bytes of the file.
        check_size: called with width and height, before anything else is read; may raise an error.

    Raises:
        BadImage: a chunk of the picture is damaged or cut short.
    """
    check_size(*struct.unpack_from(">II", data, 16))
    chunks = list(_chunks(data))
    if chunks[0].damaged:
        raise BadImage(_DAMAGED.format("IHDR"))
    header = bytes(chunks[0].content)
    width, height, depth, color_type = struct.unpack_from(">IIBB", header)
    reader = _Reader(depth, color_type, width, height)
    for chunk in chunks[1:]:
        reader.read(chunk)
    drawn, pieces = reader.first_frame()
    size = struct.pack(">II", drawn[2] - drawn[0], drawn[3] - drawn[1])
    plain = [(b"IHDR", size + header[8:])]
    plain += [(kind, reader.kept[kind]) for kind in (b"PLTE", b"tRNS") if kind in reader.kept]
    profile, source = reader.color_space()
    return PngFile(
        width=width,
        height=height,
        depth=depth,
        color_type=color_type,
        plain=SIGNATURE + b"".join(_written(*each) for each in [*plain, (b"IDAT", b"".join(pieces)), (b"IEND", b"")]),
        drawn=drawn,
        is_animated=reader.is_animated,
        exif=reader.kept.get(b"eXIf") or reader.raw_exif,
        profile=profile,
        profile_source=source,
        skipped=tuple(dict.fromkeys(reader.skipped)),
    )


@dataclass(frozen=True, eq=False)
class _Chunk:
    kind: bytes
    content: memoryview
    damaged: bool  # a wrong CRC, or the end of the file


def _chunks(data: bytes) -> Iterator[_Chunk]:
    """Yield the chunks before IEND (clause 5.3)."""
    at, view = len(SIGNATURE), memoryview(data)
    while at + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        if kind == b"IEND":
            return
        content, checksum = view[at + 8 : at + 8 + length], view[at + 8 + length : at + 12 + length]
        whole = len(content) == length and len(checksum) == 4
        yield _Chunk(
            kind, content, not whole or zlib.crc32(content, zlib.crc32(kind)) != struct.unpack(">I", checksum)[0]
        )
        at += 12 + length


class _Reader:
    """Collects the chunks after the header. kept: contents of the chunks that count, the first of each kind."""

    def __init__(self, depth: int, color_type: int, width: int, height: int) -> None:
        self._color_type, self._canvas = color_type, (0, 0, width, height)
        self.kept: dict[bytes, bytes] = {}
        self.skipped: list[str] = []
        self.raw_exif: bytes | None = None
        self._image: list[memoryview] = []
        self._frames: list[tuple[Box, list[memoryview]]] = []
        self._frame_is_image = False
        self._sequence = 0  # next number of an animation chunk
        self._animation_damaged = False

    def read(self, chunk: _Chunk) -> None:
        """Take in a chunk. Raises BadImage for a damaged chunk of the picture."""
        if chunk.damaged or not self._is_valid(chunk):
            if chunk.kind in _PICTURE:
                raise BadImage(_DAMAGED.format(chunk.kind.decode()) if len(chunk.content) else _CUT_SHORT)
            self._skip(chunk.kind)
        elif chunk.kind == b"IDAT":
            self._image.append(chunk.content)
        elif chunk.kind in (b"fcTL", b"fdAT") and not self._is_next(chunk):
            self._skip(chunk.kind)
        elif chunk.kind == b"fcTL":
            self._frames.append((frame_box(chunk.content), []))
            self._frame_is_image = self._frame_is_image or (len(self._frames) == 1 and not self._image)
        elif chunk.kind == b"fdAT":
            if self._frames:
                self._frames[-1][1].append(chunk.content[4:])
        elif chunk.kind in (b"tEXt", b"zTXt"):
            self.raw_exif = self.raw_exif or raw_exif(chunk.kind, bytes(chunk.content[: MAX_RAW_EXIF * 3]))
        elif chunk.kind == b"acTL" and (self._image or b"acTL" in self.kept):
            self._animation_damaged = True  # viewers then show the image (clause 11.3.4.1)
        elif chunk.kind in CHECKS or chunk.kind in (b"PLTE", b"eXIf"):
            self.kept.setdefault(chunk.kind, bytes(chunk.content))

    def first_frame(self) -> tuple[Box, Sequence[memoryview]]:
        """Return the box and the compressed rows of the picture that an animation begins with, else of the image."""
        if not self._image:
            raise BadImage(_CUT_SHORT)
        if self._frames and b"acTL" in self.kept and not (self._animation_damaged or self._frames_are_whole):
            self._skip(b"acTL")
        starts_apart = self._is_animation and not self._frame_is_image and self._frames[0][1]
        return self._frames[0] if starts_apart else (self._canvas, self._image)

    @property
    def is_animated(self) -> bool:
        """Whether a viewer of animations shows more than one frame."""
        return self._is_animation and struct.unpack_from(">I", self.kept[b"acTL"])[0] > 1

    def color_space(self) -> tuple[bytes | HdrColors | None, str]:
        """Return the profile of the chunk that counts most, and its name: cICP, iCCP, sRGB, then gAMA with cHRM."""
        gray = self._color_type in GRAY_TYPES
        if b"cICP" in self.kept:
            primaries, transfer, *_ = self.kept[b"cICP"]
            bright = hdr_colors(primaries, transfer, peak(self.kept))
            return bright or profile_of_code_points(primaries, transfer, gray=gray), "cICP color space"
        if b"iCCP" in self.kept:
            return profile(self.kept[b"iCCP"]), "ICC profile"
        if b"sRGB" in self.kept or b"gAMA" not in self.kept:
            return None, ""
        colors = chromaticities(self.kept[b"cHRM"]) if b"cHRM" in self.kept else None
        return profile_of_gamma(gamma(self.kept[b"gAMA"]), colors, gray=gray), "gAMA and cHRM"

    @property
    def _is_animation(self) -> bool:
        """Whether viewers show an animation. With an error in its chunks they show the image (clause 4.9)."""
        return b"acTL" in self.kept and self._frames_are_whole and not self._animation_damaged

    @property
    def _frames_are_whole(self) -> bool:
        filled = all(rows for _, rows in self._frames[self._frame_is_image :])
        return filled and 0 < len(self._frames) == struct.unpack_from(">I", self.kept[b"acTL"])[0]

    def _is_next(self, chunk: _Chunk) -> bool:
        """Return whether a chunk of an animation has the number that is due (clause 11.3.6.1)."""
        (number,) = struct.unpack_from(">I", chunk.content)
        self._sequence += 1
        return bool(number == self._sequence - 1)

    def _skip(self, kind: bytes) -> None:
        self.skipped.append(kind.decode() if kind.isalpha() else "?")
        self._animation_damaged = self._animation_damaged or kind in (b"acTL", b"fcTL", b"fdAT")

    def _is_valid(self, chunk: _Chunk) -> bool:
        """Return whether the content of an intact chunk can be used."""
        content = bytes(chunk.content[:MAX_PROFILE]) if chunk.kind in CHECKS else b""
        if chunk.kind == b"PLTE":
            return len(chunk.content) % 3 == 0 and 0 < len(chunk.content) <= 3 * 256
        if chunk.kind == b"tRNS":
            return self._is_transparency(len(chunk.content))
        if chunk.kind == b"fcTL":
            return len(chunk.content) == 26 and lies_in(frame_box(chunk.content), self._canvas)
        if chunk.kind == b"fdAT":
            return len(chunk.content) >= 4
        if chunk.kind == b"zTXt":
            return b"\0\0" in bytes(chunk.content[:81])  # after at most 79 bytes of name, the method is 0
        try:
            return chunk.kind not in CHECKS or CHECKS[chunk.kind](content, self._color_type)
        except (ValueError, struct.error, zlib.error):
            return False

    def _is_transparency(self, length: int) -> bool:
        if self._color_type == _PALETTE_TYPE:
            return 0 < length <= len(self.kept.get(b"PLTE", bytes(3 * 256))) // 3
        return not self._color_type & _ALPHA_BIT and length == (2 if self._color_type == 0 else 6)


def _written(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(content, zlib.crc32(kind)))
