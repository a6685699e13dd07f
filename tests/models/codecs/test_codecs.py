"""Truecolor PNG, JPEG and WebP: what is decoded from their files, and how many bytes of a file are fixed."""

from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from models.codecs import jpeg, truecolor, webp
from models.decoding.decode import decode
from models.rgb import Pixels
from tests.models.image_files import encoded, picture, solid


def smooth() -> Pixels:
    rows, columns = np.mgrid[:40, :48]
    return np.stack([4 * rows, 5 * columns, 255 - 2 * rows - 2 * columns], axis=-1).astype(np.uint8)


@pytest.mark.parametrize("effort", ["fast", "max"])
def test_truecolor_is_exact(effort: truecolor.Effort) -> None:
    decoded = decode(truecolor.encode(picture(), effort=effort))

    assert decoded.format == "PNG"
    np.testing.assert_array_equal(decoded.pixels, picture())


@pytest.mark.parametrize(("encode", "name"), [(jpeg.encode, "JPEG"), (webp.encode, "WEBP")])
def test_a_higher_quality_brings_lossy_files_closer_to_the_original(
    encode: Callable[[Pixels, int], bytes], name: str
) -> None:
    files = [encode(smooth(), quality) for quality in (1, 30, 100)]
    decoded = [decode(file) for file in files]
    errors = [np.abs(image.pixels.astype(int) - smooth()).mean() for image in decoded]

    assert {image.format for image in decoded} == {name}
    assert len(files[0]) < len(files[1]) < len(files[2])
    assert errors[0] > errors[1] > errors[2]
    assert errors[2] < 3


def test_tables_and_compression_are_fitted_to_the_image() -> None:
    image = Image.fromarray(smooth())

    assert len(jpeg.encode(smooth(), 50)) < len(encoded(image, "JPEG", quality=50))
    assert (
        len(truecolor.encode(smooth())) < len(encoded(image, "PNG")) <= len(truecolor.encode(smooth(), effort="fast"))
    )


@pytest.mark.parametrize("quality", [1, 50, 100])
def test_fixed_bytes_of_a_jpeg_exclude_data_and_fitted_tables(quality: int) -> None:
    file = jpeg.encode(smooth(), quality)

    scan = file.rindex(b"\xff\xda") + 2 + 12  # the header of a scan of three components; the data holds no marker
    tables = [int.from_bytes(part[:2], "big") - 2 for part in file[:scan].split(b"\xff\xc4")[1:]]
    assert len(tables) >= 2  # for DC and AC coefficients
    assert jpeg.fixed_bytes(file) == scan - sum(tables) + len(b"\xff\xd9") < len(file)


def test_fixed_bytes_of_a_jpeg_do_not_depend_on_the_picture() -> None:
    plain, busy = (jpeg.encode(pixels, 50) for pixels in (smooth(), picture(40, 48)))

    assert len(busy) > len(plain) + 100
    assert jpeg.fixed_bytes(plain) == jpeg.fixed_bytes(busy)


@pytest.mark.parametrize("quality", [1, 33, 66, 100])
def test_twenty_bytes_are_fixed_in_a_webp(quality: int) -> None:
    for pixels in (smooth(), picture()):
        file = webp.encode(pixels, quality)

        assert webp.fixed_bytes(file) == 20
        assert file[20 + 3 : 20 + 6] == b"\x9d\x01\x2a"  # start code of a key frame (RFC 6386, section 9.1)


def test_signature_and_frames_are_fixed_in_a_truecolor_png() -> None:
    assert truecolor.fixed_bytes(truecolor.encode(picture())) == 57


@pytest.mark.parametrize("encode", [truecolor.encode, lambda pixels: jpeg.encode(pixels, 50)])
@pytest.mark.parametrize("pixels", [picture()[..., 0], picture()[..., :2], picture().astype(float), picture()[:0]])
def test_refuses_arrays_that_are_not_pixels(encode: Callable[[Pixels], bytes], pixels: Pixels) -> None:
    with pytest.raises(ValueError, match="must be"):
        encode(pixels)


@pytest.mark.parametrize("encode", [jpeg.encode, webp.encode])
@pytest.mark.parametrize("quality", [0, 101])
def test_refuses_a_quality_out_of_range(encode: Callable[[Pixels, int], bytes], quality: int) -> None:
    with pytest.raises(ValueError, match="1 to 100"):
        encode(picture(), quality)


@pytest.mark.parametrize(
    ("fixed_bytes", "file"),
    [
        (jpeg.fixed_bytes, b""),
        (jpeg.fixed_bytes, truecolor.encode(picture())),
        (jpeg.fixed_bytes, jpeg.encode(picture(), 50)[:-1]),
        (jpeg.fixed_bytes, b"\xff\xd8\xff\xd9"),
        (webp.fixed_bytes, b""),
        (webp.fixed_bytes, truecolor.encode(picture())),
        (webp.fixed_bytes, encoded(solid("RGB", 0), "WEBP", lossless=True)),
    ],
)
def test_fixed_bytes_refuses_other_files(fixed_bytes: Callable[[bytes], int], file: bytes) -> None:
    with pytest.raises(ValueError, match=r"JPEG|WebP"):
        fixed_bytes(file)
