"""Width and height from the header alone."""

from typing import Any

import numpy as np
import pytest
from PIL import Image

from models.decoding.decode import ACCEPTED_FORMATS, decode
from models.decoding.dimensions import dimensions_at_once, read_dimensions
from tests.models.image_files import bpg_file, encoded, exif, picture


def file_of(kind: str) -> bytes:
    return bpg_file(picture(20, 34)) if kind == "BPG" else encoded(Image.fromarray(picture(20, 34)), kind)


@pytest.mark.parametrize("kind", ACCEPTED_FORMATS)
def test_every_format_states_its_size(kind: str) -> None:
    data = file_of(kind)
    assert read_dimensions(data) == decode(data).pixels.shape[1::-1] == (34, 20)


@pytest.mark.parametrize("kind", ACCEPTED_FORMATS)
def test_a_file_that_is_cut_in_its_header_states_none(kind: str) -> None:
    assert read_dimensions(file_of(kind)[:9]) is None


@pytest.mark.parametrize("data", [b"", b"no image", np.random.default_rng(0).bytes(999), b"II*\0" + bytes(99)])
def test_other_bytes_state_none_or_nothing(data: bytes) -> None:
    assert read_dimensions(data) in (None, (0, 0))


def test_pixels_are_not_needed() -> None:
    data = encoded(Image.fromarray(picture(200, 340)), "JPEG")
    assert read_dimensions(data[:700]) == (340, 200)


def test_the_size_is_that_of_the_stored_picture() -> None:
    data = encoded(Image.fromarray(picture(20, 34)), "JPEG", exif=exif(6))
    assert read_dimensions(data) == (34, 20)
    assert decode(data).pixels.shape == (34, 20, 3)


@pytest.mark.parametrize("kind", ACCEPTED_FORMATS)
def test_a_png_and_a_jpeg_state_their_size_at_once(kind: str) -> None:
    expected = (34, 20) if kind in ("PNG", "JPEG") else None
    assert dimensions_at_once(file_of(kind)) == expected


@pytest.mark.parametrize("options", [{"progressive": True}, {"quality": 1, "exif": exif(6)}, {"subsampling": 0}])
def test_every_usual_jpeg_states_its_size_at_once(options: dict[str, Any]) -> None:
    assert dimensions_at_once(encoded(Image.fromarray(picture(20, 34)), "JPEG", **options)) == (34, 20)


def test_a_header_that_is_cut_or_unusual_states_no_size_at_once() -> None:
    whole = file_of("JPEG")
    scan, frame = whole.index(b"\xff\xda"), whole.index(b"\xff\xc0")
    comment = b"\xff\xfe\0\2"
    assert all(dimensions_at_once(whole[:end]) is None for end in range(scan + 2))
    assert dimensions_at_once(file_of("PNG")[:23]) is None
    assert dimensions_at_once(whole[:2] + 10 * comment + whole[2:]) == (34, 20)
    assert dimensions_at_once(whole[:2] + 40 * comment + whole[2:]) is None, "too many segments"
    assert dimensions_at_once(whole[:2] + b"\0" + whole[2:]) is None, "padding"
    assert dimensions_at_once(whole[:2] + b"\xff\xfe\0\0" + whole[2:]) is None, "a segment of no length"
    assert dimensions_at_once(whole[:scan] + whole[frame:scan] + whole[scan:]) is None, "two frames"
    assert dimensions_at_once(whole[:frame] + whole[scan:]) is None, "no frame"
