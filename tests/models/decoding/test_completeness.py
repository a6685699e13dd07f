"""A file with only a part or a preview of its picture is refused; a whole file that looks incomplete is not."""

import struct

import pytest

from models.decoding.decode import decode
from models.errors import BadImage, UnsupportedFormat
from tests.models.image_files import png_file, tiff_file, tiff_tags


@pytest.mark.parametrize("height", [6, 9, 10])
def test_a_png_with_missing_rows_is_refused(height: int) -> None:
    rows = b"".join(b"\0" + bytes([200] * 4) for _ in range(5))  # Pillow would leave the rest black

    with pytest.raises(BadImage, match="ends before"):
        decode(png_file((4, height), 8, 0, rows))


def test_a_png_that_ends_in_black_rows_is_complete() -> None:
    rows = b"\0" + bytes([200] * 4) + b"\0" + bytes(4)

    assert decode(png_file((4, 2), 8, 0, rows)).pixels[..., 0].tolist() == [[200] * 4, [0] * 4]


def test_an_interlaced_png_is_decoded_only_when_complete() -> None:
    passes = b"\0\1" + b"\0\2" + b"\0\3\4" + b"\0\5" + b"\0\6" + b"\0\7\x08\x09"  # 3 x 3 pixels; Adam7

    assert decode(png_file((3, 3), 8, 0, passes, interlace=1)).pixels[..., 0].tolist() == [
        [1, 5, 2],
        [7, 8, 9],
        [3, 6, 4],
    ]
    with pytest.raises(BadImage, match="ends before"):
        decode(png_file((3, 3), 8, 0, passes[:-4], interlace=1))


def test_a_palette_png_without_a_palette_is_refused() -> None:
    with pytest.raises(BadImage, match="no palette"):
        decode(png_file((2, 1), 8, 3, b"\0\0\1"))


def test_a_tiff_without_all_its_strips_is_refused() -> None:
    tags = tiff_tags((4, 4), [8], 1) | {278: ("I", [2])}

    assert decode(tiff_file(bytes(16), tags, strips=[8, 16])).pixels.shape == (4, 4, 3)
    with pytest.raises(BadImage, match="part of the picture is missing"):
        decode(tiff_file(bytes(16), tags, strips=[8]))


def test_a_tiff_without_all_its_color_planes_is_refused() -> None:
    tags = tiff_tags((2, 2), [8, 8, 8], 2) | {284: ("H", [2]), 278: ("I", [2])}

    with pytest.raises(BadImage, match="part of the picture is missing"):
        decode(tiff_file(bytes(12), tags, strips=[8, 12]))


def test_an_apng_whose_image_has_only_the_rows_of_its_first_frame_is_refused() -> None:
    control = (b"acTL", struct.pack(">II", 2, 0))
    frame = (b"fcTL", struct.pack(">IIIIIHHBB", 0, 2, 1, 0, 0, 1, 1, 0, 0))

    with pytest.raises(BadImage, match="ends before"):
        decode(png_file((2, 2), 8, 0, b"\0\1\2", control, frame))


@pytest.mark.parametrize("extra", [{50706: ("B", [1, 4, 0, 0])}, {254: ("I", [1]), 330: ("I", [8])}])
def test_the_preview_inside_a_camera_raw_file_is_refused(extra: dict[int, tuple[str, list[int]]]) -> None:
    with pytest.raises(UnsupportedFormat, match="camera raw"):
        decode(tiff_file(bytes(4), tiff_tags((2, 2), [8], 1) | extra))
