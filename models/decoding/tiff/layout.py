"""How a TIFF stores the samples of its first page, and which layouts are read."""

from dataclasses import dataclass

from models.decoding.tiff.directory import Directory
from models.decoding.tiff.tags import Compression, Kind, Photometric, Tag
from models.errors import BadImage, ImageTooLarge, UnsupportedFormat

_ADVICE = "Save it again as 8-bit or 16-bit RGB, or as PNG."
_MISSING = "A part of the picture is missing from the TIFF file. Save it again and send the whole file."


_LAB = (Photometric.CIELAB, Photometric.ICCLAB)

FAX = frozenset({Compression.CCITT, Compression.GROUP_3, Compression.GROUP_4})
_BYTE_CODERS = frozenset(Compression) - FAX - {Compression.JPEG, Compression.WEBP, Compression.NONE}

_UNREAD_COLORS = {4: "a transparency mask", 10: "ITU L*a*b*", 32803: "the samples of a sensor", 32844: "LogL"} | {
    32845: "LogLuv",
    34892: "the samples of a sensor",
}
_UNREAD_COMPRESSIONS = {6: "old-style JPEG", 9: "JBIG", 10: "JBIG", 32809: "ThunderScan", 34676: "SGI LogLuv"} | {
    33003: "JPEG 2000",
    33005: "JPEG 2000",
    34712: "JPEG 2000",
    34887: "LERC",
    50002: "JPEG XL",
    52546: "JPEG XL",
}
_MAX_CHANNELS = 16
_MAX_BYTES_PER_PIXEL = 8  # of the largest image; a smaller one may have more
_MAX_PADDING = 2  # pixels of all tiles per pixel of the largest image
_TILE_MULTIPLE = 16  # pixels (section 15)


@dataclass(frozen=True)
class Layout:
    """How a TIFF stores its samples.

    Attributes:
        width, height: in pixels.
        channels: samples of a pixel, extra samples included.
        bits: of a sample, 1 to 64.
        kind: the format of a sample.
        photometric: the color space.
        planar: whether each channel lies in strips or tiles of its own.
        compression: of each strip or tile.
        predictor: 1 for none, 2 for differences, 3 for differences of the bytes of floats.
        reversed_bits: whether the first bit of each byte is its lowest.
        tiled: whether the picture lies in tiles.
        segment_width, segment_height: size of a tile or strip in pixels. The last strip may be lower.
        segments: offset and length of each strip or tile in the file; the length is that to the end of the file
            where the file does not state it.
    """

    width: int
    height: int
    channels: int
    bits: int
    kind: Kind
    photometric: Photometric
    planar: bool
    compression: Compression
    predictor: int
    reversed_bits: bool
    tiled: bool
    segment_width: int
    segment_height: int
    segments: tuple[tuple[int, int], ...]

    @property
    def planes(self) -> int:
        return self.channels if self.planar else 1

    @property
    def plane_channels(self) -> int:
        return 1 if self.planar else self.channels

    @property
    def across(self) -> int:
        """Tiles side by side."""
        return -(-self.width // self.segment_width)

    @property
    def down(self) -> int:
        """Tiles or strips from top to bottom."""
        return -(-self.height // self.segment_height)

    @property
    def row_bytes(self) -> int:
        """Bytes of a row of one strip or tile before compression."""
        return -(-self.segment_width * self.plane_channels * self.bits // 8)


def read_layout(directory: Directory, size: int, max_pixels: int) -> Layout:
    """Return the layout of the page that `directory` describes, in a file of `size` bytes.

    Raises:
        UnsupportedFormat: the layout is not read. The message names what it is.
        ImageTooLarge: the picture or a tile has more than `max_pixels`, or its samples need too much memory.
        BadImage: the fields contradict each other, or a strip or tile is missing.
    """
    _reject_camera_raw(directory)
    width, height = directory.number(Tag.WIDTH, 0), directory.number(Tag.HEIGHT, 0)
    if min(width, height) < 1:
        raise BadImage("The TIFF file states no size. Save it again, for example as PNG.")
    if width * height > max_pixels:
        raise ImageTooLarge(
            f"The image has {width} x {height} pixels; at most {max_pixels:,} pixels are allowed. Send a smaller one."
        )
    compression = _compression(directory)
    channels, bits = _samples(directory)
    photometric = _photometric(directory, channels, compression)
    kind = _kind(directory, bits, photometric)
    if channels < photometric.channels:
        raise BadImage(
            f"The TIFF file has {channels} channels; {photometric.name} needs {photometric.channels}. Save it again."
        )
    tiled = Tag.TILE_WIDTH in directory
    if tiled:
        across, down = directory.number(Tag.TILE_WIDTH, 0), directory.number(Tag.TILE_ROWS, 0)
        if min(across, down) < 1 or across % _TILE_MULTIPLE:
            raise BadImage(f"The tiles of the TIFF are {across} x {down} pixels, which is not allowed. Save it again.")
        padded = -(-width // across) * -(-height // down) * across * down
        if across * down > max_pixels or padded > _MAX_PADDING * max_pixels:
            raise ImageTooLarge(f"A tile of the TIFF has {across * down:,} pixels; at most {max_pixels:,} are allowed.")
    else:
        across, down = width, min(height, directory.number(Tag.STRIP_ROWS, height) or height)
    if max(width * height, across * down) * channels * bits > 8 * _MAX_BYTES_PER_PIXEL * max_pixels:
        raise ImageTooLarge(f"The samples of the TIFF need too much memory: {channels} of {bits} bits. {_ADVICE}")
    layout = Layout(
        width=width,
        height=height,
        channels=channels,
        bits=bits,
        kind=Kind.UNSIGNED if kind is Kind.UNDEFINED else kind,
        photometric=photometric,
        planar=directory.number(Tag.PLANAR, 1) == 2 and channels > 1,
        compression=compression,
        predictor=directory.number(Tag.PREDICTOR, 1) if compression in _BYTE_CODERS else 1,
        reversed_bits=directory.number(Tag.FILL_ORDER, 1) == 2,
        tiled=tiled,
        segment_width=across,
        segment_height=down,
        segments=_segments(directory, size, tiled),
    )
    if len(layout.segments) < layout.planes * layout.down * layout.across:
        raise BadImage(_MISSING)
    _check_combination(layout)
    return layout


def _reject_camera_raw(directory: Directory) -> None:
    """Raise UnsupportedFormat for a raw format that is a TIFF whose first page is a small preview."""
    is_preview = directory.number(Tag.SUBFILE_TYPE, 0) == 1 and Tag.SUB_DIRECTORIES in directory
    if is_preview or Tag.DNG_VERSION in directory:
        raise UnsupportedFormat("This is a camera raw file, which is not accepted. Develop it and send a JPEG or PNG.")


def _compression(directory: Directory) -> Compression:
    number = directory.number(Tag.COMPRESSION, 1)
    try:
        return Compression(number)
    except ValueError:
        name = _UNREAD_COMPRESSIONS.get(number, f"compression {number}")
        raise UnsupportedFormat(f"The TIFF is compressed as {name}, which is not read. {_ADVICE}") from None


def _samples(directory: Directory) -> tuple[int, int]:
    """Return the number of channels and the bits of each."""
    channels = directory.number(Tag.CHANNELS, 1)
    bits = directory.numbers(Tag.BITS, (1,))
    if not 1 <= channels <= _MAX_CHANNELS:
        raise UnsupportedFormat(f"The TIFF has {channels} channels; 1 to {_MAX_CHANNELS} are read. {_ADVICE}")
    if len(set(bits[:channels])) > 1 or not 1 <= bits[0] <= 64:
        depths = ", ".join(map(str, bits[:channels]))
        raise UnsupportedFormat(f"The TIFF has samples of {depths} bits, which are not read. {_ADVICE}")
    return channels, bits[0]


def _photometric(directory: Directory, channels: int, compression: Compression) -> Photometric:
    """Return the color space; where the file states none, the one that libtiff assumes."""
    assumed = Photometric.RGB if channels > 2 else Photometric(compression not in FAX)
    number = directory.number(Tag.PHOTOMETRIC, assumed)
    try:
        photometric = Photometric(number)
    except ValueError:
        name = _UNREAD_COLORS.get(number, f"color space {number}")
        raise UnsupportedFormat(f"The TIFF holds {name}, which is not read. {_ADVICE}") from None
    if photometric is Photometric.YCBCR and channels == 1:
        return Photometric.BLACK_IS_ZERO  # luma alone
    if photometric is Photometric.CMYK and directory.number(Tag.INK_SET, 1) != 1:
        raise UnsupportedFormat(f"The TIFF holds inks other than CMYK, which are not read. {_ADVICE}")
    return photometric


def _kind(directory: Directory, bits: int, photometric: Photometric) -> Kind:
    formats = set(directory.numbers(Tag.SAMPLE_FORMAT, (1,)))
    if photometric in _LAB and formats <= {Kind.UNSIGNED, Kind.SIGNED}:
        formats = {Kind.UNSIGNED}  # writers state one, the other or both for the same numbers
    if len(formats) > 1 or not formats <= set(Kind):
        raise UnsupportedFormat(f"The TIFF has complex numbers or mixed samples, which are not read. {_ADVICE}")
    kind = Kind(formats.pop())
    sizes = {Kind.FLOAT: (16, 32, 64), Kind.SIGNED: (8, 16, 32, 64)}.get(kind, range(1, 65))
    if bits not in sizes or (bits > 32 and bits != 64):
        raise UnsupportedFormat(
            f"The TIFF has {kind.name.lower()} samples of {bits} bits, which are not read. {_ADVICE}"
        )
    return kind


def _segments(directory: Directory, size: int, tiled: bool) -> tuple[tuple[int, int], ...]:
    """Return offset and length of each strip or tile."""
    strips = (Tag.STRIP_OFFSETS, Tag.STRIP_COUNTS)  # some writers name tiles so, and libtiff reads them
    where = (Tag.TILE_OFFSETS, Tag.TILE_COUNTS) if tiled and Tag.TILE_OFFSETS in directory else strips
    offsets, counts = directory.numbers(where[0]), directory.numbers(where[1])
    rest = [max(0, size - offset) for offset in offsets]
    known = [count or most for count, most in zip(counts, rest, strict=False)] + rest[len(counts) :]
    return tuple(zip(offsets, known, strict=False))


def _check_combination(layout: Layout) -> None:
    """Raise UnsupportedFormat for a combination of fields that is valid by itself, but rare enough not to be read."""
    deep = layout.bits != 8 or layout.kind is not Kind.UNSIGNED
    reasons = {
        "fax compression of color": layout.compression in FAX and (layout.bits, layout.plane_channels) != (1, 1),
        "this depth under its compression": layout.compression is Compression.JPEG
        and (deep or layout.plane_channels > 4),
        "WebP compression of this kind": layout.compression is Compression.WEBP
        and (deep or layout.planar or layout.channels not in (3, 4)),
        f"predictor {layout.predictor} at {layout.bits} bits": not _reverses_predictor(layout),
        "a palette of more than 16 bits": layout.photometric is Photometric.PALETTE and (layout.bits > 16),
        "YCbCr of this kind": layout.photometric is Photometric.YCBCR
        and (deep or layout.planar or layout.channels != 3),
        "L*a*b* at this depth": layout.photometric in _LAB
        and (layout.bits not in (8, 16) and layout.kind is not Kind.FLOAT),
    }
    for reason, applies in reasons.items():
        if applies:
            raise UnsupportedFormat(f"The TIFF has {reason}, which is not read. {_ADVICE}")


def _reverses_predictor(layout: Layout) -> bool:
    if layout.predictor == 2:
        return layout.bits in (8, 16, 32, 64)
    return layout.predictor == 1 or (layout.predictor == 3 and layout.kind is Kind.FLOAT)
