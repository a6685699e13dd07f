"""Images as callers have them become uploads."""

import io
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from service.client.images import upload_of, uploads_of

PIXELS = np.arange(6 * 4 * 3, dtype=np.uint8).reshape(6, 4, 3)


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


def test_bytes_and_files_are_sent_as_they_are(tmp_path: Path) -> None:
    file = tmp_path / "photo.jpg"
    file.write_bytes(b"the bytes")
    for image in (b"the bytes", bytearray(b"the bytes"), memoryview(b"the bytes"), io.BytesIO(b"the bytes")):
        upload = upload_of(image, 3)
        assert (upload.data, upload.name) == (b"the bytes", "image-3")
    with file.open("rb") as stream:
        assert (upload_of(stream).name, upload_of(file).name, upload_of(str(file)).name) == ("photo.jpg",) * 3
    assert upload_of(file).data == b"the bytes"


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr", "HSV", "LAB", "I;16", "F"])
def test_images_of_every_mode_become_png_files(mode: str) -> None:
    picture = Image.new(mode, (5, 3))
    with opened(upload_of(picture).data) as sent:
        assert sent.format == "PNG" and sent.size == (5, 3)
        assert ("A" in sent.getbands()) == (mode in ("LA", "PA", "RGBA"))


def test_the_pixels_of_an_array_arrive() -> None:
    assert np.array_equal(np.asarray(opened(upload_of(PIXELS).data)), PIXELS)
    assert np.array_equal(np.asarray(opened(upload_of(PIXELS[..., 0]).data)), PIXELS[..., 0])
    assert upload_of(PIXELS[:, ::2], 2).name == "image-2.png"


def test_a_picture_keeps_its_orientation_its_profile_and_its_name(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    file = tmp_path / "turned.jpg"
    Image.fromarray(PIXELS).save(file, exif=exif, icc_profile=b"a profile")
    with Image.open(file) as picture:
        upload = upload_of(picture)
    with opened(upload.data) as sent:
        assert sent.getexif()[0x0112] == 6 and sent.info["icc_profile"] == b"a profile"
    assert upload.name == "turned.jpg"


@pytest.mark.parametrize(("shape", "dtype"), [((72,), "u1"), ((2, 2, 5), "u1"), ((0, 4, 3), "u1"), ((6, 4, 3), "f4")])
def test_other_arrays_are_refused(shape: tuple[int, ...], dtype: str) -> None:
    with pytest.raises(ValueError, match="pixels must"):
        upload_of(np.zeros(shape, dtype))


def test_what_is_no_image_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="int"):
        upload_of(3)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="'rb'"):
        upload_of(io.StringIO("text"))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="does not fetch"):
        upload_of("https://example.org/cat.jpg")
    with pytest.raises(FileNotFoundError):
        upload_of(tmp_path / "nothing.png")


def test_a_name_that_is_no_text_is_sent_as_text(tmp_path: Path) -> None:
    file = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.png"))
    file.write_bytes(b"the bytes")
    assert upload_of(file).name == "caf?.png"


def test_one_image_or_several_are_accepted() -> None:
    assert [upload.name for upload in uploads_of([b"a", b"b"])] == ["image-1", "image-2"]
    assert [upload.data for upload in uploads_of(b"a")] == [b"a"]
