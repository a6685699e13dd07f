"""The transparent color of 16-bit color is read by libvips, which keeps nothing of the upload."""

import struct

import pyvips

from models.decoding.decode import decode
from tests.models.image_files import png_file


def test_libvips_keeps_no_upload() -> None:
    for level in range(3):
        file = png_file((1, 1), 16, 2, b"\0" + struct.pack(">3H", level, 2, 3), (b"tRNS", struct.pack(">3H", 1, 2, 3)))
        assert decode(file).pixels[0, 0, 0] == (255 if level == 1 else 0)

    assert pyvips.vips_lib.vips_cache_get_size() == 0
