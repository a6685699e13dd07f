"""The PNG writer, checked with Pillow and chunk by chunk."""

import struct
import zlib
from io import BytesIO

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from models.codecs import png
from models.palette_image import PaletteImage
from tests.models.image_files import png_file

repeatable = settings(derandomize=True, deadline=None, max_examples=60)


@st.composite
def palette_images(draw: st.DrawFn) -> PaletteImage:
    colors = draw(st.sampled_from([1, 2, 3, 4, 5, 15, 16, 17, 255, 256]))
    shape = draw(hnp.array_shapes(min_dims=2, max_dims=2, max_side=20))
    palette = draw(hnp.arrays(np.uint8, (colors, 3)))
    return PaletteImage(draw(hnp.arrays(np.uint8, shape, elements=st.integers(0, colors - 1))), palette)


def random_image(colors: int, height: int = 13, width: int = 21) -> PaletteImage:
    rng = np.random.default_rng(colors)
    return PaletteImage(
        rng.integers(0, colors, (height, width)).astype(np.uint8), rng.integers(0, 256, (colors, 3)).astype(np.uint8)
    )


def chunks(data: bytes) -> list[tuple[bytes, bytes]]:
    """Split a PNG into (type, data) of each chunk, and check the signature and every CRC."""
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    split, at = [], 8
    while at < len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        body = data[at + 8 : at + 8 + length]
        (crc,) = struct.unpack_from(">I", data, at + 8 + length)
        assert crc == zlib.crc32(kind + body)
        split.append((kind, body))
        at += 12 + length
    assert at == len(data)
    return split


@repeatable
@given(palette_images(), st.sampled_from(["fast", "default"]))
def test_pillow_reads_back_the_same_indices_and_palette(original: PaletteImage, effort: png.Effort) -> None:
    with Image.open(BytesIO(png.encode(original, effort=effort))) as read:
        assert (read.format, read.mode, read.size) == ("PNG", "P", (original.width, original.height))
        np.testing.assert_array_equal(np.asarray(read), original.indices)
        assert (read.getpalette() or [])[: 3 * original.colors] == original.palette.ravel().tolist()
        np.testing.assert_array_equal(np.asarray(read.convert("RGB")), original.render())


@repeatable
@given(palette_images())
def test_most_effort_keeps_every_pixel_and_sorts_the_palette_by_brightness(original: PaletteImage) -> None:
    with Image.open(BytesIO(png.encode(original, effort="max"))) as read:
        np.testing.assert_array_equal(np.asarray(read.convert("RGB")), original.render())
        palette = np.reshape(read.getpalette() or [], (-1, 3))[: original.colors]
    assert sorted(palette.tolist()) == sorted(original.palette.tolist())
    assert (np.diff(palette @ [0.299, 0.587, 0.114]) > -1e-9).all()


GRAYS = np.repeat(np.arange(256, dtype=np.uint8)[:, np.newaxis], 3, axis=1)


def noisy_columns() -> PaletteImage:
    """Columns of black and white noise; each row differs from the row above in one pixel of twenty."""
    rng = np.random.default_rng(0)
    changes = rng.random((60, 200)) < np.where(np.arange(60) == 0, 0.5, 0.05)[:, np.newaxis]
    return PaletteImage(np.bitwise_xor.accumulate(changes.astype(np.uint8)), np.array([[0] * 3, [255] * 3], np.uint8))


def noisy_slope(starts: npt.NDArray[np.int64]) -> PaletteImage:
    """256 grays that rise from left to right with a little noise; `starts` are the grays at the left of each row."""
    noise = np.random.default_rng(0).integers(0, 2, (len(starts), 60))
    return PaletteImage(((starts[:, np.newaxis] + 3 * np.arange(60) + noise) % 256).astype(np.uint8), GRAYS)


@pytest.mark.parametrize(
    ("image", "kind"),
    [
        (random_image(2), 0),
        (random_image(256), 0),
        (noisy_slope(np.random.default_rng(0).integers(0, 256, 60)), 1),
        (noisy_columns(), 2),
        (noisy_slope(np.arange(60) * 3), 4),
    ],
)
def test_most_effort_filters_rows_where_that_helps(
    image: PaletteImage, kind: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(png, "_BAND_BYTES", 1000)  # several bands

    file = png.encode(image, effort="max")

    rows = zlib.decompress(dict(chunks(file))[b"IDAT"])
    assert set(rows[:: len(rows) // image.height]) == {kind}
    assert kind == 0 or len(file) < 0.9 * len(png.encode(image))
    with Image.open(BytesIO(file)) as read:
        np.testing.assert_array_equal(np.asarray(read.convert("RGB")), image.render())


@pytest.mark.parametrize("width", [1, 2, 3, 4, 7, 8, 9, 16, 17])
@pytest.mark.parametrize("colors", [2, 4, 16, 256])
def test_rows_are_unfiltered_and_packed_from_the_high_bits(colors: int, width: int) -> None:
    image = random_image(colors, height=3, width=width)
    bits = image.bit_depth

    rows = zlib.decompress(dict(chunks(png.encode(image)))[b"IDAT"])

    stride = 1 + (width * bits + 7) // 8
    assert len(rows) == 3 * stride
    for y in range(3):
        row = rows[y * stride : (y + 1) * stride]
        digits = "".join(f"{index:0{bits}b}" for index in image.indices[y])
        assert row[0] == 0
        assert row[1:] == int(digits.ljust(8 * (stride - 1), "0"), 2).to_bytes(stride - 1, "big")


@pytest.mark.parametrize(("colors", "bits"), [(1, 1), (2, 1), (3, 2), (4, 2), (5, 4), (16, 4), (17, 8), (256, 8)])
def test_a_file_has_only_critical_chunks_and_the_smallest_bit_depth(colors: int, bits: int) -> None:
    image = random_image(colors)

    (header, fields), palette, rows, end = chunks(png.encode(image))

    assert (header, fields) == (b"IHDR", struct.pack(">IIBBBBB", 21, 13, bits, 3, 0, 0, 0))
    assert palette == (b"PLTE", image.palette.tobytes())
    assert (rows[0], end) == (b"IDAT", (b"IEND", b""))


def test_more_effort_never_makes_this_image_larger() -> None:
    columns, rows = np.meshgrid(np.arange(200), np.arange(150))
    waves = ((np.sin(columns / 9) + np.cos(rows / 7) + 2) * 3).astype(np.uint8)
    image = PaletteImage(waves, random_image(16).palette)

    fast, default, most = (len(png.encode(image, effort=effort)) for effort in ("fast", "default", "max"))

    assert most < default <= fast


def test_the_same_image_gives_the_same_bytes() -> None:
    assert png.encode(random_image(7)) == png.encode(random_image(7))


def test_refuses_an_unknown_effort() -> None:
    with pytest.raises(ValueError, match="fast, default, max"):
        png.encode(random_image(2), effort="huge")  # type: ignore[arg-type]


@pytest.mark.parametrize("colors", [2, 16, 256])
def test_fixed_bytes_exclude_palette_and_indices(colors: int) -> None:
    file = png.encode(random_image(colors))

    assert png.fixed_bytes(file) == 69
    assert len(file) - 69 == 3 * colors + len(dict(chunks(file))[b"IDAT"])


def test_fixed_bytes_include_further_chunks_except_image_data() -> None:
    row = b"\0\1\2\3"
    file = png_file((1, 1), 8, 2, row, (b"tEXt", b"a\0bc"), (b"IDAT", b""))

    assert png.fixed_bytes(file) == len(file) - len(zlib.compress(row)) == 57 + 12 + 12 + 4


@pytest.mark.parametrize("file", [b"", b"GIF89a", png.encode(random_image(4))[:-12], png.encode(random_image(4))[:40]])
def test_fixed_bytes_refuses_bytes_that_are_not_a_whole_png(file: bytes) -> None:
    with pytest.raises(ValueError, match="PNG"):
        png.fixed_bytes(file)


def test_alpha_is_written_up_to_the_last_entry_that_is_not_opaque() -> None:
    """Those entries come first, so that tRNS is short; other entries keep their order."""
    entries = np.array([[1, 1, 1, 255], [2, 2, 2, 0], [3, 3, 3, 255], [4, 4, 4, 128]], np.uint8)
    original = PaletteImage(np.array([[0, 1, 2, 3, 3]], np.uint8), entries[:, :3], entries[:, 3])
    file = png.encode(original)
    written = dict(chunks(file))
    assert [kind for kind, _ in chunks(file)] == [b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"]
    assert written[b"tRNS"] == bytes([0, 128])
    assert written[b"PLTE"] == bytes([2, 2, 2, 4, 4, 4, 1, 1, 1, 3, 3, 3])
    assert png.fixed_bytes(file) == 69 + 12


def test_a_palette_in_its_own_order_may_need_a_long_list_of_alpha() -> None:
    original = PaletteImage(
        np.array([[0, 1, 2]], np.uint8),
        np.array([[9] * 3, [5] * 3, [7] * 3], np.uint8),
        np.array([255, 0, 255], np.uint8),
    )
    for effort in ("fast", "default", "max"):
        written = dict(chunks(png.encode(original, effort=effort, keep_order=True)))
        assert written[b"PLTE"] == original.palette.tobytes()
        assert written[b"tRNS"] == bytes([255, 0])


@repeatable
@given(palette_images(), st.sampled_from(["fast", "default", "max"]), st.booleans(), st.randoms())
def test_pillow_reads_back_colors_and_alpha(original, effort, keep_order, random) -> None:  # type: ignore[no-untyped-def]
    alpha = np.array([random.choice([0, 100, 255]) for _ in range(original.colors)], np.uint8)
    original = PaletteImage(original.indices, original.palette, alpha)
    with Image.open(BytesIO(png.encode(original, effort=effort, keep_order=keep_order))) as read:
        pixels = np.asarray(read.convert("RGBA"))
    np.testing.assert_array_equal(pixels[:, :, :3], original.render())
    np.testing.assert_array_equal(pixels[:, :, 3], original.render_alpha())


def test_most_effort_sorts_opaque_entries_by_brightness() -> None:
    entries = np.array([[9, 9, 9, 255], [8, 8, 8, 1], [7, 7, 7, 255], [6, 6, 6, 0]], np.uint8)
    image = png.ordered(PaletteImage(np.array([[0, 1, 2, 3]], np.uint8), entries[:, :3], entries[:, 3]), effort="max")
    assert image.palette[:, 0].tolist() == [6, 8, 7, 9]
    assert image.opacity().tolist() == [0, 1, 255, 255]
    assert png.ordered(image, effort="default") == image
