"""Decoding returns the right pixels of the right frame, and rejects every bad upload with one of our errors."""

import functools
import logging
import os
import struct
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFile

from models.codecs.bpg import hevc
from models.decoding.decode import ACCEPTED_FORMATS, decode
from models.errors import BadImage, ColorCNNError, ImageTooLarge, UnsupportedFormat
from tests.models.codecs.bpg.reference import MALFORMED, REFUSED, VALID, Vector, named
from tests.models.icc_profiles import gray_profile, rgb_profile
from tests.models.image_files import (
    bpg_file,
    encoded,
    exif,
    only_color,
    picture,
    png_file,
    ramp,
    solid,
    tiff_file,
    tiff_of,
    tiff_tags,
)

# models.decoding.decode silences Pillow's warnings about damage that it tolerates; pytest adds its own filter in front.
pytestmark = [
    pytest.mark.filterwarnings(r"ignore::UserWarning:PIL\."),
    pytest.mark.filterwarnings(r"ignore::PIL.Image.DecompressionBombWarning:PIL\."),
]


# Formats


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
        ("BPG", {}),
    ],
)
def test_lossless_formats_preserve_every_pixel(kind: str, options: dict[str, object]) -> None:
    decoded = decode(encoded(Image.fromarray(picture()), kind, **options))

    np.testing.assert_array_equal(decoded.pixels, picture())
    assert (decoded.format, decoded.notes) == (kind, ())
    assert decoded.pixels.dtype == np.uint8
    assert decoded.pixels.flags.c_contiguous


@pytest.mark.parametrize("kind", ["JPEG", "WEBP"])
def test_lossy_formats_stay_close_to_the_original(kind: str) -> None:
    decoded = decode(encoded(solid("RGB", (200, 100, 50)), kind, quality=95))

    # A flat block survives coding except for the rounding of YCbCr, at most 2 levels for both ways.
    assert np.abs(decoded.pixels.astype(int) - [200, 100, 50]).max() <= 2
    assert (decoded.format, decoded.notes) == (kind, ())


@pytest.mark.parametrize("kind", ["PNG", "GIF", "BMP", "TIFF"])
def test_palette_indices_become_colors(kind: str) -> None:
    indexed = Image.fromarray(np.arange(16, dtype=np.uint8).reshape(4, 4))
    indexed.putpalette(picture(16, 16)[0].tobytes())

    np.testing.assert_array_equal(decode(encoded(indexed, kind)).pixels, picture(16, 16)[0].reshape(4, 4, 3))


def test_channels_stored_in_separate_planes_are_joined() -> None:
    planes = picture(2, 3).transpose(2, 0, 1).tobytes()
    tags = tiff_tags((3, 2), [8, 8, 8], 2) | {284: ("H", [2]), 278: ("I", [2])}

    np.testing.assert_array_equal(decode(tiff_file(planes, tags, strips=[8, 14, 20])).pixels, picture(2, 3))


@pytest.mark.parametrize("background", [(-1, 0, 0), (0, 256, 0)])
def test_refuses_an_invalid_background_color(background: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="background"):
        decode(encoded(solid("RGB", (0, 0, 0)), "PNG"), background=background)


# Several frames


@pytest.mark.parametrize(
    ("kind", "frames"), [("PNG", "frames"), ("GIF", "frames"), ("WEBP", "frames"), ("TIFF", "pages")]
)
def test_the_first_frame_is_returned(kind: str, frames: str) -> None:
    first, second = solid("RGB", (250, 0, 0)), solid("RGB", (0, 0, 250))
    options = {"lossless": True} if kind == "WEBP" else {}

    decoded = decode(encoded(first, kind, save_all=True, append_images=[second, first], **options))

    assert only_color(decoded) == [250, 0, 0]
    assert decoded.notes == (f"first of several {frames}",)


def test_a_multi_picture_jpeg_is_decoded_as_a_jpeg() -> None:
    pair = encoded(solid("RGB", (128, 128, 128)), "MPO", save_all=True, append_images=[solid("RGB", (0, 0, 0))])

    decoded = decode(pair)

    assert only_color(decoded) == [128, 128, 128]
    assert (decoded.format, decoded.notes) == ("JPEG", ("first of several frames",))


# BPG


@pytest.mark.parametrize("vector", VALID, ids=str)
def test_a_bpg_matches_the_reference_decoder_over_the_background(vector: Vector) -> None:
    expected = Image.fromarray(vector.pixels)
    canvas = Image.new("RGBA", expected.size, (10, 20, 30, 255))
    canvas.paste(expected.convert("RGB"), mask=expected.getchannel("A") if expected.mode == "RGBA" else None)

    decoded = decode(vector.data, background=(10, 20, 30))

    np.testing.assert_array_equal(decoded.pixels, np.asarray(canvas.convert("RGB")))
    assert decoded.format == "BPG"
    assert ("alpha composited over #0a141e" in decoded.notes) == (expected.mode == "RGBA")


@pytest.mark.parametrize(
    ("name", "note"),
    [("anim_40x40_x265", "first of several frames"), ("cmyk_jpeg_x265_wplane", "CMYK converted to sRGB")],
)
def test_a_bpg_has_notes_on_its_conversions(name: str, note: str) -> None:
    assert decode(named(name).data).notes[0].startswith(note)


def test_the_profile_of_a_bpg_is_used() -> None:
    profile = rgb_profile(exponent=1.0)

    decoded = decode(bpg_file(picture(), ICC=profile))

    expected = decode(encoded(Image.fromarray(picture()), "PNG", icc_profile=profile))
    np.testing.assert_array_equal(decoded.pixels, expected.pixels)
    assert decoded.notes == expected.notes == ("ICC profile converted to sRGB",)


def test_a_gray_bpg_uses_a_gray_profile() -> None:
    levels = np.arange(256, dtype=np.uint8).reshape(16, 16)
    profile = gray_profile()

    decoded = decode(bpg_file(np.stack([levels] * 3, axis=-1), "gray", ICC=profile))

    expected = decode(encoded(Image.fromarray(levels), "PNG", icc_profile=profile))
    np.testing.assert_array_equal(decoded.pixels, expected.pixels)
    assert decoded.notes == ("ICC profile converted to sRGB",)


@pytest.mark.parametrize("vector", [*MALFORMED, *REFUSED], ids=str)
def test_a_rejected_bpg_raises_one_of_our_errors(vector: Vector) -> None:
    absurd = str(vector) == "bad_absurd_size"

    with pytest.raises(ImageTooLarge if absurd else BadImage):
        decode(vector.data)


def test_a_bpg_that_needs_too_much_memory_is_reported_as_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    def decode_picture(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(hevc, "decode_picture", decode_picture)

    with pytest.raises(ImageTooLarge, match="memory"):
        decode(bpg_file(picture()))


# Size


@pytest.fixture
def no_pixel_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(self: ImageFile.ImageFile) -> None:
        raise AssertionError("the pixels were decoded")

    monkeypatch.setattr(ImageFile.ImageFile, "load", load)


@pytest.mark.usefixtures("no_pixel_is_decoded")
@pytest.mark.parametrize("side", [13_000, 100_000])
def test_a_decompression_bomb_is_refused_from_its_header(side: int) -> None:
    # 13,000 lies between the limits of Pillow's warning and error, 100,000 above both. No image data is needed.
    with pytest.raises(ImageTooLarge, match="Send a smaller one"):
        decode(png_file((side, side), 1, 0, b""))


@pytest.mark.usefixtures("no_pixel_is_decoded")
def test_a_webp_of_144_megapixels_in_40_bytes_is_refused() -> None:
    webp = bytes.fromhex("5249464620000000574542505650384c140000002fdfeeb70b075081540820000a9afec78888fe07")

    with pytest.raises(ImageTooLarge, match="12000 x 12000"):
        decode(webp)


@pytest.mark.parametrize("kind", ["PNG", "BPG"])
def test_the_limit_itself_is_allowed(kind: str) -> None:
    data = encoded(Image.fromarray(picture(7, 11)), kind)

    assert decode(data, max_pixels=77).pixels.shape == (7, 11, 3)
    with pytest.raises(ImageTooLarge, match="11 x 7 pixels; at most 76"):
        decode(data, max_pixels=76)


def test_pillows_own_limit_is_left_as_it_was() -> None:
    assert Image.MAX_IMAGE_PIXELS == 1024 * 1024 * 1024 // 4 // 3


def test_running_out_of_memory_is_reported_as_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(self: ImageFile.ImageFile) -> None:
        raise MemoryError

    data = encoded(solid("RGB", (0, 0, 0)), "PNG")
    monkeypatch.setattr(ImageFile.ImageFile, "load", load)

    with pytest.raises(ImageTooLarge, match="memory"):
        decode(data)


# Bad input


@pytest.mark.parametrize("data", [b"", b"hello, world", b"<!DOCTYPE html><html></html>", bytes(100)])
def test_refuses_bytes_that_are_not_an_image(data: bytes) -> None:
    with pytest.raises(BadImage, match="Send"):
        decode(data)


def test_an_image_of_another_format_is_named() -> None:
    with pytest.raises(UnsupportedFormat, match=r"AVIF.*PNG, JPEG, WebP, GIF, BMP, TIFF or BPG"):
        decode(encoded(solid("RGB", (0, 0, 0)), "AVIF"))


@pytest.mark.parametrize("kind", ACCEPTED_FORMATS)
def test_a_signature_without_data_is_reported_as_damaged(kind: str) -> None:
    with pytest.raises(BadImage, match=f"The {kind} file (cannot be read|is cut short)"):
        file = encoded(solid("RGB", (0, 0, 0)), kind)
        decode(file[: min(12, len(file) - 1)])


@functools.cache
def small_files() -> dict[str, bytes]:
    """One valid file for each decoder and each of its pixel layouts."""
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
        "BPG": bpg_file(picture(9, 14), EXIF=tiff_of(exif(6)), ICC=rgb_profile()),
        "BPG alpha": named("rgba_40x40_x265_lossless").data,
        "BPG animated": named("anim_40x40_x265").data,
    }


@pytest.mark.parametrize("name", small_files())
def test_a_truncated_file_gives_an_error_or_the_whole_picture(name: str) -> None:
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


# Logs and threads


def test_an_upload_writes_nothing_to_the_log() -> None:
    """libtiff writes to stderr for each row of a damaged fax, and Pillow logs an error for an odd number of samples."""
    noise = np.random.default_rng(0).bytes(5000)
    fax = tiff_file(noise, tiff_tags((64, 500), [1], 0) | {259: ("H", [4]), 278: ("I", [500])})
    samples = tiff_file(noise, tiff_tags((8, 8), [8] * 9, 2))
    program = (
        "from models.errors import ColorCNNError; from models.decoding.decode import decode\n"
        f"for data in ({fax!r}, {samples!r}):\n"
        "    try: decode(data)\n"
        "    except ColorCNNError: pass"
    )

    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")


def test_several_threads_decode_the_same_pixels() -> None:
    files = list(small_files().values()) * 3
    alone = [decode(data) for data in files]

    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(decode, files))

    for one, other in zip(alone, together, strict=True):
        np.testing.assert_array_equal(one.pixels, other.pixels)
        assert one.notes == other.notes


def test_pillows_warnings_neither_reach_the_log_nor_stop_the_picture() -> None:
    # Pillow warns about a second acTL chunk and about a picture of 100 megapixels. Outside pytest the filter that
    # models.decoding.decode installs comes first, even if the user turns warnings into errors.
    warned = png_file((2, 1), 8, 0, b"\0\1\2", *[(b"acTL", struct.pack(">II", 1, 0))] * 2)
    large = png_file((10_000, 10_000), 1, 0, b"")
    program = (
        "import sys; from models.errors import ImageTooLarge; from models.decoding.decode import decode\n"
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


def test_a_damaged_file_leaves_no_line_in_the_log() -> None:
    assert not logging.getLogger("PIL.TiffImagePlugin").isEnabledFor(logging.ERROR)
