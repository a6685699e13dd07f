"""Width and height of an upload, from its header alone."""

import struct
from contextlib import suppress
from io import BytesIO

from PIL import Image

from models.codecs import packed
from models.codecs.bpg.header import parse_header
from models.codecs.png import SIGNATURE
from models.decoding.bmp import bmp_size
from models.decoding.jpeg import size_of_frame, without_short_segments
from models.decoding.preflight import check_structure, identify
from models.decoding.tiff.directory import read_directory
from models.decoding.tiff.tags import Tag

_PNG_HEADER = b"\0\0\0\rIHDR"
_PNG_SIZE = slice(16, 24)  # width and height in a PNG file


def dimensions_at_once(data: bytes) -> tuple[int, int] | None:
    """Return what `read_dimensions` does for a PNG and an ordinary JPEG, in microseconds for any content.

    Return None for other files, and for a JPEG whose header is unusual.
    """
    if data.startswith(SIGNATURE + _PNG_HEADER) and len(data) >= _PNG_SIZE.stop:
        width, height = struct.unpack(">II", data[_PNG_SIZE])
        return int(width), int(height)
    return size_of_frame(data) if data.startswith(b"\xff\xd8\xff") else None


def read_dimensions(data: bytes) -> tuple[int, int] | None:
    """Return the width and height in pixels of the picture that a file stores, before it is turned upright.

    No pixel is decoded, so the rest of the file may be damaged. Return None where the header cannot be read.

    Args:
        data: the bytes of an upload, of any content.
    """
    with suppress(Exception):  # whatever is wrong with the file, decoding it reports
        kind = identify(data)
        check_structure(data, kind)
        if kind == "BPG":
            header, _ = parse_header(data)
            return header.width, header.height
        if kind == "PACKED":
            size = packed.Header.parse(data)
            return size.width, size.height
        if kind == "TIFF":
            directory = read_directory(data)
            return directory.number(Tag.WIDTH, 0), directory.number(Tag.HEIGHT, 0)
        if kind == "PNG":
            width, height = struct.unpack_from(">II", data, 16)
            return int(width), int(height)
        if kind == "BMP" and all(bmp_size(data)):
            return bmp_size(data)
        file = without_short_segments(data)[0] if kind == "JPEG" else data
        with Image.open(BytesIO(file), formats=(kind,)) as image:
            return image.size
    return None
