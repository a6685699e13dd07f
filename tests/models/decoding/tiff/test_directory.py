"""The directory of a TIFF is read whichever way it is written; one built to exhaust a decoder is refused."""

import struct
from dataclasses import replace

import numpy as np
import pytest

from models.decoding.decode import decode
from models.decoding.tiff.directory import read_directory
from models.errors import BadImage, ImageTooLarge
from tests.models.tiff_files import BLACK_IS_ZERO, DEFLATE, NONE, RGB, Layout, assemble, write_tiff

PLAIN = Layout(photometric=BLACK_IS_ZERO)
PIXELS = np.arange(48).reshape(6, 8, 1)


def tiff_head(fields: list[tuple[int, int, int, int]], order: str = "<") -> bytes:
    """A classic TIFF that consists of a directory of (tag, type, count, value)."""
    mark = b"II*\0" if order == "<" else b"MM\0*"
    entries = b"".join(struct.pack(f"{order}HHII", *field) for field in fields)
    return mark + struct.pack(f"{order}IH", 8, len(fields)) + entries + bytes(4)


@pytest.mark.parametrize("order", ["<", ">"])
def test_numbers_of_every_width_are_read(order: str) -> None:
    head = tiff_head([(256, 3, 1, 7 if order == "<" else 7 << 16), (257, 4, 1, 70_000), (700, 1, 5, 2)], order)
    directory = read_directory(head)

    assert [directory.number(256, 0), directory.number(257, 0), directory.number(258, 1)] == [7, 70_000, 1]
    assert (directory.text(700), directory.text(257), directory.text(34675)) == (head[2:7], None, None)


def test_the_first_of_two_fields_with_one_tag_counts() -> None:
    assert read_directory(tiff_head([(256, 4, 1, 7), (256, 4, 1, 8)])).number(256, 0) == 7


@pytest.mark.parametrize("mark", [b"MM\0*", b"MM*\0"])
def test_a_swapped_version_is_no_obstacle(mark: bytes) -> None:
    file = write_tiff(PIXELS, replace(PLAIN, order=">"))

    assert decode(mark + file[4:]).pixels[..., 0].tolist() == PIXELS[..., 0].tolist()


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("big", [False, True])
def test_limits_hold_in_either_byte_order_and_width(order: str, big: bool) -> None:
    layout = replace(PLAIN, order=order, big=big)

    assert decode(write_tiff(PIXELS, layout), max_pixels=48).pixels[..., 0].tolist() == PIXELS[..., 0].tolist()
    with pytest.raises(ImageTooLarge, match="8 x 6 pixels; at most 47"):
        decode(write_tiff(PIXELS, layout), max_pixels=47)
    with pytest.raises(BadImage, match="directory"):
        read_directory(assemble([b"x"], {256: ("B", [1]), 258: ("H", [1] * 200_000)}, layout))


def test_refuses_a_directory_of_five_thousand_fields() -> None:
    with pytest.raises(BadImage, match="directory"):
        read_directory(tiff_head([(tag, 3, 1, 0) for tag in range(5000)]))


def test_a_directory_has_4096_fields_at_most() -> None:
    most = [(tag, 3, 1, 0) for tag in range(4096)]

    assert read_directory(tiff_head(most)).number(4095, 1) == 0
    with pytest.raises(BadImage, match="directory"):
        read_directory(tiff_head([*most, (4096, 3, 1, 0)]))


@pytest.mark.parametrize("kind", [1, 3, 4, 13])
def test_a_field_has_196608_numbers_at_most_and_bytes_without_limit(kind: int) -> None:
    assert 700 in read_directory(tiff_head([(700, kind, 196_608, 8)]))
    if kind == 1:
        assert 700 in read_directory(tiff_head([(700, kind, 196_609, 8)]))
    else:
        with pytest.raises(BadImage, match="directory"):
            read_directory(tiff_head([(700, kind, 196_609, 8)]))


def test_values_of_four_bytes_stand_in_the_field_and_longer_ones_at_their_offset() -> None:
    head = tiff_head([(700, 7, 4, int.from_bytes(b"abcd", "little")), (701, 7, 5, 0), (702, 7, 60, 0)])
    directory = read_directory(head)

    assert (directory.text(700), directory.text(701)) == (b"abcd", head[:5])
    assert (len(head), directory.text(702)) == (50, None)  # beyond the end of the file
    exact = read_directory(tiff_head([(702, 7, 26, 0)]))
    assert exact.text(702) is not None and len(exact.text(702) or b"") == 26


def test_fields_of_no_values_and_of_unknown_types() -> None:
    directory = read_directory(tiff_head([(256, 3, 0, 0), (257, 99, 1, 7), (258, 2, 1, 65)]))

    with pytest.raises(BadImage, match="directory"):
        directory.numbers(256)
    assert 257 not in directory and directory.number(257, 5) == 5
    with pytest.raises(BadImage, match="directory"):
        directory.number(258, 0)


@pytest.mark.parametrize(("following", "more"), [(0, False), (8, True), (1000, False)])
def test_another_page_is_a_directory_with_fields(following: int, more: bool) -> None:
    head = tiff_head([(256, 3, 1, 7)])

    assert read_directory(head[:-4] + struct.pack("<I", following)).has_next is more
    assert read_directory(head[:-4]).has_next is False
    empty = head[:-4] + struct.pack("<I", len(head)) + bytes(2)
    assert read_directory(empty).has_next is False


def test_profiles_may_be_long() -> None:
    assert read_directory(tiff_head([(34675, 7, 10_000_000, 8)])).text(34675) is None


@pytest.mark.parametrize("kind", [5, 11, 12])
def test_a_size_that_is_no_integer_is_refused(kind: int) -> None:
    with pytest.raises(BadImage, match="directory"):
        decode(tiff_head([(256, kind, 1, 8), (257, 3, 1, 8)]))


@pytest.mark.parametrize("length", range(60))
def test_a_truncated_directory_is_refused(length: int) -> None:
    file = tiff_head([(256, 3, 1, 16), (257, 3, 1, 16), (273, 4, 9, 50)])
    for data in (file[:length], b"II+\0" + b"\xff" * length, b"MM\0+" + b"\0" * length):
        with pytest.raises(BadImage):
            decode(data)


def test_refuses_tiles_larger_than_the_limit_whatever_the_picture() -> None:
    with pytest.raises(ImageTooLarge, match="1,600,000,000"):
        decode(write_tiff(PIXELS, replace(PLAIN, tags={322: ("I", [40_000]), 323: ("I", [40_000])})))


def test_refuses_many_tiles_that_are_each_within_the_limit() -> None:
    """A picture of one row in 8,192 tiles of 48 megapixels would be decoded for an hour."""
    wide = Layout(photometric=BLACK_IS_ZERO, tags={256: ("I", [196_608]), 322: ("I", [16]), 323: ("I", [3_000_000])})

    with pytest.raises(ImageTooLarge, match="48,000,000"):
        decode(write_tiff(PIXELS, wide))


def test_refuses_samples_that_need_far_more_memory_than_the_picture() -> None:
    deep = Layout(bits=64, tags={256: ("I", [7000]), 257: ("I", [7000]), 258: ("H", [64] * 16), 277: ("H", [16])})

    with pytest.raises(ImageTooLarge, match="16 of 64 bits"):
        decode(write_tiff(np.zeros((6, 8, 3), np.uint8), deep))


@pytest.mark.parametrize("compression", [NONE, DEFLATE])
def test_thousands_of_strips_may_share_their_bytes(compression: int) -> None:
    """Each strip claims the rest of the file; only what it needs is copied."""
    layout = replace(PLAIN, compression=compression, rows=1)
    strip = write_tiff(np.full((1, 4, 1), 9), layout)
    tags = {256: ("I", [4]), 257: ("I", [60_000]), 258: ("H", [8]), 259: ("H", [compression]), 262: ("H", [1])}
    shared = tags | {278: ("I", [1]), 273: ("I", [8] * 60_000), 279: ("I", [4_000_000] * 60_000)}
    file = assemble([strip[8:40] + bytes(2_000_000)], shared, replace(layout, tile=16))

    assert np.unique(decode(file).pixels).tolist() == [9]


@pytest.mark.parametrize("layout", [PLAIN, replace(PLAIN, compression=DEFLATE), replace(PLAIN, tile=16)], ids=str)
def test_a_missing_strip_or_tile_is_refused(layout: Layout) -> None:
    where = 325 if layout.tile else 279
    whole = write_tiff(PIXELS, replace(layout, rows=2))

    at = whole.rindex(struct.pack("<H", where))
    (count,) = struct.unpack_from("<I", whole, at + 4)
    fewer = whole[: at + 4] + struct.pack("<I", count) + whole[at + 8 :]
    assert decode(fewer).pixels.shape == (6, 8, 3)
    offsets = whole.rindex(struct.pack("<H", where - 1 if layout.tile else 273), 0, at)
    with pytest.raises(BadImage):
        decode(whole[: offsets + 4] + struct.pack("<I", 0) + whole[offsets + 8 :])
    with pytest.raises(BadImage):
        decode(
            whole.replace(struct.pack("<HHI", 257, 4, 1) + struct.pack("<I", 6), struct.pack("<HHII", 257, 4, 1, 40))
        )


def test_a_strip_without_a_stated_length_reaches_to_the_end_of_the_file() -> None:
    whole = write_tiff(PIXELS, replace(PLAIN, compression=DEFLATE, rows=6))

    assert decode(whole.replace(struct.pack("<HH", 279, 4), struct.pack("<HH", 65000, 4))).pixels.shape == (6, 8, 3)


def test_channels_that_the_color_space_lacks_are_refused() -> None:
    with pytest.raises(BadImage, match="2 channels; RGB needs 3"):
        decode(write_tiff(np.zeros((6, 8, 2), np.uint8), Layout(photometric=RGB)))
