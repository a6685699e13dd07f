"""Width and height from the header alone."""

import numpy as np
import pytest
from PIL import Image

from models.decoding.decode import ACCEPTED_FORMATS, decode
from models.decoding.dimensions import read_dimensions
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
