"""A JPEG whose picture is whole is decoded with a note; a part of a picture is refused, wherever the file ends."""

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from models.decoding import jpeg as reader
from models.decoding.decode import decode
from models.decoding.jpeg import _covers_all_coefficients, check_kind, without_short_segments
from models.errors import BadImage, UnsupportedFormat
from tests.models.image_files import encoded, picture

NO_END = "end marker of the JPEG missing"
KINDS: dict[str, tuple[str, dict[str, object]]] = {
    "gray": ("L", {}),
    "color": ("RGB", {}),
    "no subsampling": ("RGB", {"subsampling": 0}),
    "progressive": ("RGB", {"progressive": True}),
    "CMYK": ("CMYK", {}),
    "restart markers": ("RGB", {"restart_marker_blocks": 3}),
}


def jpeg(kind: str) -> bytes:
    mode, options = KINDS[kind]
    return encoded(Image.fromarray(picture(40, 50)).convert(mode), "JPEG", quality=90, **options)


@pytest.mark.parametrize("end", [b"", b"\xff"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_whole_picture_without_its_end_marker_is_decoded(kind: str, end: bytes) -> None:
    whole = jpeg(kind)

    decoded = decode(whole.removesuffix(b"\xff\xd9") + end)

    np.testing.assert_array_equal(decoded.pixels, decode(whole).pixels)
    assert set(decoded.notes) == {*decode(whole).notes, NO_END}


@pytest.mark.parametrize("kind", KINDS)
def test_a_part_of_a_picture_is_refused(kind: str) -> None:
    """Also where the file ends exactly at the end of one of several scans."""
    whole = jpeg(kind)
    expected = decode(whole).pixels
    scans = [at for at in range(len(whole)) if whole[at : at + 2] == b"\xff\xda"]
    markers = [at for at in range(len(whole)) if whole[at] == 0xFF and whole[at + 1] in range(0xD0, 0xD8)]
    ends = {at + more for at in (*scans, *markers) for more in (0, 1, 2)}
    for length in sorted({*range(100, len(whole), 37), *ends, *range(len(whole) - 12, len(whole))}):
        try:
            pixels: NDArray[np.uint8] = decode(whole[:length]).pixels
        except BadImage:
            continue
        np.testing.assert_array_equal(pixels, expected)
        assert length >= len(whole) - 4  # at most padding and the marker itself may be missing


@pytest.mark.parametrize("content", [b"JFIF", b"JFIF\0", b"JFIF\0\1\1\0"])
def test_a_short_jfif_segment_is_skipped(content: bytes) -> None:
    whole = jpeg("color")
    start = 4 + int.from_bytes(whole[4:6], "big")
    segment = b"\xff\xe0" + (2 + len(content)).to_bytes(2, "big") + content

    decoded = decode(whole[:2] + segment + whole[start:])

    np.testing.assert_array_equal(decoded.pixels, decode(whole).pixels)
    assert decoded.notes == ("damaged JPEG segments skipped: APP0",)


@pytest.mark.parametrize("content", [b"Adobe", b"Adobe\0", b"Adobe\0d\0\0\0\0"])
def test_a_short_adobe_segment_is_skipped(content: bytes) -> None:
    whole = jpeg("color")
    segment = b"\xff\xee" + (2 + len(content)).to_bytes(2, "big") + content

    decoded = decode(whole[:2] + segment * 2 + whole[2:-2])

    np.testing.assert_array_equal(decoded.pixels, decode(whole).pixels)
    assert decoded.notes == ("damaged JPEG segments skipped: APP14", NO_END)


@pytest.mark.parametrize(
    ("code", "name", "length", "label"), [(0xE0, b"JFIF", 14, "APP0"), (0xEE, b"Adobe", 12, "APP14")]
)
def test_a_segment_is_short_below_the_length_of_its_fields(code: int, name: bytes, length: int, label: str) -> None:
    def file(content: bytes) -> bytes:
        return b"\xff\xd8\xff" + bytes([code]) + (2 + len(content)).to_bytes(2, "big") + content + scan(0, 63, 0)

    short, whole = file(name.ljust(length - 1, b"\0")), file(name.ljust(length, b"\0"))
    assert without_short_segments(short) == (b"\xff\xd8" + scan(0, 63, 0), (label,))
    assert without_short_segments(whole) == (whole, ())
    for other in (file(b"Other"), whole[:2] + scan(0, 63, 0) + short[2:]):  # another name, and behind a scan
        assert without_short_segments(other) == (other, ())


def scan(first: int, last: int, precision: int, components: bytes = b"\1") -> bytes:
    """The header of a scan of these coefficients. precision: high bits before, low bits that stay open."""
    content = bytes([len(components), *(each for name in components for each in (name, 0)), first, last, precision])
    return b"\xff\xda" + (2 + len(content)).to_bytes(2, "big") + content


def frame(components: bytes = b"\1") -> bytes:
    content = bytes([8, 0, 9, 0, 9, len(components), *(each for name in components for each in (name, 0x11, 0))])
    return b"\xff\xc2" + (2 + len(content)).to_bytes(2, "big") + content


@pytest.mark.parametrize(
    ("scans", "whole"),
    [
        ([scan(0, 63, 0)], True),
        ([scan(0, 62, 0)], False),
        ([scan(1, 63, 0)], False),
        ([scan(0, 0, 0), scan(1, 63, 0)], True),
        ([scan(0, 0, 0), scan(1, 5, 0), scan(6, 63, 0)], True),
        ([scan(0, 0, 0), scan(1, 5, 0), scan(7, 63, 0)], False),
        ([scan(0, 63, 0x01)], False),
        ([scan(0, 63, 0x01), scan(0, 63, 0x10)], True),
        ([scan(0, 63, 0x02), scan(0, 63, 0x21)], False),
        ([], False),
    ],
)
def test_a_picture_is_whole_when_its_scans_code_every_coefficient_to_the_last_bit(
    scans: list[bytes], whole: bool
) -> None:
    assert _covers_all_coefficients(b"\xff\xd8" + frame() + b"".join(scans)) is whole


def test_every_component_needs_its_scans() -> None:
    start = b"\xff\xd8" + frame(b"\1\2\3")

    assert _covers_all_coefficients(start + scan(0, 63, 0, b"\1\2\3"))
    assert _covers_all_coefficients(start + scan(0, 63, 0, b"\3\1") + scan(0, 63, 0, b"\2"))
    assert not _covers_all_coefficients(start + scan(0, 63, 0, b"\1\2"))
    assert not _covers_all_coefficients(start + scan(0, 63, 0, b"\1\2\4"))  # of which the last is unknown
    assert not _covers_all_coefficients(start + scan(0, 63, 0, b"\1\2\3")[:-1])
    assert not _covers_all_coefficients(b"\xff\xd8" + scan(0, 63, 0))


@pytest.mark.parametrize("kind", KINDS)
def test_a_part_of_a_picture_with_an_end_marker_is_refused(kind: str) -> None:
    """libjpeg fills the missing blocks with gray; at least the last rows of blocks are missing here."""
    whole = jpeg(kind)
    first_scan = whole.index(b"\xff\xda")
    rest = len(whole) - first_scan if kind != "progressive" else whole.index(b"\xff\xc4", first_scan) - first_scan
    for share in (0.3, 0.5, 0.6):
        with pytest.raises(BadImage, match="ends before its picture does"):
            decode(whole[: first_scan + int(share * rest)] + b"\xff\xd9")


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 0}])
@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
def test_a_gray_picture_is_whole(mode: str, options: dict[str, object]) -> None:
    """Its last block looks like a missing one."""
    gray = Image.new("RGB", (40, 50), (128, 128, 128)).convert(mode)
    decoded = decode(encoded(gray, "JPEG", **options))
    assert decoded.pixels.shape == (50, 40, 3) and NO_END not in decoded.notes


def test_what_follows_the_picture_does_not_count() -> None:
    gray = encoded(Image.new("RGB", (40, 50), (128, 128, 128)), "JPEG")
    assert decode(gray + b"x" * 99).pixels.shape == (50, 40, 3)


@pytest.mark.parametrize(
    ("code", "bits", "name"),
    [
        (0xC3, 8, "a lossless JPEG"),
        (0xCB, 16, "a lossless JPEG"),
        (0xC1, 12, "a JPEG of 12 bits"),
        (0xC2, 12, "a JPEG of 12 bits"),
        (0xC5, 8, "a hierarchical JPEG"),
        (0xF7, 8, "a JPEG-LS image"),
    ],
)
def test_a_kind_that_is_not_read_is_named(code: int, bits: int, name: str) -> None:
    file = bytearray(jpeg("no subsampling"))
    at = file.index(b"\xff\xc0")
    file[at + 1], file[at + 4] = code, bits
    with pytest.raises(UnsupportedFormat, match=name):
        decode(bytes(file))


FRAMES = [code for code in range(0xC0, 0xD0) if code not in (0xC4, 0xC8, 0xCC)]  # but tables and reserved numbers
NAMES = dict.fromkeys((0xC3, 0xC7, 0xCB, 0xCF), "a lossless") | dict.fromkeys(
    (0xC5, 0xC6, 0xCD, 0xCE), "a hierarchical"
)


@pytest.mark.parametrize("code", range(0xBE, 0xD1))
@pytest.mark.parametrize("bits", [8, 11, 12, 13, 15, 16, 17])
def test_each_frame_has_its_kind(code: int, bits: int) -> None:
    """Markers of ISO/IEC 10918-1, table B.1."""
    file = b"\xff\xd8\xff" + bytes([code]) + b"\0\x08" + bytes([bits, 0, 1, 0, 1, 1]) + b"\xff\xda\0\2"
    name = NAMES.get(code, f"a JPEG of {bits} bits" if bits in (12, 16) else "")

    if code in FRAMES and name:
        with pytest.raises(UnsupportedFormat, match=f"This is {name}"):
            check_kind(file)
    else:
        check_kind(file)


@pytest.mark.parametrize("code", [0xC4, 0xC8, 0xCC, 0xE0])
def test_the_first_frame_counts_whatever_comes_before(code: int) -> None:
    other = b"\xff" + bytes([code]) + b"\0\x03\x0c"
    frames = [b"\xff\xc0\0\x08" + bytes([bits, 0, 1, 0, 1, 1]) for bits in (8, 12)]

    check_kind(b"\xff\xd8" + other + frames[0] + frames[1])
    with pytest.raises(UnsupportedFormat, match="12 bits"):
        check_kind(b"\xff\xd8" + other + frames[1] + frames[0])
    check_kind(b"\xff\xd8" + other + b"\xff\xda\0\2" + frames[1])  # behind the scan


@pytest.mark.parametrize(("bits", "found"), [(1, False), (2, True), (16, True), (17, False)])
def test_a_frame_of_jpeg_ls_has_2_to_16_bits(bits: int, found: bool) -> None:
    frame = b"\xff\xf7\0\x0b" + bytes([bits])
    early, late = b"\xff\xd8" + frame, b"\xff\xd8" + bytes((1 << 16) - 2) + frame

    check_kind(late)
    if found:
        with pytest.raises(UnsupportedFormat, match="JPEG-LS"):
            check_kind(early)
    else:
        check_kind(early)


@pytest.mark.parametrize(("level", "shown"), [(126, True), (127, False), (128, False), (129, True)])
def test_only_a_picture_that_ends_in_middle_gray_is_decoded_again(
    level: int, shown: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its last two pixels in each direction count."""
    asked: list[bytes] = []
    monkeypatch.setattr(reader, "_end_of_picture", lambda data: asked.append(data))
    image = Image.new("L", (9, 9), 0)
    image.paste(128, (7, 7, 9, 9))
    image.putpixel((7, 7), level)

    reader.check_rows(b"file", image)

    assert asked == ([] if shown else [b"file"])
