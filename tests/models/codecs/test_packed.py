"""models/codecs/packed.py and packed_model.py: palette images in the fewest bytes, and files of strangers."""

import math
import zlib
from binascii import crc_hqx

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.codecs import packed, packed_model, png, webp
from models.codecs.packed import Header, decode, encode, ordered
from models.decoding.decode import decode as decode_upload
from models.errors import CodecError
from models.palette_image import PaletteImage

LIMIT = 1 << 12


def noise(colors: int, width: int, height: int, *, alpha: bool = False, seed: int = 0) -> PaletteImage:
    """An image of random indices, colors and, if asked for, alpha."""
    random = np.random.default_rng(seed)
    indices = random.integers(0, colors, (height, width), dtype=np.uint8)
    palette = random.integers(0, 256, (colors, 3), dtype=np.uint8)
    return PaletteImage(indices, palette, random.integers(0, 256, colors, dtype=np.uint8) if alpha else None)


def disks(colors: int = 4, side: int = 32) -> PaletteImage:
    """An image of rings, in grays: close to what quantizers return."""
    y, x = np.mgrid[:side, :side]
    indices = (np.hypot(x - side / 3, y - side / 2) * colors / side).astype(np.uint8) % colors
    return PaletteImage(indices, np.linspace(10, 240, colors).astype(np.uint8)[:, np.newaxis].repeat(3, 1))


def checked(body: bytes) -> bytes:
    """A file with the right checksum, whatever its content."""
    return body + crc_hqx(body, 0).to_bytes(2, "big")


@settings(deadline=None, max_examples=60)
@given(
    st.sampled_from([1, 2, 3, 5, 16, 17, 64, 65, 256]), st.integers(1, 140), st.integers(1, 9), st.booleans(),
    st.booleans(), st.integers(0, 99),
)  # fmt: skip
def test_an_image_comes_back_with_its_palette(
    colors: int, width: int, height: int, alpha: bool, fast: bool, seed: int
) -> None:
    image = noise(colors, width, height, alpha=alpha, seed=seed)
    for each in (image, disks(min(colors, 20), 12)):
        file = encode(each, effort="fast" if fast else "default", keep_order=True)
        assert decode(file, max_pixels=LIMIT) == each


def test_the_palette_is_sorted_unless_its_order_counts() -> None:
    image = noise(9, 20, 20, alpha=True)
    shown = decode(encode(image), max_pixels=LIMIT)
    assert shown == ordered(image) != image
    assert np.array_equal(shown.render(), image.render())
    assert np.array_equal(shown.render_alpha(), image.render_alpha())
    assert shown.palette[:, 1].tolist() == sorted(image.palette[:, 1])


@pytest.mark.parametrize("colors", [2, 4, 16])
def test_the_file_is_the_smallest(colors: int) -> None:
    image = disks(colors)
    others = png.encode(image, effort="max"), webp.encode_lossless(image), encode(image, effort="fast")
    assert 1.2 * len(encode(image)) < min(map(len, others))


def test_the_header_has_the_documented_bytes() -> None:
    file = encode(PaletteImage(np.zeros((2, 300), np.uint8), np.array([[7, 7, 7]], np.uint8)), effort="fast")
    assert file[:8] == bytes([0xB0, 0, 300 & 127 | 128, 300 >> 7, 2, 7, 7, 7]) and crc_hqx(file, 0) == 0
    assert Header.parse(file) == Header(300, 2, 1, False, False, 5)
    assert zlib.decompress(file[8:-2], -15) == bytes(2 * 38)  # rows of one bit a pixel


def test_no_text_is_taken_for_a_packed_file() -> None:
    assert not any(packed.is_packed(chr(each).encode()) for each in range(0x400))


@pytest.mark.parametrize(
    "image", [disks(), noise(200, 9, 9), noise(3, 5, 5, alpha=True)], ids=["modeled", "deflated", "alpha"]
)
def test_no_part_of_a_file_is_a_file(image: PaletteImage) -> None:
    file = encode(image)
    for end in range(len(file)):
        with pytest.raises(CodecError, match=r"cannot be read.*Send"):
            decode(file[:end], max_pixels=LIMIT)


def test_no_file_with_one_changed_byte_is_read() -> None:
    file = encode(disks())
    for at in range(len(file)):
        with pytest.raises(CodecError):
            decode(file[:at] + bytes([file[at] ^ 16]) + file[at + 1 :], max_pixels=LIMIT)


@settings(deadline=None, max_examples=150)
@given(st.binary(min_size=2, max_size=60), st.integers(0, 3), st.integers(0, 70))
def test_a_hostile_file_gives_an_image_of_its_size_or_one_error(body: bytes, kind: int, colors: int) -> None:
    file = checked(bytes([0xB0 + kind, colors]) + body)
    try:
        image = decode(file, max_pixels=LIMIT)
    except CodecError as error:
        assert str(error).startswith("The PACKED file cannot be read: ")
    else:
        header = Header.parse(file)
        assert (image.width, image.height, image.colors) == (header.width, header.height, colors + 1)


GRAYS = bytes([0, 0, 0, 9, 9, 9])


def deflated(*rows: bytes, colors: int = 2) -> bytes:
    stream = zlib.compressobj(wbits=-15)
    return bytes([0xB0, colors - 1, 8, 2]) + GRAYS[: 3 * colors] + stream.compress(b"".join(rows)) + stream.flush()


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"\xb1\x01\x00\x05", "without pixels"),
        (b"\xb1\x01\x05\x00", "without pixels"),
        (b"\xb1\x01\x80\x80\x80\x80\x01\x05", "no width or height"),
        (b"\xb1\x01\x85", "no width or height"),
        (b"\xb0\xff\x01\x01" + bytes(9), "palette is cut short"),
        (b"\xb2\x03\x01\x01" + bytes(3), "palette is cut short"),
        (b"\xb0\x01\x08\x01" + GRAYS + b"\xff\xff", "cannot be inflated"),
        (deflated(b"\0"), "another size"),
        (deflated(b"\0\0\0"), "another size"),
        (deflated(b"\0\0") + b"x", "another size"),
        (deflated(b"\0\0")[:-1], "another size"),
        (deflated(b"\0\1", colors=1), "outside its palette"),
        (b"\xb1\x40\x01\x01", "at most 64 colors"),
        (encode(disks())[:-2] + bytes(9), "bytes follow"),
        (b"\xb1\x01\xff\xff\x7f\x01", "more than 4,096"),
    ],
)  # fmt: skip
def test_a_file_of_a_wrong_structure_is_explained(body: bytes, reason: str) -> None:
    with pytest.raises(CodecError, match=reason):
        decode(checked(body), max_pixels=LIMIT)


def test_decisions_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    image = noise(6, 30, 20)
    file = encode(image)
    asked = packed_model._count_decisions(ordered(image).indices, 6)
    assert file[0] & 1 and 30 * 20 < asked < 5 * 30 * 20

    monkeypatch.setattr(packed_model, "MAX_DECISIONS", asked - 1)
    assert not encode(image)[0] & 1
    with pytest.raises(CodecError, match="decisions"):
        decode(file, max_pixels=LIMIT)
    monkeypatch.setattr(packed_model, "MAX_DECISIONS", asked)
    assert encode(image) == file and decode(file, max_pixels=LIMIT) == ordered(image)
    monkeypatch.setattr(packed_model, "MAX_DECISIONS", 599)  # below the number of pixels
    assert not packed_model.can_encode(image)
    with pytest.raises(CodecError, match="decisions"):
        decode(file, max_pixels=LIMIT)


def test_tables_do_not_depend_on_the_last_digit_of_a_logarithm() -> None:
    exact = [256 * math.log((i + 0.5) / (4095.5 - i)) for i in range(4096)]
    exact += [65536 / (1 + math.exp(-i / 256)) for i in range(-2047, 2048)]
    assert min(abs(each % 1 - 0.5) for each in exact) > 1e-6


def test_an_unknown_effort_is_refused() -> None:
    with pytest.raises(ValueError, match="fast, default, max, not 'best'"):
        encode(disks(), effort="best")  # type: ignore[arg-type]


def test_an_upload_is_shown_over_its_background() -> None:
    image = noise(3, 9, 7, alpha=True)
    shown = decode_upload(encode(image), background=(1, 2, 3))
    assert (shown.format, shown.notes) == ("PACKED", ("alpha composited over #010203",))
    assert np.abs(shown.pixels.astype(int) - image.over((1, 2, 3))).max() <= 1
