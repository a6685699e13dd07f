"""The strips and tiles of a TIFF: decompression by libtiff, and the bytes of samples as numbers.

libtiff, as Pillow bundles it, decompresses. It gets small files that this module writes: a strip of compressed bytes is
presented as 8-bit gray whose rows have the bytes of the true rows. So neither Pillow nor libtiff interprets depth,
channels, planes or byte order, where both have cases in which they return other pixels without an error.
"""

import struct
import zlib
from collections.abc import Iterator, Mapping, Sequence
from io import BytesIO

import numpy as np
import numpy.typing as npt
from PIL import Image, TiffImagePlugin
from PIL import WebPImagePlugin as WebPImagePlugin  # registers WebP

from models.decoding.bands import row_bands
from models.decoding.tiff.directory import Directory, Field
from models.decoding.tiff.layout import FAX, Layout
from models.decoding.tiff.numbers import Samples, numbers
from models.decoding.tiff.tags import Compression, Photometric, Tag
from models.errors import BadImage

_Bytes = npt.NDArray[np.uint8]

_GROUP_BYTES = 1 << 20  # of strips that are decompressed together: a call of libtiff costs as much as 100 kB
_GROUP_SEGMENTS = 256
_MOST_EXPANSION, _MOST_HEADER = 2, 8192  # bytes that a compression may add to a strip: more of a strip is not read
_MOST_GRAY = 1 << 27  # pixels: Pillow refuses larger images; four bytes of a strip as one CMYK pixel are fewer
_SHORT, _LONG = 3, 4  # types of fields
_FAX_TAGS = (Tag.T4_OPTIONS, Tag.T6_OPTIONS)
_PICTURE_TAGS = (
    Tag.JPEG_TABLES,
    Tag.YCBCR_COEFFICIENTS,
    Tag.YCBCR_SUBSAMPLING,
    Tag.YCBCR_POSITIONING,
    Tag.REFERENCE_BLACK_WHITE,
)
_MISSING = "A part of the picture is missing from the TIFF file. Save it again and send the whole file."
_REVERSED = np.packbits(np.unpackbits(np.arange(256, dtype=np.uint8)[:, np.newaxis], axis=1)[:, ::-1], axis=1)[:, 0]


def read_samples(data: bytes, directory: Directory, layout: Layout) -> Iterator[Samples]:
    """Yield bands of samples that together are the page, from top to bottom.

    Raises:
        BadImage: a strip or tile is missing or cut short.
        OSError: a strip or tile is damaged.
    """
    planes = [_read_plane(data, directory, layout, plane) for plane in range(layout.planes)]
    for bands in zip(*planes, strict=True):
        yield bands[0] if len(bands) == 1 else np.concatenate(bands, axis=2)


def colors_are_decoded(layout: Layout) -> bool:
    """Return whether the samples of YCbCr are RGB already, and samples are not packed into bytes."""
    return layout.compression is Compression.JPEG or layout.photometric is Photometric.YCBCR


def _read_plane(data: bytes, directory: Directory, layout: Layout, plane: int) -> Iterator[Samples]:
    """Yield bands of samples of one plane, (rows, columns, 1), or of all channels where they lie together."""
    per_row = layout.across if layout.tiled else 1
    first = plane * per_row * layout.down
    if not layout.tiled:
        yield from _decode(data, layout.segments[first : first + layout.down], layout.height, directory, layout)
        return
    for row in range(layout.down):
        chosen = layout.segments[first + row * per_row :][:per_row]
        blocks = list(_decode(data, chosen, layout.segment_height * per_row, directory, layout))
        tiles = np.concatenate(blocks).reshape(per_row, layout.segment_height, layout.segment_width, -1)
        across = tiles.transpose(1, 0, 2, 3).reshape(layout.segment_height, -1, layout.plane_channels)
        yield across[: layout.height - row * layout.segment_height, : layout.width]


def _decode(
    data: bytes, segments: Sequence[tuple[int, int]], height: int, directory: Directory, layout: Layout
) -> Iterator[Samples]:
    """Yield bands of the samples of strips, or of tiles one below the other, that have `height` rows together.

    A few are decoded together, so that a file whose strips overlap is not copied as often as it has strips.
    """
    raw = layout.row_bytes * layout.segment_height
    together = min(_GROUP_SEGMENTS, max(1, _GROUP_BYTES // raw))
    for at in range(0, len(segments), together):
        chosen = segments[at : at + together]
        pieces = [data[offset : offset + min(count, _MOST_EXPANSION * raw + _MOST_HEADER)] for offset, count in chosen]
        if not all(pieces):
            raise BadImage(_MISSING)
        rows = min(len(pieces) * layout.segment_height, height)
        height -= rows
        if layout.compression is Compression.WEBP:
            yield from _decode_webp(pieces, rows, layout)
        elif colors_are_decoded(layout):
            yield from _decode_colors(pieces, rows, directory, layout)
        elif layout.compression is Compression.NONE:
            for band in _split_rows(pieces, rows, layout):
                yield numbers(_REVERSED[band] if layout.reversed_bits else band, layout, directory.order)
        else:
            for band in _decompressed(pieces, rows, directory, layout):
                yield numbers(band, layout, directory.order)


def _split_rows(pieces: Sequence[bytes], height: int, layout: Layout) -> Iterator[_Bytes]:
    """Yield bands of rows of uncompressed strips."""
    step = max(1, _GROUP_BYTES // layout.row_bytes)
    for piece in pieces:
        rows = min(layout.segment_height, height)
        if len(piece) < rows * layout.row_bytes:
            raise BadImage(_MISSING)
        whole = np.frombuffer(piece, np.uint8, rows * layout.row_bytes).reshape(rows, layout.row_bytes)
        yield from (whole[top : top + step] for top in range(0, rows, step))
        height -= rows


def _decompressed(pieces: Sequence[bytes], height: int, directory: Directory, layout: Layout) -> Iterator[_Bytes]:
    """Yield bands of rows of compressed strips."""
    if layout.compression in FAX:
        width, bits, photometric = layout.segment_width, [1], Photometric.BLACK_IS_ZERO
    elif layout.row_bytes * height <= _MOST_GRAY or layout.row_bytes % 4:
        width, bits, photometric = layout.row_bytes, [8], Photometric.BLACK_IS_ZERO
    else:
        width, bits, photometric = layout.row_bytes // 4, [8] * 4, Photometric.CMYK
    fields = _fields(directory, _FAX_TAGS if layout.compression in FAX else ())
    fields |= {Tag.BITS: _short(directory, *bits), Tag.PHOTOMETRIC: _short(directory, photometric)}
    image = _strip_file(pieces, (width, height), directory, layout, fields)
    for _, band in row_bands(image):
        yield np.frombuffer(band.tobytes(), np.uint8).reshape(band.height, -1)


def _decode_colors(pieces: Sequence[bytes], height: int, directory: Directory, layout: Layout) -> Iterator[Samples]:
    """Yield bands of colors that libtiff decodes: JPEG and YCbCr."""
    channels = layout.plane_channels
    photometric = Photometric.BLACK_IS_ZERO if channels < 3 else layout.photometric
    fields = _fields(directory, _PICTURE_TAGS)
    fields |= {Tag.BITS: _short(directory, *[8] * channels), Tag.PHOTOMETRIC: _short(directory, photometric)}
    if channels in (2, 4) and photometric is not Photometric.CMYK:
        fields[Tag.EXTRA_SAMPLES] = _short(directory, 2)  # alpha, so that Pillow keeps the channel as it is
    if photometric in (Photometric.CIELAB, Photometric.ICCLAB):
        fields[Tag.PHOTOMETRIC] = _short(directory, Photometric.RGB)
    if layout.compression is Compression.NONE:  # Pillow decodes uncompressed YCbCr itself, without its subsampling
        pieces = [zlib.compress(piece, 0) for piece in pieces]
        fields[Tag.COMPRESSION] = _short(directory, Compression.DEFLATE)
    image = _strip_file(pieces, (layout.segment_width, height), directory, layout, fields)
    if len(image.getbands()) != channels:
        raise BadImage("The TIFF file's channels contradict its compressed data. Save it again, for example as PNG.")
    for _, band in row_bands(image):
        yield np.asarray(band).reshape(band.height, band.width, channels)


def _decode_webp(pieces: Sequence[bytes], height: int, layout: Layout) -> Iterator[Samples]:
    """Yield the colors of strips or tiles that are each a WebP file of their size."""
    for piece in pieces:
        rows = min(layout.segment_height, height)
        height -= rows
        with Image.open(BytesIO(piece), formats=("WEBP",)) as image:
            if image.size != (layout.segment_width, rows):
                raise BadImage("The size of a strip contradicts the TIFF file's directory. Save it again.")
            yield np.asarray(image.convert("RGB" if layout.channels == 3 else "RGBA"))


def _strip_file(
    pieces: Sequence[bytes],
    size: tuple[int, int],
    directory: Directory,
    layout: Layout,
    fields: Mapping[int, Field],
) -> TiffImagePlugin.TiffImageFile:
    """Return a loaded image of strips that a small TIFF with these fields holds."""
    offsets = [8 + sum(map(len, pieces[:at])) for at in range(len(pieces))]
    channels = fields[Tag.BITS].count
    every = {
        Tag.WIDTH: _long(directory, size[0]),
        Tag.HEIGHT: _long(directory, size[1]),
        Tag.COMPRESSION: _long(directory, layout.compression),
        Tag.FILL_ORDER: _short(directory, 1 + layout.reversed_bits),
        Tag.STRIP_OFFSETS: _long(directory, *offsets),
        Tag.CHANNELS: _short(directory, channels),
        Tag.STRIP_ROWS: _long(directory, layout.segment_height),
        Tag.STRIP_COUNTS: _long(directory, *map(len, pieces)),
        Tag.PLANAR: _short(directory, 1),
        **fields,
    }
    image = TiffImagePlugin.TiffImageFile(BytesIO(_file(directory.order, b"".join(pieces), every)))
    image.load()
    return image


def _file(order: str, data: bytes, fields: Mapping[int, Field]) -> bytes:
    """Return a TIFF of one directory, whose strips start at byte 8."""
    start = 8 + len(data)
    outside = start + 2 + 12 * len(fields) + 4
    entries, values = struct.pack(f"{order}H", len(fields)), b""
    for tag, field in sorted(fields.items()):
        inline = field.raw.ljust(4, b"\0") if len(field.raw) <= 4 else struct.pack(f"{order}I", outside + len(values))
        entries += struct.pack(f"{order}HHI", tag, field.kind, field.count) + inline
        values += field.raw if len(field.raw) > 4 else b""
    mark = b"II*\0" if order == "<" else b"MM\0*"
    return b"".join([mark, struct.pack(f"{order}I", start), data, entries, bytes(4), values])


def _fields(directory: Directory, tags: Sequence[Tag]) -> dict[int, Field]:
    return {tag: field for tag in tags if (field := directory.field(tag))}


def _short(directory: Directory, *values: int) -> Field:
    return Field(_SHORT, len(values), struct.pack(f"{directory.order}{len(values)}H", *values))


def _long(directory: Directory, *values: int) -> Field:
    return Field(_LONG, len(values), struct.pack(f"{directory.order}{len(values)}I", *values))
