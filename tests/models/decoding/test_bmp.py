"""Pixels of a BMP that are bit fields have the levels and the alpha of their masks."""

import struct

import pytest

from models.decoding.decode import decode
from models.errors import BadImage, ImageTooLarge

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
