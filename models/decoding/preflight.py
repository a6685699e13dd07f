"""Checks of an upload before any decoder reads it: the format, and structures that are built to exhaust a decoder.

A decoder trusts the structure of a file. These checks read just enough of the file to reject a structure whose cost in
time or memory far exceeds the size of the upload and the picture.
"""

import re
import struct
import zlib
from binascii import crc_hqx
from collections.abc import Iterator
from itertools import islice

from models.codecs.packed import is_packed
from models.errors import BadImage, UnsupportedFormat

ACCEPTED_FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "BPG", "PACKED")
"""The accepted formats, by their names in Pillow; PACKED is the format of docs/packed.md.

Each further format would expose one more decoder.
"""

_ACCEPTED_NAMES = "PNG, JPEG, WebP, GIF, BMP, TIFF or BPG"

_ACCEPTED_SIGNATURES = (
    ("PNG", re.compile(rb"\x89PNG\r\n\x1a\n")),
    ("JPEG", re.compile(rb"\xff\xd8\xff")),
    ("WEBP", re.compile(rb"RIFF....WEBP", re.DOTALL)),
    ("GIF", re.compile(rb"GIF8[79]a")),
    ("BMP", re.compile(rb"BM")),
    ("TIFF", re.compile(rb"MM\x00[*+]|II[*+]\x00|MM\*\x00|II\x00\*")),  # the last two are invalid, but common
    ("BPG", re.compile(rb"BPG\xfb")),
)

_OTHER_SIGNATURES = (
    ("a PNG of Apple's own kind (CgBI)", re.compile(rb"\x89PNG\r\n\x1a\n....CgBI", re.DOTALL)),
    ("an AVIF image", re.compile(rb"....ftypavi[fs]", re.DOTALL)),
    ("a HEIC or HEIF image", re.compile(rb"....ftyp(?:hei[cmsx]|hev[cmsx]|mif1|msf1)", re.DOTALL)),
    ("a camera raw file", re.compile(rb"....ftypcrx |II\*\0....CR|IIU\0|IIR[OS]|MMOR|FUJIFILMCCD-RAW", re.DOTALL)),
    ("a video", re.compile(rb"....ftyp|RIFF....AVI |\x1a\x45\xdf\xa3", re.DOTALL)),
    ("a JPEG 2000 image", re.compile(rb"\0\0\0\x0cjP  \r\n\x87\n|\xff\x4f\xff\x51")),
    ("a JPEG XL image", re.compile(rb"\0\0\0\x0cJXL \r\n\x87\n|\xff\x0a")),
    ("a JPEG XR image", re.compile(rb"II\xbc")),
    ("a Photoshop document", re.compile(rb"8BPS")),
    ("a GIMP document", re.compile(rb"gimp xcf")),
    ("a ZIP archive", re.compile(rb"PK\x03\x04|PK\x05\x06")),
    ("a file in gzip", re.compile(rb"\x1f\x8b\x08")),
    ("a PDF document", re.compile(rb"%PDF-")),
    ("a PostScript document", re.compile(rb"%!PS|\xc5\xd0\xd3\xc6")),
    ("an SVG drawing", re.compile(rb"(?:\xef\xbb\xbf)?\s*<(?:svg\b|(?:\?xml|!--|!DOCTYPE svg)(?s:.){0,2048}?<svg\b)")),
    ("an icon or cursor", re.compile(rb"\0\0[\x01\x02]\0(?!\0\0)|icns")),  # a number of pictures follows
    (
        "a TGA image",
        re.compile(
            rb".(?:\0[\x02\x03\x0a\x0b]\0{5}|\x01[\x01\x09].{4}[\x0f\x10\x18 ]).{8}[\x08\x0f\x10\x18 ]", re.DOTALL
        ),
    ),
    (
        "a bitmap (DIB) without the header of a BMP file",
        re.compile(rb"\x28\0\0\0.{8}\x01\0[\x01\x04\x08\x10\x18 ]\0", re.DOTALL),
    ),
    ("a DDS texture", re.compile(rb"DDS ")),
    ("an OpenEXR image", re.compile(rb"\x76\x2f\x31\x01")),
    ("a Radiance image", re.compile(rb"#\?R(?:ADIANCE|GBE)")),
    ("a Netpbm image", re.compile(rb"P[1-7FfH]\s")),
    ("a QOI image", re.compile(rb"qoif")),
    ("a FITS image", re.compile(rb"SIMPLE  =")),
    ("an MNG or JNG image", re.compile(rb"[\x8a\x8b][MJ]NG\r\n\x1a\n")),
    ("a Windows metafile", re.compile(rb"\xd7\xcd\xc6\x9a")),
)

_MAX_PNG_CHUNKS = 1 << 15  # Pillow parses each in Python; encoders write thousands of bytes into one chunk
_MAX_JPEG_HEADER_SEGMENTS = 1000  # Pillow joins EXIF segments one by one, in time quadratic in their number
_MAX_JPEG_PADDING = 1 << 16  # bytes between header segments, which Pillow skips one by one, in Python
_MAX_JPEG_SCANS = 100  # a scan of a few bytes visits the whole picture; encoders write about ten
JPEG_SEGMENT = re.compile(rb"\xff[\xc0-\xc7\xc9-\xcf\xd9-\xef\xfe]")  # markers that carry a length, and the end marker
JPEG_SCAN, JPEG_END = 0xDA, 0xD9

_PNG_HEADER = (b"IHDR", 13)  # type and length
_PNG_SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # samples per pixel of each color type
_ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
_INFLATE_STEP = 1 << 20


def identify(data: bytes) -> str:
    """Return the one of ACCEPTED_FORMATS whose signature `data` starts with.

    Raises:
        BadImage: `data` is empty or starts with no known signature.
        UnsupportedFormat: `data` starts like an image, a document or a video of another format.
    """
    if not data:
        raise BadImage(f"The upload is empty. Send the bytes of one image: {_ACCEPTED_NAMES}.")
    if is_packed(data) and not crc_hqx(data, 0):  # its signature has one byte, so the checksum has to confirm it
        return "PACKED"
    for description, signature in _OTHER_SIGNATURES:
        if signature.match(data):
            raise UnsupportedFormat(f"This is {description}, which is not accepted. Send {_ACCEPTED_NAMES}.")
    for name, signature in _ACCEPTED_SIGNATURES:
        if signature.match(data):
            return name
    if is_packed(data):
        raise BadImage(
            "The PACKED file cannot be read: its checksum does not match, so it is damaged, cut short or of another "
            "kind. Send the whole file."
        )
    raise BadImage(f"The bytes are not an image. Send {_ACCEPTED_NAMES}, the file itself and not text or base64.")


def check_structure(data: bytes, kind: str) -> None:
    """Reject a file whose structure makes a decoder spend far more than the upload or the picture explains.

    Args:
        data: the bytes of the upload.
        kind: the format that `identify` returns for them.

    Raises:
        BadImage: as `check_png` and `check_jpeg` do.
    """
    if kind == "PNG":
        check_png(data)
    elif kind == "JPEG":
        check_jpeg(data)


def check_png(data: bytes) -> None:
    """Reject a PNG with tens of thousands of chunks, or one whose first chunk is not its only header.

    Pillow uses the last of several headers. The checks of this module read the first one, so a second is rejected.

    Raises:
        BadImage: the PNG is rejected.
    """
    chunks = [(kind, len(content)) for kind, content in islice(_png_chunks(data), _MAX_PNG_CHUNKS + 1)]
    if len(chunks) > _MAX_PNG_CHUNKS:
        raise BadImage(f"The PNG has more than {_MAX_PNG_CHUNKS} chunks. Save it again with an ordinary encoder.")
    if chunks[:1] != [_PNG_HEADER] or any(kind == _PNG_HEADER[0] for kind, _ in chunks[1:]):
        raise BadImage(
            "The PNG file cannot be read: it must start with an IHDR chunk of 13 bytes and have no other. "
            "Save it again and send the whole file."
        )


def check_jpeg(data: bytes) -> None:
    """Reject a JPEG that is slow to decode: a thousand header segments, long padding, or a hundred scans.

    Raises:
        BadImage: the JPEG is rejected.
    """
    before_scan = scans = padding = 0
    for code, skipped in _jpeg_segments(data):
        if not scans:
            before_scan += 1
            padding += skipped
        scans += code == JPEG_SCAN
        if before_scan > _MAX_JPEG_HEADER_SEGMENTS or padding > _MAX_JPEG_PADDING or scans > _MAX_JPEG_SCANS:
            raise BadImage(
                f"The JPEG has more than {_MAX_JPEG_HEADER_SEGMENTS} header segments, {_MAX_JPEG_PADDING} bytes "
                f"between them or {_MAX_JPEG_SCANS} scans. Save it again with an ordinary encoder."
            )


def _jpeg_segments(data: bytes) -> Iterator[tuple[int, int]]:
    """Yield the marker code of each segment of the first picture, and the number of bytes skipped before it.

    Source: ISO/IEC 10918-1, annex B.1.1. The walk skips markers without a length, padding and coded data exactly as
    Pillow and libjpeg do. The walk therefore finds every segment that they read.
    """
    at, last_end, scanning = 2, 2, False
    while segment := JPEG_SEGMENT.search(data, at):
        code, at = data[segment.end() - 1], segment.end()
        if code == JPEG_END:
            if scanning:
                return
            continue
        scanning = scanning or code == JPEG_SCAN
        yield code, segment.start() - last_end
        last_end = at = at + int.from_bytes(data[at : at + 2], "big")


def png_stream_is_short(data: bytes) -> bool:
    """Return whether the compressed rows of a well-formed PNG end before its picture does.

    Pillow leaves missing rows black without an error. This function inflates the rows once more, in constant memory.
    """
    width, height, depth, color_type = struct.unpack_from(">IIBB", data, 16)
    bits = depth * _PNG_SAMPLES[color_type]
    missing = _png_stream_length(width, height, bits, interlaced=bool(data[28]))
    inflater = zlib.decompressobj()
    for chunk in _png_image_data(data):
        while chunk and missing > 0:
            missing -= len(inflater.decompress(chunk, _INFLATE_STEP))
            chunk = inflater.unconsumed_tail
    return missing > 0


def _png_stream_length(width: int, height: int, bits: int, *, interlaced: bool) -> int:
    """Return the number of bytes of all rows with their filter bytes, for pixels of `bits` bits."""
    total = 0
    for left, top, step_x, step_y in _ADAM7 if interlaced else ((0, 0, 1, 1),):
        columns, rows = -(-(width - left) // step_x), -(-(height - top) // step_y)
        if columns > 0:  # a pass without columns has no rows and no filter bytes
            total += max(0, rows) * (1 + -(-columns * bits // 8))
    return total


def _png_image_data(data: bytes) -> Iterator[bytes | memoryview]:
    return (content for kind, content in _png_chunks(data) if kind == b"IDAT")


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, memoryview]]:
    """Yield type and content of each chunk up to and including IEND (PNG 1.2, section 3.2)."""
    at, kind, view = 8, b"", memoryview(data)
    while at + 8 <= len(data) and kind != b"IEND":
        length, kind = struct.unpack_from(">I4s", data, at)
        yield kind, view[at + 8 : at + 8 + length]
        at += 12 + length
