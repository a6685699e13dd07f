"""Images come out upright, whatever the EXIF orientation; damaged EXIF data never costs the picture."""

import numpy as np
import pytest
from PIL import Image

from models.decoding.decode import decode
from tests.models.image_files import bpg_file, encoded, exif, picture, solid, tiff_of

pytestmark = pytest.mark.filterwarnings(r"ignore::UserWarning:PIL\.")  # Pillow warns about damaged EXIF data

ORIENTED = {  # how to turn the stored image upright (EXIF 2.32, figure of tag 0x0112)
    1: lambda stored: stored,
    2: np.fliplr,
    3: lambda stored: np.rot90(stored, 2),
    4: np.flipud,
    5: lambda stored: stored.transpose(1, 0, 2),
    6: lambda stored: np.rot90(stored, -1),
    7: lambda stored: np.rot90(stored, 2).transpose(1, 0, 2),
    8: lambda stored: np.rot90(stored, 1),
}


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize(
    ("kind", "options"),
    [("PNG", {}), ("WEBP", {"lossless": True}), ("TIFF", {}), ("TIFF", {"compression": "tiff_lzw"})],
)
def test_exif_orientation_is_applied_once(kind: str, options: dict[str, object], orientation: int) -> None:
    decoded = decode(encoded(Image.fromarray(picture()), kind, exif=exif(orientation), **options))

    np.testing.assert_array_equal(decoded.pixels, ORIENTED[orientation](picture()))
    assert decoded.notes == (("EXIF orientation applied",) if orientation != 1 else ())
    assert decoded.pixels.flags.c_contiguous


def test_an_upright_photo_is_decoded_upright() -> None:
    landscape = Image.new("RGB", (32, 16), (0, 0, 200))
    landscape.paste((200, 0, 0), (0, 0, 16, 16))  # red on the left, which orientation 6 turns to the top

    decoded = decode(encoded(landscape, "JPEG", exif=exif(6), quality=95))

    assert decoded.pixels.shape == (32, 16, 3)
    assert decoded.pixels[4, 8, 0] > 190 > 10 > decoded.pixels[28, 8, 0]


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_an_impossible_orientation_is_ignored(orientation: int) -> None:
    decoded = decode(encoded(Image.fromarray(picture()), "PNG", exif=exif(orientation)))

    np.testing.assert_array_equal(decoded.pixels, picture())
    assert decoded.notes == ()


@pytest.mark.parametrize(
    "damaged",
    [
        b"",
        b"scribble",
        b"II*\0",
        b"II*\0\xff\xff\xff\xff",
        b"MM\0*\0\0\0\x08\xff\xff\x01\x12\0\x03",
        b"II*\0\x08\0\0\0\1\0\x12\x01\2\0\2\0\0\0006\0\0\0\0\0\0\0",  # orientation as text, "6"
    ],
)
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_damaged_exif_does_not_prevent_decoding(kind: str, damaged: bytes) -> None:
    decoded = decode(encoded(solid("RGB", (10, 200, 30)), kind, exif=b"Exif\0\0" + damaged))

    assert np.abs(decoded.pixels.astype(int) - [10, 200, 30]).max() <= 2


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_of_a_bpg_is_applied(orientation: int) -> None:
    decoded = decode(bpg_file(picture(), EXIF=tiff_of(exif(orientation))))

    np.testing.assert_array_equal(decoded.pixels, ORIENTED[orientation](picture()))
    assert decoded.notes == (("EXIF orientation applied",) if orientation != 1 else ())


@pytest.mark.parametrize("damaged", [b"", b"scribble", b"II*\0\xff\xff\xff\xff"])
def test_damaged_exif_does_not_prevent_decoding_a_bpg(damaged: bytes) -> None:
    np.testing.assert_array_equal(decode(bpg_file(picture(), EXIF=damaged)).pixels, picture())
