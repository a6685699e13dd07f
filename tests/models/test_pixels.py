"""Decoding gets the colours, the way up and the frame right, and answers every bad upload with one of our errors.

Every file is made here, by Pillow where it writes the case and by hand where it does not.
"""

import functools
import os
import struct
import subprocess
import sys
import zlib
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms, ImageFile

from models import pixels
from models.errors import BadImage, ColorCNNError, ImageTooLarge, UnsupportedFormat
from models.pixels import ACCEPTED_FORMATS, DecodedImage, decode

# models.pixels silences Pillow's warnings about damage it tolerates; pytest puts its own filter in front of that one.
pytestmark = [
    pytest.mark.filterwarnings(r"ignore::UserWarning:PIL\."),
    pytest.mark.filterwarnings(r"ignore::PIL.Image.DecompressionBombWarning:PIL\."),
]

Pixels = npt.NDArray[np.uint8]

WHITE = [255, 255, 255]


# Files


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def picture(height: int = 7, width: int = 11) -> Pixels:
    """Random colours: no two places alike, so that nothing can be mistaken for another place."""
    return np.random.default_rng(5).integers(0, 256, (height, width, 3)).astype(np.uint8)


def png_file(
    size: tuple[int, int], depth: int, color_type: int, rows: bytes, *chunks: tuple[bytes, bytes], interlace: int = 0
) -> bytes:
    """A PNG of the given scanlines, filter bytes included; `chunks` come before the image data."""
    header = struct.pack(">IIBBBBB", *size, depth, color_type, 0, 0, interlace)
    every = [(b"IHDR", header), *chunks, (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in every
    )


def tiff_file(
    data: bytes, tags: Mapping[int, tuple[str, Sequence[int]]], *, order: str = "<", strips: Sequence[int] = (8,)
) -> bytes:
    """A TIFF of raw `data` from byte 8 on. Tags map to ("H" or "I", values); the strips' offsets are added."""
    every = {273: ("I", strips), 279: ("I", [len(data)] * len(strips)), **tags}
    start = 8 + len(data) + len(data) % 2
    outside = start + 2 + 12 * len(every) + 4
    directory, values = struct.pack(f"{order}H", len(every)), b""
    for tag, (code, numbers) in sorted(every.items()):
        packed = struct.pack(f"{order}{len(numbers)}{code}", *numbers)
        field = packed.ljust(4, b"\0") if len(packed) <= 4 else struct.pack(f"{order}I", outside + len(values))
        directory += struct.pack(f"{order}HHI", tag, {"B": 1, "H": 3, "I": 4}[code], len(numbers)) + field
        values += packed if len(packed) > 4 else b""
    mark = b"II*\0" if order == "<" else b"MM\0*"
    return mark + struct.pack(f"{order}I", start) + data.ljust(start - 8, b"\0") + directory + bytes(4) + values


def tiff_tags(size: tuple[int, int], bits: Sequence[int], photometric: int) -> dict[int, tuple[str, Sequence[int]]]:
    width, height = size
    return {
        256: ("I", [width]),
        257: ("I", [height]),
        258: ("H", bits),
        259: ("H", [1]),
        262: ("H", [photometric]),
        277: ("H", [len(bits)]),
    }


def gif_file(canvas: tuple[int, int], box: tuple[int, int, int, int], indices: Sequence[int]) -> bytes:
    """A GIF of 8 bits per code, so that LZW needs no bit packing: a clear code before each index keeps it there."""
    left, top, width, height = box
    codes = b"".join(bytes([128, index]) for index in indices) + b"\x81"
    palette = bytes([9, 9, 9, 200, 0, 0, 0, 200, 0]).ljust(3 * 128, b"\0")
    head = b"GIF89a" + struct.pack("<HHBBB", *canvas, 0x80 | 6, 0, 0) + palette
    return head + b"," + struct.pack("<HHHHB", left, top, width, height, 0) + bytes([7, len(codes)]) + codes + b"\0;"


def xyz(*values: float) -> bytes:
    return b"XYZ \0\0\0\0" + b"".join(struct.pack(">i", round(value * 65536)) for value in values)


def gamma(exponent: float) -> bytes:
    return b"curv\0\0\0\0" + struct.pack(">IH", 1, round(exponent * 256)) + b"\0\0"


def icc_profile(space: bytes, tags: Mapping[bytes, bytes], *, pcs: bytes = b"XYZ ") -> bytes:
    """A version 2 display profile (ICC.1:2001-04, clause 6) of the given tags."""
    start = 128 + 4 + 12 * len(tags)
    table, body = struct.pack(">I", len(tags)), b""
    for signature, data in tags.items():
        table += signature + struct.pack(">II", start + len(body), len(data))
        body += data
    header = struct.pack(">I", start + len(body)) + b"\0\0\0\0" + b"\x02\x10\0\0" + b"mntr" + space + pcs
    header += struct.pack(">6H", 2026, 1, 1, 0, 0, 0) + b"acsp" + bytes(28) + xyz(0.9642, 1.0, 0.8249)[8:]
    return header.ljust(128, b"\0") + table + body


SRGB_COLUMNS = {b"r": (0.4360, 0.2225, 0.0139), b"g": (0.3851, 0.7169, 0.0971), b"b": (0.1431, 0.0606, 0.7141)}
D50 = xyz(0.9642, 1.0, 0.8249)


def rgb_profile(red: bytes = b"r", blue: bytes = b"b", exponent: float = 1.0) -> bytes:
    """sRGB's primaries, perhaps with red and blue exchanged, and a pure power curve."""
    tags = {b"wtpt": D50, b"rTRC": gamma(exponent), b"gTRC": gamma(exponent), b"bTRC": gamma(exponent)}
    columns = {b"rXYZ": SRGB_COLUMNS[red], b"gXYZ": SRGB_COLUMNS[b"g"], b"bXYZ": SRGB_COLUMNS[blue]}
    return icc_profile(b"RGB ", tags | {signature: xyz(*column) for signature, column in columns.items()})


def grey_profile(exponent: float = 1.0) -> bytes:
    return icc_profile(b"GRAY", {b"wtpt": D50, b"kTRC": gamma(exponent)})


def cmyk_profile(black: int = 0) -> bytes:
    """Paper is white, any full ink has L* = black / 2.55, linear between: 50 % ink is L* = 50, which is sRGB 119."""
    ramp = bytes(range(256))
    grid = b"".join(bytes([255 if corner == 0 else black, 128, 128]) for corner in range(16))
    identity = b"".join(struct.pack(">i", 65536 * (place % 4 == 0)) for place in range(9))
    table = b"mft1\0\0\0\0" + bytes([4, 3, 2, 0]) + identity + ramp * 4 + grid + ramp * 3
    return icc_profile(b"CMYK", {b"wtpt": D50, b"A2B0": table, b"A2B1": table}, pcs=b"Lab ")


def srgb_profile() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def solid(mode: str, color: int | tuple[int, ...], size: tuple[int, int] = (16, 16)) -> Image.Image:
    return Image.new(mode, size, color)


def only_color(decoded: DecodedImage) -> list[int]:
    """The colour of an image that has only one."""
    (color,) = np.unique(decoded.pixels.reshape(-1, 3), axis=0).tolist()
    return list(color)


# Formats and modes


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("PNG", {}),
        ("WEBP", {"lossless": True}),
        ("BMP", {}),
        ("TIFF", {}),
        ("TIFF", {"compression": "tiff_lzw"}),
        ("TIFF", {"compression": "tiff_adobe_deflate"}),
        ("TIFF", {"compression": "packbits"}),
    ],
)
def test_lossless_formats_give_back_every_pixel(kind: str, options: dict[str, object]) -> None:
    decoded = decode(encoded(Image.fromarray(picture()), kind, **options))

    np.testing.assert_array_equal(decoded.pixels, picture())
    assert (decoded.format, decoded.notes) == (kind, ())
    assert decoded.pixels.dtype == np.uint8
    assert decoded.pixels.flags.c_contiguous


@pytest.mark.parametrize("kind", ["JPEG", "WEBP"])
def test_lossy_formats_stay_close(kind: str) -> None:
    decoded = decode(encoded(solid("RGB", (200, 100, 50)), kind, quality=95))

    # A flat block survives coding but for the rounding of YCbCr, which is at most 2 levels there and back.
    assert np.abs(decoded.pixels.astype(int) - [200, 100, 50]).max() <= 2
    assert (decoded.format, decoded.notes) == (kind, ())


@pytest.mark.parametrize("kind", ["PNG", "GIF", "BMP", "TIFF"])
def test_palettes_are_looked_up(kind: str) -> None:
    indexed = Image.fromarray(np.arange(16, dtype=np.uint8).reshape(4, 4))
    indexed.putpalette(picture(16, 16)[0].tobytes())

    np.testing.assert_array_equal(decode(encoded(indexed, kind)).pixels, picture(16, 16)[0].reshape(4, 4, 3))


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF"])
def test_one_bit_is_black_and_white(kind: str) -> None:
    bits = picture()[..., 0] > 127

    expected = np.where(bits, 255, 0)[..., np.newaxis].repeat(3, axis=2)
    np.testing.assert_array_equal(decode(encoded(Image.fromarray(bits), kind)).pixels, expected)


@pytest.mark.parametrize(("depth", "row"), [(1, b"\xa0"), (2, b"\xb1"), (4, b"\x0f\x30")])
def test_shallow_grey_uses_the_whole_range(depth: int, row: bytes) -> None:
    levels = decode(png_file((3, 1), depth, 0, b"\0" + row)).pixels[0, :, 0]

    assert levels.tolist() == {1: [255, 0, 255], 2: [170, 255, 0], 4: [0, 255, 51]}[depth]


def test_rarer_color_spaces_of_tiff() -> None:
    lab = Image.merge("LAB", [solid("L", level) for level in (128, 128, 128)])  # L* = 50.2, neutral

    assert only_color(decode(encoded(lab, "TIFF"))) == [119, 119, 119]
    assert only_color(decode(encoded(solid("YCbCr", (76, 85, 255)), "TIFF"))) == [254, 0, 0]


def test_channels_stored_apart() -> None:
    planes = picture(2, 3).transpose(2, 0, 1).tobytes()
    tags = tiff_tags((3, 2), [8, 8, 8], 2) | {284: ("H", [2]), 278: ("I", [2])}

    np.testing.assert_array_equal(decode(tiff_file(planes, tags, strips=[8, 14, 20])).pixels, picture(2, 3))


def test_bands_join_without_a_seam(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pixels, "_BAND_PIXELS", 30)  # two rows of 11; 7 rows leave one over

    np.testing.assert_array_equal(decode(encoded(Image.fromarray(picture()), "PNG")).pixels, picture())


# Orientation

ORIENTED = {  # EXIF 2.32, figure of tag 0x0112: how the stored image has to be turned to be seen upright
    1: lambda stored: stored,
    2: np.fliplr,
    3: lambda stored: np.rot90(stored, 2),
    4: np.flipud,
    5: lambda stored: stored.transpose(1, 0, 2),
    6: lambda stored: np.rot90(stored, -1),
    7: lambda stored: np.rot90(stored, 2).transpose(1, 0, 2),
    8: lambda stored: np.rot90(stored, 1),
}


def exif(orientation: int) -> Image.Exif:
    tags = Image.Exif()
    tags[0x0112] = orientation
    return tags


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


def test_a_photo_held_upright_is_decoded_upright() -> None:
    landscape = Image.new("RGB", (32, 16), (0, 0, 200))
    landscape.paste((200, 0, 0), (0, 0, 16, 16))  # red on the left, which orientation 6 puts on top

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
def test_damaged_exif_does_not_cost_the_picture(kind: str, damaged: bytes) -> None:
    decoded = decode(encoded(solid("RGB", (10, 200, 30)), kind, exif=b"Exif\0\0" + damaged))

    assert np.abs(decoded.pixels.astype(int) - [10, 200, 30]).max() <= 2


# ICC profiles


def test_a_profile_is_converted_to_srgb() -> None:
    swapped = rgb_profile(red=b"b", blue=b"r")  # linear light, red and blue exchanged

    red = decode(encoded(solid("RGB", (255, 0, 0)), "PNG", icc_profile=swapped))
    grey = decode(encoded(solid("RGB", (55, 55, 55)), "PNG", icc_profile=swapped))

    # One level of tolerance: the profile's numbers have 16 bits, and lcms works at 8 bits here.
    assert np.abs(np.subtract(only_color(red), [0, 0, 255])).max() <= 1
    assert np.abs(np.subtract(only_color(grey), [128, 128, 128])).max() <= 1  # 55 / 255 linear is 128 / 255 in sRGB
    assert red.notes == ("ICC profile converted to sRGB",)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF"])
def test_profiles_are_found_in_every_format_that_has_them(kind: str) -> None:
    decoded = decode(encoded(solid("RGB", (55, 55, 55)), kind, icc_profile=rgb_profile()))

    assert np.abs(decoded.pixels.astype(int) - 128).max() <= 3  # 1 for the profile, 2 for lossy coding
    assert decoded.notes == ("ICC profile converted to sRGB",)


def test_an_srgb_profile_changes_nothing_and_is_not_worth_a_note() -> None:
    decoded = decode(encoded(Image.fromarray(picture()), "PNG", icc_profile=srgb_profile()))

    np.testing.assert_array_equal(decoded.pixels, picture())
    assert decoded.notes == ()


def test_a_pure_power_curve_is_not_mistaken_for_srgb() -> None:
    # sRGB's curve has a straight foot: level 10 of gamma 2.2 is far darker than sRGB's 10.
    decoded = decode(encoded(solid("RGB", (10, 10, 10)), "PNG", icc_profile=rgb_profile(exponent=2.2)))

    assert max(only_color(decoded)) <= 4
    assert decoded.notes == ("ICC profile converted to sRGB",)


@pytest.mark.parametrize("mode", ["L", "LA", "I;16"])
def test_grey_profiles(mode: str) -> None:
    image = {
        "L": solid("L", 55),
        "LA": solid("LA", (55, 255)),
        "I;16": Image.fromarray(np.full((4, 4), 55 * 257, np.uint16)),
    }[mode]

    decoded = decode(encoded(image, "PNG", icc_profile=grey_profile()))

    assert np.abs(np.subtract(only_color(decoded), 128)).max() <= 1
    assert decoded.notes == ("ICC profile converted to sRGB",)


def test_grey_profile_of_16_bit_grey_with_alpha() -> None:
    rows = b"\0" + struct.pack(">4H", 55 * 257, 65535, 55 * 257, 0)
    profile = (b"iCCP", b"grey\0\0" + zlib.compress(grey_profile()))

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

    assert np.abs(np.subtract(only_color(decoded), 64)).max() <= 1  # 128 at half opacity; the other order gives 97


@pytest.mark.parametrize(
    ("mode", "profile"),
    [
        ("RGB", b"not a profile"),
        ("RGB", rgb_profile()[:200]),
        ("RGB", rgb_profile()[:128] + b"\xff" * 400),
        ("RGB", icc_profile(b"RGB ", {})),
        ("RGB", grey_profile()),
        ("RGB", cmyk_profile()),
        ("L", rgb_profile()),
        ("L", icc_profile(b"GRAY", {b"kTRC": b"curv" + b"\xff" * 8})),
    ],
    ids=["text", "cut off", "garbage", "no tags", "grey for RGB", "CMYK for RGB", "RGB for grey", "bad curve"],
)
def test_an_unusable_profile_is_ignored_with_a_note(mode: str, profile: bytes) -> None:
    decoded = decode(encoded(Image.fromarray(picture()).convert(mode), "PNG", icc_profile=profile))

    expected = np.asarray(Image.fromarray(picture()).convert(mode).convert("RGB"))
    np.testing.assert_array_equal(decoded.pixels, expected)
    assert decoded.notes == ("ICC profile ignored: damaged or made for other kinds of images",)


# CMYK


def test_cmyk_without_a_profile() -> None:
    decoded = decode(encoded(solid("CMYK", (10, 20, 30, 40)), "TIFF"))

    # (255 - ink) * (255 - black) / 255
    assert only_color(decoded) == [207, 198, 190]
    assert decoded.notes == ("CMYK converted to sRGB without a profile",)


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_cmyk_with_a_profile(kind: str) -> None:
    # Pillow writes Adobe's inverted CMYK into JPEGs; taken as it stands it would give a negative.
    halftone = decode(encoded(solid("CMYK", (0, 0, 0, 128)), kind, icc_profile=cmyk_profile()))
    paper = decode(encoded(solid("CMYK", (0, 0, 0, 0)), kind, icc_profile=cmyk_profile()))

    assert np.abs(np.subtract(only_color(halftone), 119)).max() <= 2  # without the profile it would be 127
    assert only_color(paper) == WHITE
    assert halftone.notes == ("ICC profile converted to sRGB",)


def test_the_blackest_ink_is_black() -> None:
    # Ink on paper ends at L* = 20 here, which is sRGB 48: without black point compensation every shadow is grey.
    decoded = decode(encoded(solid("CMYK", (0, 0, 0, 255)), "TIFF", icc_profile=cmyk_profile(black=51)))

    assert max(only_color(decoded)) <= 8


# Deep samples


def ramp() -> npt.NDArray[np.uint16]:
    return np.arange(65536, dtype=np.uint16).reshape(256, 256)


RAMP_IN_8_BITS = np.rint(np.arange(65536) / 257).astype(np.uint8).reshape(256, 256)


@pytest.mark.parametrize(("kind", "options"), [("PNG", {}), ("TIFF", {}), ("TIFF", {"compression": "tiff_lzw"})])
@pytest.mark.parametrize("order", ["<", ">"])
def test_16_bit_grey_is_scaled_and_rounded_not_saturated(kind: str, options: dict[str, object], order: str) -> None:
    decoded = decode(encoded(Image.fromarray(ramp().astype(f"{order}u2")), kind, **options))

    for channel in range(3):
        np.testing.assert_array_equal(decoded.pixels[..., channel], RAMP_IN_8_BITS)
    assert decoded.notes == ()


def test_16_bit_grey_in_which_zero_is_white() -> None:
    decoded = decode(tiff_file(ramp().tobytes(), tiff_tags((256, 256), [16], 0)))

    np.testing.assert_array_equal(decoded.pixels[..., 0], 255 - RAMP_IN_8_BITS)


def test_12_bit_grey() -> None:
    packed = bytes.fromhex("000800fff0")  # 0x000, 0x800, 0xfff

    decoded = decode(tiff_file(packed, tiff_tags((3, 1), [12], 1)))

    assert decoded.pixels[0, :, 0].tolist() == [0, 128, 255]  # 2048 / 4095 of 255 is 127.53


def test_16_bit_color_keeps_its_high_byte() -> None:
    rows = b"\0" + struct.pack(">6H", 0x1234, 0x8000, 0xFFFF, 0x00FF, 0x7FFF, 0xFE01)

    assert decode(png_file((2, 1), 16, 2, rows)).pixels[0].tolist() == [[0x12, 0x80, 0xFF], [0x00, 0x7F, 0xFE]]


@pytest.mark.parametrize("compression", [None, "tiff_lzw"])
def test_wide_integers_are_stretched_to_their_range(compression: str | None) -> None:
    wide = Image.fromarray(np.array([[-1000, 0, 1000, 99000]], np.int32))

    levels = decode(encoded(wide, "TIFF", compression=compression)).pixels[0, :, 0]

    assert levels.tolist() == [0, 3, 5, 255]


@pytest.mark.parametrize(
    ("values", "levels"),
    [
        ([0.0, 0.25, 0.5], [0, 64, 128]),
        ([-1.0, 0.0, 3.0], [0, 64, 255]),
        ([0.0, 40.0, 80.0], [0, 128, 255]),
        ([np.nan, 0.0, np.inf, -np.inf, 1.0], [0, 0, 255, 0, 255]),
        ([np.nan, np.nan], [0, 0]),
        ([7.0, 7.0], [0, 0]),
    ],
    ids=["0 to 1 as they are", "stretched", "stretched up", "not finite", "no number at all", "flat"],
)
def test_floats(values: list[float], levels: list[int]) -> None:
    decoded = decode(encoded(Image.fromarray(np.array([values], np.float32)), "TIFF"))

    assert decoded.pixels[0, :, 0].tolist() == levels


# Transparency


@pytest.mark.parametrize("background", [(255, 255, 255), (0, 0, 0), (13, 128, 200)])
def test_alpha_is_composited_with_correct_rounding(background: tuple[int, int, int]) -> None:
    levels, alphas = np.meshgrid(np.arange(256), np.arange(256))
    layers = np.stack([levels, 255 - levels, levels, alphas], axis=-1)

    decoded = decode(encoded(Image.fromarray(layers.astype(np.uint8)), "PNG"), background=background)

    alpha = layers[..., 3:]
    expected = (2 * (alpha * layers[..., :3] + (255 - alpha) * np.array(background)) + 255) // 510
    np.testing.assert_array_equal(decoded.pixels, expected)
    assert decoded.notes == ("alpha composited over #{:02x}{:02x}{:02x}".format(*background),)


def test_an_opaque_alpha_channel_leaves_no_note() -> None:
    assert decode(encoded(solid("RGBA", (1, 2, 3, 255)), "PNG")).notes == ()


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF"])
def test_the_background_shows_through_transparent_pixels(kind: str) -> None:
    decoded = decode(encoded(solid("RGBA", (90, 90, 90, 0)), kind), background=(1, 2, 3))

    assert only_color(decoded) == [1, 2, 3]


def test_grey_with_alpha() -> None:
    grey = decode(encoded(solid("LA", (100, 51)), "PNG"))

    assert only_color(grey) == [224, 224, 224]  # 100 / 5 + 255 * 4 / 5


def test_premultiplied_alpha() -> None:
    grey = decode(tiff_file(bytes([20, 51]), tiff_tags((1, 1), [8, 8], 1) | {338: ("H", [1])}))
    color = decode(tiff_file(bytes([20, 10, 0, 51]), tiff_tags((1, 1), [8] * 4, 2) | {338: ("H", [1])}))

    assert only_color(grey) == [224, 224, 224]
    assert only_color(color) == [224, 214, 204]


def test_palette_with_alpha_channel() -> None:
    colors = [level * 257 for level in range(256)] * 3
    tags = tiff_tags((2, 1), [8, 8], 3) | {338: ("H", [2]), 320: ("H", colors)}

    assert decode(tiff_file(bytes([7, 255, 7, 0]), tags)).pixels[0].tolist() == [[7, 7, 7], WHITE]


@pytest.mark.parametrize("alphas", [b"\xff\0", b"\x80\0\x33"], ids=["one entry", "several entries"])
def test_transparent_palette_entries(alphas: bytes) -> None:
    palette = (b"PLTE", bytes([10, 20, 30, 40, 50, 60, 70, 80, 90]))

    decoded = decode(png_file((3, 1), 8, 3, b"\0\0\1\2", palette, (b"tRNS", alphas)), background=(0, 0, 0))

    assert (
        decoded.pixels[0].tolist()
        == [
            [[10, 20, 30], [0, 0, 0], [70, 80, 90]],
            [[5, 10, 15], [0, 0, 0], [14, 16, 18]],
        ][len(alphas) - 2]
    )


@pytest.mark.parametrize(
    ("depth", "color_type", "row", "key", "opaque"),
    [
        (1, 0, b"\x40", struct.pack(">H", 1), [0, 0, 0]),
        (2, 0, b"\x90", struct.pack(">H", 1), [170, 170, 170]),
        (4, 0, b"\xc3", struct.pack(">H", 3), [204, 204, 204]),
        (8, 0, b"\x64\x03", struct.pack(">H", 3), [100, 100, 100]),
        (16, 0, struct.pack(">2H", 25700, 25701), struct.pack(">H", 25701), [100, 100, 100]),
        (8, 2, bytes([1, 2, 3, 1, 2, 4]), struct.pack(">3H", 1, 2, 4), [1, 2, 3]),
        (16, 2, struct.pack(">6H", 257, 514, 771, 257, 514, 1028), struct.pack(">3H", 257, 514, 1028), [1, 2, 3]),
    ],
)
def test_transparent_color_key(depth: int, color_type: int, row: bytes, key: bytes, opaque: list[int]) -> None:
    """Two pixels, of which the second has the colour that means transparent."""
    decoded = decode(png_file((2, 1), depth, color_type, b"\0" + row, (b"tRNS", key)), background=(9, 8, 7))

    assert decoded.pixels[0].tolist() == [opaque, [9, 8, 7]]
    assert decoded.notes == ("alpha composited over #090807",)


def test_a_key_that_no_pixel_can_have_is_harmless() -> None:
    decoded = decode(png_file((2, 1), 8, 0, b"\0\x01\x02", (b"tRNS", b"\x01\x2c")))

    assert decoded.pixels[0, :, 0].tolist() == [1, 2]
    assert decoded.notes == ()


@pytest.mark.parametrize(("color_type", "row"), [(0, b"\7"), (2, b"\7\7\7"), (3, b"\1")])
def test_a_text_chunk_that_poses_as_one_of_pillows_own_fields_is_harmless(color_type: int, row: bytes) -> None:
    # Pillow keeps the text of a PNG in the same dictionary as its own findings.
    texts = [(b"tEXt", name + b"\0nonsense") for name in (b"transparency", b"exif", b"gamma")]

    decoded = decode(png_file((1, 1), 8, color_type, b"\0" + row, (b"PLTE", bytes([0, 0, 0, 7, 7, 7])), *texts))

    assert only_color(decoded) == [7, 7, 7]
    assert decoded.notes == ()


def test_transparent_gif() -> None:
    indexed = Image.fromarray(np.array([[0, 1]], np.uint8))
    indexed.putpalette([10, 20, 30, 40, 50, 60])

    assert decode(encoded(indexed, "GIF", transparency=1)).pixels[0].tolist() == [[10, 20, 30], WHITE]


@pytest.mark.parametrize("alpha", [0, 128])
def test_a_bmp_whose_fourth_byte_is_all_zero_is_opaque(alpha: int) -> None:
    masks = struct.pack("<4I", 0xFF0000, 0xFF00, 0xFF, 0xFF000000)
    header = struct.pack("<IiiHHIIiiII", 56, 1, 1, 1, 32, 3, 4, 0, 0, 0, 0) + masks
    bmp = b"BM" + struct.pack("<IHHI", 74, 0, 0, 70) + header + bytes([30, 20, 10, alpha])

    assert only_color(decode(bmp)) == ([10, 20, 30] if alpha == 0 else [132, 137, 142])


@pytest.mark.parametrize("background", [(-1, 0, 0), (0, 256, 0)])
def test_refuses_a_background_that_is_no_color(background: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="background"):
        decode(encoded(solid("RGB", (0, 0, 0)), "PNG"), background=background)


# Several frames


@pytest.mark.parametrize(
    ("kind", "frames"), [("PNG", "frames"), ("GIF", "frames"), ("WEBP", "frames"), ("TIFF", "pages")]
)
def test_the_first_frame_is_taken(kind: str, frames: str) -> None:
    first, second = solid("RGB", (250, 0, 0)), solid("RGB", (0, 0, 250))
    options = {"lossless": True} if kind == "WEBP" else {}

    decoded = decode(encoded(first, kind, save_all=True, append_images=[second, first], **options))

    assert only_color(decoded) == [250, 0, 0]
    assert decoded.notes == (f"first of several {frames}",)


def test_a_multi_picture_jpeg_is_a_jpeg() -> None:
    pair = encoded(solid("RGB", (128, 128, 128)), "MPO", save_all=True, append_images=[solid("RGB", (0, 0, 0))])

    decoded = decode(pair)

    assert only_color(decoded) == [128, 128, 128]
    assert (decoded.format, decoded.notes) == ("JPEG", ("first of several frames",))


def test_a_gif_frame_smaller_than_its_canvas_leaves_the_rest_transparent() -> None:
    decoded = decode(gif_file((3, 2), (1, 0, 2, 1), [1, 2]))

    assert decoded.pixels.tolist() == [[WHITE, [200, 0, 0], [0, 200, 0]], [WHITE, WHITE, WHITE]]
    assert decoded.notes == ("alpha composited over #ffffff",)


# Size


@pytest.fixture
def no_pixel_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(self: ImageFile.ImageFile) -> None:
        raise AssertionError("the pixels were decoded")

    monkeypatch.setattr(ImageFile.ImageFile, "load", load)


@pytest.mark.usefixtures("no_pixel_is_decoded")
@pytest.mark.parametrize("side", [13_000, 100_000])
def test_a_bomb_is_refused_from_its_header(side: int) -> None:
    # 13,000 is between Pillow's warning and its error, 100,000 beyond both. The image data need not even be there.
    with pytest.raises(ImageTooLarge, match="Send a smaller one"):
        decode(png_file((side, side), 1, 0, b""))


@pytest.mark.usefixtures("no_pixel_is_decoded")
def test_a_webp_of_144_megapixels_in_40_bytes_is_refused() -> None:
    webp = bytes.fromhex("5249464620000000574542505650384c140000002fdfeeb70b075081540820000a9afec78888fe07")

    with pytest.raises(ImageTooLarge, match="12000 x 12000"):
        decode(webp)


def test_the_limit_itself_is_allowed() -> None:
    data = encoded(Image.fromarray(picture(7, 11)), "PNG")

    assert decode(data, max_pixels=77).pixels.shape == (7, 11, 3)
    with pytest.raises(ImageTooLarge, match="11 x 7 pixels; at most 76"):
        decode(data, max_pixels=76)


def test_pillows_own_limit_is_left_as_it_was() -> None:
    assert Image.MAX_IMAGE_PIXELS == 1024 * 1024 * 1024 // 4 // 3


def test_running_out_of_memory_is_said_to_be_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(self: ImageFile.ImageFile) -> None:
        raise MemoryError

    data = encoded(solid("RGB", (0, 0, 0)), "PNG")
    monkeypatch.setattr(ImageFile.ImageFile, "load", load)

    with pytest.raises(ImageTooLarge, match="memory"):
        decode(data)


# Bad input


@pytest.mark.parametrize("data", [b"", b"hello, world", b"<!DOCTYPE html><html></html>", bytes(100)])
def test_what_is_no_image(data: bytes) -> None:
    with pytest.raises(BadImage, match="Send"):
        decode(data)


def test_an_image_of_another_format_is_named() -> None:
    with pytest.raises(UnsupportedFormat, match=r"AVIF.*PNG, JPEG, WebP, GIF, BMP or TIFF"):
        decode(encoded(solid("RGB", (0, 0, 0)), "AVIF"))


@pytest.mark.parametrize("kind", ACCEPTED_FORMATS)
def test_a_signature_alone_is_damage(kind: str) -> None:
    with pytest.raises(BadImage, match=f"The {kind} file cannot be read"):
        decode(encoded(solid("RGB", (0, 0, 0)), kind)[:12])


@pytest.mark.parametrize("extra", [{50706: ("B", [1, 4, 0, 0])}, {254: ("I", [1]), 330: ("I", [8])}])
def test_the_stamp_sized_preview_of_a_camera_raw_is_refused(extra: dict[int, tuple[str, list[int]]]) -> None:
    with pytest.raises(UnsupportedFormat, match="camera raw"):
        decode(tiff_file(bytes(4), tiff_tags((2, 2), [8], 1) | extra))


@functools.cache
def small_files() -> dict[str, bytes]:
    """One valid file for each reader and each way it stores pixels."""
    image = Image.fromarray(picture(9, 14))
    frames = {"save_all": True, "append_images": [image.rotate(180)]}
    return {
        "PNG": encoded(image, "PNG", icc_profile=rgb_profile(), exif=exif(6)),
        "PNG palette": png_file((3, 1), 8, 3, b"\0\0\1\2", (b"PLTE", bytes(range(9))), (b"tRNS", b"\x80\0\x33")),
        "PNG 16-bit": encoded(Image.fromarray(ramp()[:9, :14]), "PNG"),
        "APNG": encoded(image, "PNG", **frames),
        "JPEG": encoded(image, "JPEG", icc_profile=rgb_profile(), exif=exif(6)),
        "JPEG progressive": encoded(image, "JPEG", progressive=True),
        "JPEG CMYK": encoded(image.convert("CMYK"), "JPEG"),
        "GIF": encoded(image, "GIF"),
        "GIF animated": encoded(image, "GIF", **frames),
        "WebP": encoded(image, "WEBP", exif=exif(6)),
        "WebP lossless": encoded(image, "WEBP", lossless=True),
        "WebP animated": encoded(image, "WEBP", **frames),
        "BMP": encoded(image, "BMP"),
        "BMP palette": encoded(image.convert("P"), "BMP"),
        "TIFF": encoded(image, "TIFF", exif=exif(6)),
        "TIFF LZW": encoded(image, "TIFF", compression="tiff_lzw"),
        "TIFF group 4": encoded(image.convert("1"), "TIFF", compression="group4"),
        "TIFF pages": encoded(image, "TIFF", **frames),
    }


@pytest.mark.parametrize("name", small_files())
def test_a_file_cut_short_gives_an_error_or_the_whole_picture_never_a_part(name: str) -> None:
    data = small_files()[name]
    whole = decode(data).pixels
    refused = 0
    for length in range(0, len(data), 1 if len(data) < 1000 else 3):
        try:
            np.testing.assert_array_equal(decode(data[:length]).pixels, whole)  # only a trailer may be missing
        except BadImage:
            refused += 1
    assert refused > 0


@settings(max_examples=250, derandomize=True, deadline=None)
@given(st.sampled_from(sorted(small_files())), st.data())
def test_a_damaged_file_gives_a_picture_or_one_of_our_errors(name: str, data: st.DataObject) -> None:
    damaged = bytearray(small_files()[name])
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(damaged) - 1))
        damaged[start : start + data.draw(st.integers(0, 4))] = data.draw(st.binary(max_size=4))
    try:
        decoded = decode(bytes(damaged), max_pixels=100_000)
    except ColorCNNError as error:
        assert str(error)
    else:
        assert decoded.pixels.dtype == np.uint8
        assert decoded.pixels.shape[2] == 3
        assert decoded.pixels.size <= 300_000


@settings(max_examples=100, derandomize=True, deadline=None)
@given(st.sampled_from([small_files()[name][:12] for name in sorted(small_files())]), st.binary(max_size=80))
def test_a_signature_before_noise_gives_one_of_our_errors(start: bytes, noise: bytes) -> None:
    with pytest.raises(ColorCNNError):
        decode(start + noise, max_pixels=100_000)


@pytest.mark.parametrize("height", [6, 9, 10])
def test_a_png_whose_rows_run_out_is_refused(height: int) -> None:
    rows = b"".join(b"\0" + bytes([200] * 4) for _ in range(5))  # Pillow would leave the rest black

    with pytest.raises(BadImage, match="ends before"):
        decode(png_file((4, height), 8, 0, rows))


def test_a_png_that_ends_in_black_is_whole() -> None:
    rows = b"\0" + bytes([200] * 4) + b"\0" + bytes(4)

    assert decode(png_file((4, 2), 8, 0, rows)).pixels[..., 0].tolist() == [[200] * 4, [0] * 4]


def test_an_interlaced_png() -> None:
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


def test_an_apng_whose_first_frame_leaves_gaps_is_refused() -> None:
    control = (b"acTL", struct.pack(">II", 2, 0))
    frame = (b"fcTL", struct.pack(">IIIIIHHBB", 0, 2, 1, 0, 0, 1, 1, 0, 0))

    with pytest.raises(BadImage, match="part of the picture is missing"):
        decode(png_file((2, 2), 8, 0, b"\0\1\2", control, frame))


# Surroundings


def test_several_threads_decode_alike() -> None:
    files = list(small_files().values()) * 3
    alone = [decode(data) for data in files]

    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(decode, files))

    for one, other in zip(alone, together, strict=True):
        np.testing.assert_array_equal(one.pixels, other.pixels)
        assert one.notes == other.notes


def test_pillows_warnings_neither_reach_the_log_nor_stop_the_picture() -> None:
    # Pillow warns of a second acTL chunk and of a picture of 100 megapixels. Outside pytest the filter that
    # models.pixels installs comes first, even if the user makes warnings errors.
    warned = png_file((2, 1), 8, 0, b"\0\1\2", *[(b"acTL", struct.pack(">II", 1, 0))] * 2)
    large = png_file((10_000, 10_000), 1, 0, b"")
    program = (
        "import sys; from models.errors import ImageTooLarge; from models.pixels import decode\n"
        f"assert decode({warned!r}).pixels.shape == (1, 2, 3)\n"
        f"try: decode({large!r})\n"
        "except ImageTooLarge as error: assert '10000 x 10000' in str(error)\n"
        "else: sys.exit('decoded')"
    )

    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], env=environment, capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stderr) == (0, "")
