"""Width and height of an upload, from its header alone."""

from contextlib import suppress
from io import BytesIO

from PIL import Image

from models.codecs.bpg.header import parse_header
from models.decoding.preflight import check_structure, identify
from models.decoding.tiff.directory import read_directory
from models.decoding.tiff.tags import Tag


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
        if kind == "TIFF":
            directory = read_directory(data)
            return directory.number(Tag.WIDTH, 0), directory.number(Tag.HEIGHT, 0)
        with Image.open(BytesIO(data), formats=(kind,)) as image:
            return image.size
    return None
