"""Transparent pixels show the background, whichever way the file marks them as transparent."""

import struct
from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from models.decoding.decode import decode
from models.decoding.showing import Layer
from tests.models.image_files import WHITE, encoded, only_color, png_file, solid, tiff_file, tiff_tags

# Alpha


@pytest.mark.parametrize("background", [(255, 255, 255), (0, 0, 0), (13, 128, 200)])
def test_alpha_is_composited_with_correct_rounding(background: tuple[int, int, int]) -> None:
    levels, alphas = np.meshgrid(np.arange(256), np.arange(256))
    layers = np.stack([levels, 255 - levels, levels, alphas], axis=-1)

    decoded = decode(encoded(Image.fromarray(layers.astype(np.uint8)), "PNG"), background=background)

    alpha = layers[..., 3:]
    expected = (2 * (alpha * layers[..., :3] + (255 - alpha) * np.array(background)) + 255) // 510
    np.testing.assert_array_equal(decoded.pixels, expected)
    assert decoded.notes == ("alpha composited over #{:02x}{:02x}{:02x}".format(*background),)


def test_an_opaque_alpha_channel_adds_no_note() -> None:
    assert decode(encoded(solid("RGBA", (1, 2, 3, 255)), "PNG")).notes == ()


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF"])
def test_transparent_pixels_show_the_background(kind: str) -> None:
    decoded = decode(encoded(solid("RGBA", (90, 90, 90, 0)), kind), background=(1, 2, 3))

    assert only_color(decoded) == [1, 2, 3]


def test_gray_with_alpha_is_composited() -> None:
    gray = decode(encoded(solid("LA", (100, 51)), "PNG"))

    assert only_color(gray) == [224, 224, 224]  # 100 / 5 + 255 * 4 / 5


def test_premultiplied_alpha_is_not_multiplied_again() -> None:
    gray = decode(tiff_file(bytes([20, 51]), tiff_tags((1, 1), [8, 8], 1) | {338: ("H", [1])}))
    color = decode(tiff_file(bytes([20, 10, 0, 51]), tiff_tags((1, 1), [8] * 4, 2) | {338: ("H", [1])}))

    assert only_color(gray) == [224, 224, 224]
    assert only_color(color) == [224, 214, 204]


def test_a_palette_with_alpha_is_composited() -> None:
    colors = [level * 257 for level in range(256)] * 3
    tags = tiff_tags((2, 1), [8, 8], 3) | {338: ("H", [2]), 320: ("H", colors)}

    assert decode(tiff_file(bytes([7, 255, 7, 0]), tags)).pixels[0].tolist() == [[7, 7, 7], WHITE]


@pytest.mark.parametrize("alpha", [0, 128])
def test_a_bmp_whose_fourth_byte_is_all_zero_is_opaque(alpha: int) -> None:
    masks = struct.pack("<4I", 0xFF0000, 0xFF00, 0xFF, 0xFF000000)
    header = struct.pack("<IiiHHIIiiII", 56, 1, 1, 1, 32, 3, 4, 0, 0, 0, 0) + masks
    bmp = b"BM" + struct.pack("<IHHI", 74, 0, 0, 70) + header + bytes([30, 20, 10, alpha])

    assert only_color(decode(bmp)) == ([10, 20, 30] if alpha == 0 else [132, 137, 142])


# Transparent colors


@pytest.mark.parametrize("alphas", [b"\xff\0", b"\x80\0\x33"], ids=["one entry", "several entries"])
def test_transparent_palette_entries_show_the_background(alphas: bytes) -> None:
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
def test_a_transparent_color_key_shows_the_background(
    depth: int, color_type: int, row: bytes, key: bytes, opaque: list[int]
) -> None:
    """The second of two pixels has the color that means transparent."""
    decoded = decode(png_file((2, 1), depth, color_type, b"\0" + row, (b"tRNS", key)), background=(9, 8, 7))

    assert decoded.pixels[0].tolist() == [opaque, [9, 8, 7]]
    assert decoded.notes == ("alpha composited over #090807",)


@pytest.mark.parametrize("interlace", [0, 1])
def test_only_the_exact_color_of_16_bits_is_transparent(interlace: int) -> None:
    colors = [(257, 514, 771), (257, 514, 772), (256, 514, 771), (257, 514, 771)]
    pixels = [struct.pack(">3H", *color) for color in colors]
    passes = b"\0" + pixels[0] + b"\0" + pixels[2] + b"\0" + pixels[1] + pixels[3]
    rows = passes if interlace else b"\0" + b"".join(pixels)

    file = png_file((4, 1), 16, 2, rows, (b"tRNS", struct.pack(">3H", *colors[0])), interlace=interlace)
    decoded = decode(file, background=(9, 8, 7))

    assert decoded.pixels[0].tolist() == [[9, 8, 7], [1, 2, 3], [1, 2, 3], [9, 8, 7]]


def test_a_key_that_no_pixel_can_have_is_harmless() -> None:
    decoded = decode(png_file((2, 1), 8, 0, b"\0\x01\x02", (b"tRNS", b"\x01\x2c")))

    assert decoded.pixels[0, :, 0].tolist() == [1, 2]
    assert decoded.notes == ()


@pytest.mark.parametrize(
    ("depth", "color_type", "row"),
    [(8, 0, b"\7"), (8, 2, b"\7\7\7"), (8, 3, b"\1"), (16, 0, b"\7\7"), (16, 4, b"\7\7\xff\xff")],
)
def test_a_text_chunk_named_like_a_field_of_pillow_is_harmless(depth: int, color_type: int, row: bytes) -> None:
    # Pillow stores the texts of a PNG in the same dictionary as its own fields.
    texts = [(b"tEXt", name + b"\0nonsense") for name in (b"transparency", b"exif", b"gamma")]

    decoded = decode(png_file((1, 1), depth, color_type, b"\0" + row, (b"PLTE", bytes([0, 0, 0, 7, 7, 7])), *texts))

    assert only_color(decoded) == [7, 7, 7]
    assert decoded.notes == ()


def test_transparent_pixels_of_a_gif_show_the_background() -> None:
    indexed = Image.fromarray(np.array([[0, 1]], np.uint8))
    indexed.putpalette([10, 20, 30, 40, 50, 60])

    assert decode(encoded(indexed, "GIF", transparency=1)).pixels[0].tolist() == [[10, 20, 30], WHITE]


# A frame smaller than its canvas


def gif_file(canvas: tuple[int, int], box: tuple[int, int, int, int], indices: Sequence[int]) -> bytes:
    """A GIF of 8 bits a code, which needs no bit packing: a clear code before each index keeps LZW at this width."""
    left, top, width, height = box
    codes = b"".join(bytes([128, index]) for index in indices) + b"\x81"
    palette = bytes([9, 9, 9, 200, 0, 0, 0, 200, 0]).ljust(3 * 128, b"\0")
    head = b"GIF89a" + struct.pack("<HHBBB", *canvas, 0x80 | 6, 0, 0) + palette
    return head + b"," + struct.pack("<HHHHB", left, top, width, height, 0) + bytes([7, len(codes)]) + codes + b"\0;"


def test_a_gif_frame_smaller_than_its_canvas_leaves_the_rest_transparent() -> None:
    decoded = decode(gif_file((3, 2), (1, 0, 2, 1), [1, 2]))

    assert decoded.pixels.tolist() == [[WHITE, [200, 0, 0], [0, 200, 0]], [WHITE, WHITE, WHITE]]
    assert decoded.notes == ("alpha composited over #ffffff",)


# The layer


def layered(height: int = 40, width: int = 30) -> NDArray[np.uint8]:
    random = np.random.default_rng(0)
    layers = random.integers(0, 256, (height, width, 4), dtype=np.uint8)
    layers[: height // 2, :, 3] = 255
    return layers


def test_the_layer_has_straight_colors_and_alpha(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bands before the first transparent pixel are opaque."""
    monkeypatch.setattr("models.decoding.bands._BAND_PIXELS", 30 * 7)
    layers = layered()
    decoded = decode(encoded(Image.fromarray(layers), "PNG"), background=(1, 2, 3), keep_alpha=True)
    assert decoded.layer is not None
    np.testing.assert_array_equal(decoded.layer.colors, layers[:, :, :3])
    np.testing.assert_array_equal(decoded.layer.alpha, layers[:, :, 3])
    assert decoded.notes == ()
    assert np.array_equal(decoded.pixels, decode(encoded(Image.fromarray(layers), "PNG"), background=(1, 2, 3)).pixels)


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF"])
def test_the_layer_is_upright(kind: str) -> None:
    layers = layered()
    exif = Image.Exif()
    exif[0x0112] = 6
    options = {"lossless": True, "exact": True} if kind == "WEBP" else {}
    decoded = decode(encoded(Image.fromarray(layers), kind, exif=exif, **options), keep_alpha=True)
    assert decoded.layer is not None
    np.testing.assert_array_equal(decoded.layer.alpha, np.rot90(layers[:, :, 3], -1))
    np.testing.assert_array_equal(decoded.layer.colors, np.rot90(layers[:, :, :3], -1))


def test_an_opaque_image_and_a_request_without_alpha_have_no_layer() -> None:
    assert decode(encoded(solid("RGBA", (1, 2, 3, 255)), "PNG"), keep_alpha=True).layer is None
    assert decode(encoded(solid("RGB", (1, 2, 3)), "PNG"), keep_alpha=True).layer is None
    assert decode(encoded(solid("RGBA", (1, 2, 3, 9)), "PNG")).layer is None


def test_a_transparent_color_of_a_palette_is_in_the_layer() -> None:
    image = Image.fromarray(np.array([[0, 1], [1, 0]], np.uint8)).convert("P")
    image.putpalette([10, 20, 30, 40, 50, 60])
    decoded = decode(encoded(image, "PNG", transparency=0), keep_alpha=True)
    assert decoded.layer is not None
    assert decoded.layer.alpha.tolist() == [[0, 255], [255, 0]]
    assert decoded.layer.colors[0, 1].tolist() == [40, 50, 60]


def test_a_scaled_layer_takes_no_color_from_transparent_pixels() -> None:
    alpha = np.zeros((40, 40), np.uint8)
    alpha[:, :17] = 255
    colors = np.where(alpha[:, :, np.newaxis] > 0, (200, 0, 0), (0, 255, 0)).astype(np.uint8)
    scaled = Layer(colors, alpha).scaled(10, 15)
    assert (scaled.colors.shape, scaled.alpha.shape) == ((10, 15, 3), (10, 15))
    seen = scaled.alpha > 16  # fainter pixels have few levels
    assert np.abs(scaled.colors[seen].astype(int) - (200, 0, 0)).max() <= 8
    assert scaled.alpha.mean() == pytest.approx(alpha.mean(), abs=3)
