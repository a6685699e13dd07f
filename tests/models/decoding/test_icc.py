"""Colors come out as sRGB from every color space and profile; a bad profile never costs the picture."""

import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from models.decoding.decode import decode
from tests.models.icc_profiles import (
    cmyk_profile,
    float_table,
    gray_profile,
    icc_profile,
    rgb_profile,
    rgb_tags,
    srgb_profile,
)
from tests.models.image_files import WHITE, encoded, only_color, picture, png_file, solid

# ICC profiles


def test_a_profile_is_converted_to_srgb() -> None:
    swapped = rgb_profile(red=b"b", blue=b"r")  # linear light, red and blue exchanged

    red = decode(encoded(solid("RGB", (255, 0, 0)), "PNG", icc_profile=swapped))
    gray = decode(encoded(solid("RGB", (55, 55, 55)), "PNG", icc_profile=swapped))

    # One level of tolerance: the numbers of the profile have 16 bits, and lcms computes with 8 bits here.
    assert np.abs(np.subtract(only_color(red), [0, 0, 255])).max() <= 1
    assert np.abs(np.subtract(only_color(gray), [128, 128, 128])).max() <= 1  # 55 / 255 linear is 128 / 255 in sRGB
    assert red.notes == ("ICC profile converted to sRGB",)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF"])
def test_profiles_are_used_in_every_format_that_has_them(kind: str) -> None:
    decoded = decode(encoded(solid("RGB", (55, 55, 55)), kind, icc_profile=rgb_profile()))

    assert np.abs(decoded.pixels.astype(int) - 128).max() <= 3  # 1 for the profile, 2 for lossy coding
    assert decoded.notes == ("ICC profile converted to sRGB",)


def test_an_srgb_profile_changes_no_pixel_and_adds_no_note() -> None:
    decoded = decode(encoded(Image.fromarray(picture()), "PNG", icc_profile=srgb_profile()))

    np.testing.assert_array_equal(decoded.pixels, picture())
    assert decoded.notes == ()


def test_a_pure_power_curve_is_not_mistaken_for_srgb() -> None:
    # The curve of sRGB starts with a straight line: level 10 at gamma 2.2 is far darker than level 10 of sRGB.
    decoded = decode(encoded(solid("RGB", (10, 10, 10)), "PNG", icc_profile=rgb_profile(exponent=2.2)))

    assert max(only_color(decoded)) <= 4
    assert decoded.notes == ("ICC profile converted to sRGB",)


@pytest.mark.parametrize("mode", ["L", "LA", "I;16"])
def test_gray_profiles_are_converted_to_srgb(mode: str) -> None:
    image = {
        "L": solid("L", 55),
        "LA": solid("LA", (55, 255)),
        "I;16": Image.fromarray(np.full((4, 4), 55 * 257, np.uint16)),
    }[mode]

    decoded = decode(encoded(image, "PNG", icc_profile=gray_profile()))

    assert np.abs(np.subtract(only_color(decoded), 128)).max() <= 1
    assert decoded.notes == ("ICC profile converted to sRGB",)


def test_a_gray_profile_applies_to_16_bit_gray_with_alpha() -> None:
    rows = b"\0" + struct.pack(">4H", 55 * 257, 65535, 55 * 257, 0)
    profile = (b"iCCP", b"gray\0\0" + zlib.compress(gray_profile()))

    decoded = decode(png_file((2, 1), 16, 4, rows, profile))

    assert np.abs(decoded.pixels[0, 0].astype(int) - 128).max() <= 1
    assert decoded.pixels[0, 1].tolist() == WHITE
    assert decoded.notes == ("ICC profile converted to sRGB", "alpha composited over #ffffff")


def test_a_palette_is_converted_by_its_profile() -> None:
    indexed = Image.new("P", (2, 2), 1)
    indexed.putpalette([0, 0, 0, 55, 55, 55])

    decoded = decode(encoded(indexed, "PNG", icc_profile=rgb_profile()))

    assert np.abs(np.subtract(only_color(decoded), 128)).max() <= 1


def test_alpha_is_composited_after_the_profile() -> None:
    decoded = decode(encoded(solid("RGBA", (55, 55, 55, 128)), "PNG", icc_profile=rgb_profile()), background=(0, 0, 0))

    assert np.abs(np.subtract(only_color(decoded), 64)).max() <= 1  # 128 at half opacity; the reverse order gives 97


@pytest.mark.parametrize(
    ("mode", "profile"),
    [
        ("RGB", b"not a profile"),
        ("RGB", rgb_profile()[:200]),
        ("RGB", rgb_profile()[:128] + b"\xff" * 400),
        ("RGB", icc_profile(b"RGB ", {})),
        ("RGB", icc_profile(b"RGB ", rgb_tags() | {b"x%03d" % number: b"" for number in range(100)})),
        ("RGB", gray_profile()),
        ("RGB", cmyk_profile()),
        ("L", rgb_profile()),
        ("L", icc_profile(b"GRAY", {b"kTRC": b"curv" + b"\xff" * 8})),
    ],
    ids=[
        "text",
        "cut off",
        "garbage",
        "no tags",
        "many tags",
        "gray for RGB",
        "CMYK for RGB",
        "RGB for gray",
        "bad curve",
    ],
)
def test_an_unusable_profile_is_ignored_with_a_note(mode: str, profile: bytes) -> None:
    decoded = decode(encoded(Image.fromarray(picture()).convert(mode), "PNG", icc_profile=profile))

    expected = np.asarray(Image.fromarray(picture()).convert(mode).convert("RGB"))
    np.testing.assert_array_equal(decoded.pixels, expected)
    assert decoded.notes == ("ICC profile ignored: damaged or made for other kinds of images",)


@pytest.mark.parametrize("elements", [1, 100_000])
def test_tables_of_floats_are_ignored(elements: int) -> None:
    # lcms prefers these tables, and spends most of a minute on 100,000 elements, which are 2 kB in a PNG.
    profile = icc_profile(b"RGB ", rgb_tags() | {b"D2B1": float_table(elements)}, version=4)

    decoded = decode(encoded(solid("RGB", (55, 55, 55)), "PNG", icc_profile=profile))

    assert np.abs(np.subtract(only_color(decoded), 128)).max() <= 1  # the float table would give black
    assert decoded.notes == ("ICC profile converted to sRGB",)


# CMYK and rarer spaces


def test_cmyk_without_a_profile_is_converted_by_formula() -> None:
    decoded = decode(encoded(solid("CMYK", (10, 20, 30, 40)), "TIFF"))

    # (255 - ink) * (255 - black) / 255
    assert only_color(decoded) == [207, 198, 190]
    assert decoded.notes == ("CMYK converted to sRGB without a profile",)


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_cmyk_with_a_profile_is_converted_by_the_profile(kind: str) -> None:
    # Pillow writes inverted CMYK into a JPEG, as Adobe does; without a correction the image would be a negative.
    halftone = decode(encoded(solid("CMYK", (0, 0, 0, 128)), kind, icc_profile=cmyk_profile()))
    paper = decode(encoded(solid("CMYK", (0, 0, 0, 0)), kind, icc_profile=cmyk_profile()))

    assert np.abs(np.subtract(only_color(halftone), 119)).max() <= 2  # 127 without the profile
    assert only_color(paper) == WHITE
    assert halftone.notes == ("ICC profile converted to sRGB",)


def test_full_ink_becomes_black() -> None:
    # Full ink has L* = 20 here, which is sRGB 48: without black point compensation every shadow is gray.
    decoded = decode(encoded(solid("CMYK", (0, 0, 0, 255)), "TIFF", icc_profile=cmyk_profile(black=51)))

    assert max(only_color(decoded)) <= 8


def test_rarer_color_spaces_of_tiff_are_converted() -> None:
    lab = Image.merge("LAB", [solid("L", level) for level in (128, 128, 128)])  # L* = 50.2, neutral

    assert only_color(decode(encoded(lab, "TIFF"))) == [119, 119, 119]
    assert only_color(decode(encoded(solid("YCbCr", (76, 85, 255)), "TIFF"))) == [254, 0, 0]


@pytest.mark.parametrize(("tags", "used"), [(100, True), (101, False)])
def test_a_profile_has_100_tags_at_most(tags: int, used: bool) -> None:
    own = rgb_tags(red=b"b", blue=b"r")
    more = {b"x%03d" % number: b"" for number in range(tags - len(own))}

    decoded = decode(encoded(solid("RGB", (255, 0, 0)), "PNG", icc_profile=icc_profile(b"RGB ", own | more)))

    assert (only_color(decoded)[2] > 250) is used
    assert decoded.notes == (
        "ICC profile converted to sRGB" if used else "ICC profile ignored: damaged or made for other kinds of images",
    )
