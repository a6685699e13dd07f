"""Pixels of a BMP that are bit fields have the levels and the alpha of their masks."""

import struct

import numpy as np
import pytest

from models.decoding import bmp as reader
from models.decoding.bmp import load_bit_fields, read_bit_fields
from models.decoding.decode import decode
from models.decoding.dimensions import read_dimensions
from models.errors import BadImage, ImageTooLarge, UnsupportedFormat

ROWS = [[0x1234_5678, 0xFFFF_FFFF, 0x8000_0000], [0x0000_0000, 0xF0E1_D2C3, 0x0123_4567]]


def bmp(bits: int, masks: tuple[int, ...], *, header: int = 124, compression: int = 3, upward: bool = True) -> bytes:
    """A BMP of ROWS, cut to `bits`; masks that do not fit into the header follow it."""
    code = "H" if bits == 16 else "I"
    rows = [struct.pack(f"<3{code}", *(value & (1 << bits) - 1 for value in row)) for row in ROWS]
    pixels = b"".join(row.ljust(-(-len(row) // 4) * 4, b"\0") for row in (rows[::-1] if upward else rows))
    info = struct.pack("<IiiHHIIiiII", header, 3, 2 if upward else -2, 1, bits, compression, len(pixels), 0, 0, 0, 0)
    fields = struct.pack(f"<{len(masks)}I", *masks)
    head = info + (fields.ljust(header - 40, b"\0") if header > 40 else fields)
    return b"BM" + struct.pack("<IHHI", 14 + len(head) + len(pixels), 0, 0, 14 + len(head)) + head + pixels


def shown(value: int, masks: tuple[int, ...]) -> list[int]:
    """The color of a pixel over black."""

    def field(mask: int) -> float:
        shift = (mask & -mask).bit_length() - 1
        return ((value & mask) >> shift) / (mask >> shift) if mask else 0.0

    alpha = round(255 * field(masks[3])) / 255 if len(masks) > 3 and masks[3] else 1.0
    return [round(alpha * round(255 * field(mask))) for mask in masks[:3]]


MASKS = {
    "1555": (16, (0x7C00, 0x3E0, 0x1F, 0x8000)),
    "4444": (16, (0xF00, 0xF0, 0xF, 0xF000)),
    "565": (16, (0xF800, 0x7E0, 0x1F, 0)),
    "1924": (16, (0x8000, 0x7FC0, 0x30, 0xF)),
    "8888": (32, (0xFF0000, 0xFF00, 0xFF, 0xFF000000)),
    "81284": (32, (0xFF, 0xFFF00, 0xFF00000, 0xF0000000)),
    "2101010": (32, (0x3FF00000, 0xFFC00, 0x3FF, 0xC0000000)),
    "no blue": (32, (0xFF, 0xFF00, 0, 0)),
}


@pytest.mark.parametrize("upward", [True, False])
@pytest.mark.parametrize("header", [56, 108, 124])
@pytest.mark.parametrize("name", MASKS)
def test_every_mask_gives_its_levels(name: str, header: int, upward: bool) -> None:
    bits, masks = MASKS[name]

    decoded = decode(bmp(bits, masks, header=header, upward=upward), background=(0, 0, 0))

    expected = [[shown(value & (1 << bits) - 1, masks) for value in row] for row in ROWS]
    assert decoded.pixels.tolist() == expected
    assert decoded.notes == (("alpha composited over #000000",) if masks[3] else ())


@pytest.mark.parametrize(("compression", "masks"), [(3, (0x7C00, 0x3E0, 0x1F)), (6, (0xF00, 0xF0, 0xF, 0xF000))])
def test_masks_may_follow_a_short_header(compression: int, masks: tuple[int, ...]) -> None:
    decoded = decode(bmp(16, masks, header=40, compression=compression), background=(0, 0, 0))

    assert decoded.pixels.tolist() == [[shown(value & 0xFFFF, masks) for value in row] for row in ROWS]


def test_alpha_that_is_zero_everywhere_is_opaque() -> None:
    file = bmp(16, (0x700, 0xF0, 0xF, 0x800))
    zero = file.replace(struct.pack("<H", 0xFFFF), struct.pack("<H", 0xF7FF))  # the only pixel with this bit

    assert decode(file).notes and decode(zero).notes == ()


def test_limits_and_missing_rows() -> None:
    file = bmp(16, (0xF00, 0xF0, 0xF, 0xF000))

    with pytest.raises(ImageTooLarge, match="3 x 2 pixels; at most 5"):
        decode(file, max_pixels=5)
    for length in range(26, len(file)):
        with pytest.raises(BadImage):
            decode(file[:length])


def indexed(bits: int, header: int = 40, colors: int = 0, compression: int = 0, palette: int | None = None) -> bytes:
    """A BMP of 5 x 2 indices 0, 1, 2, 3, 0 and 3, 2, 1, 0, 3 with a palette of red, green, blue and white."""
    entries = (b"\0\0\xff\0", b"\0\xff\0\0", b"\xff\0\0\0", b"\xff\xff\xff\0") + (bytes(4),) * 512
    table = b"".join(entries[: palette or 1 << bits])
    info = struct.pack("<IiiHHIIiiII", header, 5, 2, 1, bits, compression, 0, 0, 0, colors, 0).ljust(header, b"\0")[
        :header
    ]
    packed = {2: (b"\x1b\x00", b"\xe4\xc0"), 8: (b"\0\1\2\3\0", b"\3\2\1\0\3"), 4: (b"\1\x23\0", b"\x32\x10\x30")}[bits]
    rows = b"".join(row.ljust(-(-len(row) // 4) * 4, b"\0") for row in packed[::-1])
    offset = 14 + len(info) + len(table)
    return b"BM" + struct.pack("<IHHI", offset + len(rows), 0, 0, offset) + info + table + rows


COLORS = [[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255]]
INDICES = [[0, 1, 2, 3, 0], [3, 2, 1, 0, 3]]


@pytest.mark.parametrize(
    "file",
    [
        indexed(2),
        indexed(2, header=124, colors=4),
        indexed(2, header=16),
        *[indexed(bits, header=header) for bits in (4, 8) for header in (16, 20, 36, 64)],
        indexed(8, colors=300, palette=300),
        indexed(4, colors=17, palette=17),
    ],
)
def test_palettes_of_any_length_and_headers_of_os2_are_read(file: bytes) -> None:
    decoded = decode(file)

    assert decoded.pixels.tolist() == [[COLORS[index] for index in row] for row in INDICES]
    assert read_dimensions(file) == (5, 2)


def test_the_rows_of_two_bits_may_run_downward() -> None:
    file = bytearray(indexed(2))
    file[22:26] = struct.pack("<i", -2)
    assert decode(bytes(file)).pixels.tolist() == [[COLORS[index] for index in row] for row in INDICES[::-1]]


def test_missing_rows_of_two_bits_are_refused() -> None:
    with pytest.raises(BadImage, match="part of the picture is missing"):
        decode(indexed(2)[:-1])


@pytest.mark.parametrize("file", [indexed(2), indexed(8, header=16)])
def test_the_size_of_a_palette_image_is_limited(file: bytes) -> None:
    assert decode(file, max_pixels=10).pixels.shape == (2, 5, 3)
    with pytest.raises(ImageTooLarge, match="5 x 2 pixels"):
        decode(file, max_pixels=9)


@pytest.mark.parametrize(
    ("compression", "header", "name"),
    [
        (4, 40, "a JPEG inside a BMP"),
        (5, 124, "a PNG inside a BMP"),
        (11, 108, "a BMP of CMYK"),
        (3, 64, "a BMP with Huffman coding"),
        (4, 64, "a BMP with run lengths of 24-bit colors"),
    ],
)
def test_a_compression_that_is_not_read_is_named(compression: int, header: int, name: str) -> None:
    with pytest.raises(UnsupportedFormat, match=name):
        decode(indexed(8, header=header, compression=compression))


def changed(file: bytes, at: int, code: str, value: int) -> bytes:
    """A file with another number at a byte offset."""
    return file[:at] + struct.pack(f"<{code}", value) + file[at + struct.calcsize(f"<{code}") :]


OFFSET, HEADER, WIDTH, HEIGHT, BITS, COMPRESSION = 10, 14, 18, 22, 28, 30


@pytest.mark.parametrize(
    ("at", "code", "value"),
    [
        (WIDTH, "i", 0),
        (WIDTH, "i", -3),
        (HEIGHT, "i", 0),
        (BITS, "H", 24),
        (BITS, "H", 8),
        (COMPRESSION, "I", 0),
        (COMPRESSION, "I", 1),
        (COMPRESSION, "I", 6),  # only a header of 40 bytes has masks of this kind behind it
        (HEADER, "I", 39),
        (HEADER, "I", 12),
    ],
)
def test_any_other_bmp_is_left_to_pillow(at: int, code: str, value: int) -> None:
    file = bmp(16, (0xF00, 0xF0, 0xF, 0xF000))

    assert read_bit_fields(file) is not None
    assert read_bit_fields(changed(file, at, code, value)) is None


def test_a_header_that_ends_before_its_masks_is_left_to_pillow() -> None:
    file = bmp(16, (0xF00, 0xF0, 0xF, 0xF000))

    assert read_bit_fields(file[:70]) is not None
    for length in (0, 10, 69):
        assert read_bit_fields(file[:length]) is None


def test_the_smallest_picture_is_one_pixel() -> None:
    file = changed(changed(bmp(16, (0xF00, 0xF0, 0xF, 0xF000)), WIDTH, "i", 1), HEIGHT, "i", 1)
    fields = read_bit_fields(file)

    assert fields is not None and (fields.width, fields.height, fields.upward) == (1, 1, True)
    assert load_bit_fields(file, fields).size == (1, 1)


@pytest.mark.parametrize(("header", "alpha"), [(52, 0), (55, 0), (56, 0xF000), (124, 0xF000)])
def test_alpha_needs_a_header_of_56_bytes(header: int, alpha: int) -> None:
    fields = read_bit_fields(changed(bmp(16, (0xF00, 0xF0, 0xF, 0xF000)), HEADER, "I", header))

    assert fields is not None and fields.masks == (0xF00, 0xF0, 0xF, alpha)


@pytest.mark.parametrize(
    ("header", "compression", "masks", "offset"),
    [(124, 3, 4, 14 + 124), (56, 3, 4, 14 + 56), (40, 3, 3, 14 + 40 + 12), (40, 6, 4, 14 + 40 + 16)],
)
def test_pixels_of_a_file_without_an_offset_follow_the_masks(
    header: int, compression: int, masks: int, offset: int
) -> None:
    file = bmp(16, (0xF00, 0xF0, 0xF, 0xF000)[:masks], header=header, compression=compression)
    fields = read_bit_fields(changed(file, OFFSET, "I", 0))

    assert fields is not None and fields.offset == offset
    assert read_bit_fields(file) == fields


def test_without_masks_the_usual_ones_are_meant() -> None:
    fields = read_bit_fields(bmp(32, (0, 0, 0, 0)))
    one = read_bit_fields(bmp(32, (0, 0, 7, 0)))

    assert fields is not None and fields.masks == (0xFF0000, 0xFF00, 0xFF, 0xFF000000)
    assert one is not None and one.masks == (0, 0, 7, 0)


@pytest.mark.parametrize(("width", "bits", "stride"), [(1, 16, 4), (2, 16, 4), (3, 16, 8), (1, 32, 4), (3, 32, 12)])
def test_rows_are_multiples_of_four_bytes(width: int, bits: int, stride: int) -> None:
    fields = read_bit_fields(changed(bmp(bits, MASKS["8888"][1]), WIDTH, "i", width))

    assert fields is not None and fields.stride == stride


@pytest.mark.parametrize("upward", [True, False])
@pytest.mark.parametrize("pixels", [1, 3, 4, 100])
def test_bands_join_without_a_seam(monkeypatch: pytest.MonkeyPatch, pixels: int, upward: bool) -> None:
    bits, masks = MASKS["1555"]
    file = bmp(bits, masks, upward=upward)
    whole = decode(file).pixels.tolist()

    monkeypatch.setattr(reader, "_BAND_PIXELS", pixels)

    assert decode(file).pixels.tolist() == whole


@pytest.mark.parametrize("width", range(1, 41))
def test_rows_of_two_bits_have_any_width(width: int) -> None:
    random = np.random.default_rng(width)
    indices = random.integers(0, 4, (3, width))
    stride = -(-width // 16) * 4
    packed = np.packbits(np.unpackbits(indices.astype(np.uint8)[..., None], axis=2)[:, :, 6:].reshape(3, -1), axis=1)
    rows = b"".join(row.tobytes().ljust(stride, b"\xff") for row in packed[::-1])
    head = indexed(2)[: 14 + 40 + 16]
    file = changed(changed(head + rows, WIDTH, "i", width), HEIGHT, "i", 3)

    assert decode(file).pixels.tolist() == [[COLORS[index] for index in row] for row in indices]
    with pytest.raises(BadImage, match="part of the picture is missing"):
        decode(file[:-1])


@pytest.mark.parametrize("colors", [0, 1, 15, 16])
def test_a_palette_that_is_not_too_long_is_left_as_it_is(colors: int) -> None:
    file = indexed(4, colors=colors)

    assert reader.for_pillow(file) is file
    assert reader.for_pillow(indexed(4, colors=17)) != indexed(4, colors=17)


@pytest.mark.parametrize("compression", [11, 12, 13])
def test_every_compression_of_cmyk_is_named(compression: int) -> None:
    with pytest.raises(UnsupportedFormat, match="a BMP of CMYK"):
        decode(indexed(8, header=108, compression=compression))


@pytest.mark.parametrize(
    ("header", "os2"),
    [
        *((header, False) for header in (15, 40, 52, 56, 65, 108, 124)),
        *((header, True) for header in (20, 39, 41, 51, 53, 55, 57, 64)),
    ],
)
def test_headers_of_os2_have_up_to_64_bytes_but_three_of_windows(header: int, os2: bool) -> None:
    file = indexed(8, header=64, compression=3)

    if os2:
        with pytest.raises(UnsupportedFormat, match="Huffman"):
            reader.check_compression(changed(file, HEADER, "I", header))
    else:
        reader.check_compression(changed(file, HEADER, "I", header))


@pytest.mark.parametrize("size", [(3, 2), (3, -2), (-3, 2), (0, 7)])
def test_the_size_of_a_header_is_never_negative(size: tuple[int, int]) -> None:
    file = changed(changed(indexed(8), WIDTH, "i", size[0]), HEIGHT, "i", size[1])

    assert reader.bmp_size(file) == (max(0, size[0]), abs(size[1]))
    assert reader.bmp_size(changed(file, HEADER, "I", 12)) == (0, 0)


@pytest.mark.parametrize("bits", [4, 8])
def test_a_palette_that_is_too_long_is_cut_to_the_colors_of_its_bits(bits: int) -> None:
    changed_file = reader.for_pillow(indexed(bits, colors=(1 << bits) + 1))

    assert struct.unpack_from("<I", changed_file, 14 + 32) == (1 << bits,)
