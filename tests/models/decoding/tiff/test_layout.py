"""The layout of a TIFF page, read from its directory: defaults of missing fields, and every limit from both sides."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from models.decoding.tiff.directory import read_directory
from models.decoding.tiff.layout import Layout, read_layout
from models.decoding.tiff.tags import Compression, Kind, Photometric
from models.errors import BadImage, ImageTooLarge, UnsupportedFormat
from tests.models import tiff_files
from tests.models.tiff_files import BLACK_IS_ZERO, CMYK, DEFLATE, FLOAT, PALETTE, RGB, assemble

WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, CHANNELS, STRIP_ROWS, PLANAR = 256, 257, 258, 259, 262, 277, 278, 284
PREDICTOR, TILE_WIDTH, TILE_ROWS, COUNTS, INKS, FORMAT = 317, 322, 323, 279, 332, 339
SUBFILE, FILL_ORDER, SUB_DIRECTORIES, DNG_VERSION = 254, 266, 330, 50706
MANY = 1 << 40


def layout_of(*, segments: int = 1, max_pixels: int = MANY, **fields: Sequence[int] | int) -> Layout:
    """Read the layout of a page of 40 x 30 gray pixels in strips, or tiles, of one byte; `fields` change fields."""
    tags: dict[int, tuple[str, Sequence[int]]] = {WIDTH: ("I", [40]), HEIGHT: ("I", [30])}
    tags |= {BITS: ("H", [8]), PHOTOMETRIC: ("H", [BLACK_IS_ZERO])}
    for name, values in fields.items():
        tags[globals()[name]] = ("I", [values] if isinstance(values, int) else values)
    tile = 16 if "TILE_WIDTH" in fields else 0
    file = assemble([b"x"] * segments, tags, tiff_files.Layout(tile=tile))
    return read_layout(read_directory(file), len(file), max_pixels)


def test_missing_fields_have_the_defaults_of_the_specification() -> None:
    layout = layout_of()

    assert (layout.channels, layout.bits, layout.kind) == (1, 8, Kind.UNSIGNED)
    assert (layout.compression, layout.predictor, layout.planar) == (Compression.NONE, 1, False)
    assert (layout.tiled, layout.reversed_bits) == (False, False)
    assert (layout.segment_width, layout.segment_height, layout.across, layout.down) == (40, 30, 1, 1)
    assert layout.segments == ((8, 1),)


@pytest.mark.parametrize("fields", [{"WIDTH": 0}, {"HEIGHT": 0}, {"WIDTH": 0, "HEIGHT": 0}])
def test_a_page_without_pixels_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(BadImage, match="states no size"):
        layout_of(**fields)
    assert (layout_of(WIDTH=1).width, layout_of(HEIGHT=1).height) == (1, 1)


def test_a_page_may_have_as_many_pixels_as_the_limit() -> None:
    assert layout_of(max_pixels=1200).width == 40
    with pytest.raises(ImageTooLarge, match="40 x 30 pixels; at most 1,199"):
        layout_of(max_pixels=1199)


@pytest.mark.parametrize(("rows", "height", "down"), [(30, 30, 1), (29, 29, 2), (1, 1, 30), (0, 30, 1), (99, 30, 1)])
def test_strips_have_the_stated_rows_within_the_page(rows: int, height: int, down: int) -> None:
    layout = layout_of(segments=down, STRIP_ROWS=rows)

    assert (layout.segment_height, layout.down) == (height, down)
    with pytest.raises(BadImage, match="part of the picture is missing"):
        layout_of(segments=down, STRIP_ROWS=rows, CHANNELS=2, PLANAR=2, BITS=[8, 8])


@pytest.mark.parametrize(("width", "rows"), [(0, 16), (16, 0), (8, 16), (15, 16), (17, 16)])
def test_tiles_of_another_width_than_multiples_of_sixteen_are_refused(width: int, rows: int) -> None:
    with pytest.raises(BadImage, match=f"{width} x {rows} pixels"):
        layout_of(segments=99, TILE_WIDTH=width, TILE_ROWS=rows)


def test_tiles_cover_the_page() -> None:
    layout = layout_of(segments=30, TILE_WIDTH=32, TILE_ROWS=2)

    assert (layout.tiled, layout.segment_width, layout.segment_height) == (True, 32, 2)
    assert (layout.across, layout.down, layout.row_bytes) == (2, 15, 32)
    with pytest.raises(BadImage, match="part of the picture is missing"):
        layout_of(segments=29, TILE_WIDTH=32, TILE_ROWS=2)


def test_a_tile_may_have_as_many_pixels_as_the_limit_and_all_tiles_twice_as_many() -> None:
    one: dict[str, Any] = {"TILE_WIDTH": 48, "TILE_ROWS": 40}
    assert layout_of(max_pixels=1920, **one).down == 1
    with pytest.raises(ImageTooLarge, match="A tile of the TIFF has 1,920 pixels; at most 1,919"):
        layout_of(max_pixels=1919, **one)

    four: dict[str, Any] = {"segments": 4, "TILE_WIDTH": 32, "TILE_ROWS": 20}  # 64 x 40 pixels together
    assert layout_of(max_pixels=1280, **four).down == 2
    with pytest.raises(ImageTooLarge, match="A tile"):
        layout_of(max_pixels=1279, **four)


def test_samples_may_need_eight_bytes_for_each_pixel_of_the_limit() -> None:
    eight: dict[str, Any] = {"CHANNELS": 8, "BITS": [8] * 8, "PHOTOMETRIC": RGB}
    assert layout_of(max_pixels=1200, **eight).channels == 8
    with pytest.raises(ImageTooLarge, match="too much memory: 9 of 8 bits"):
        layout_of(max_pixels=1200, CHANNELS=9, BITS=[8] * 9, PHOTOMETRIC=RGB)


@pytest.mark.parametrize("channels", [1, 16])
def test_one_to_sixteen_channels_are_read(channels: int) -> None:
    assert layout_of(CHANNELS=channels, BITS=[8] * channels).channels == channels
    for other in (0, 17):
        with pytest.raises(UnsupportedFormat, match=f"{other} channels; 1 to 16"):
            layout_of(CHANNELS=other, BITS=[8] * max(1, other))


@pytest.mark.parametrize("bits", [1, 7, 9, 31, 32, 64])
def test_samples_of_one_to_32_or_64_bits_are_read(bits: int) -> None:
    assert layout_of(BITS=bits).bits == bits
    for other in (0, 33, 63, 65):
        with pytest.raises(UnsupportedFormat, match=f"{other} bits, which are not read"):
            layout_of(BITS=other)


def test_only_the_bits_of_the_channels_must_agree() -> None:
    assert layout_of(CHANNELS=3, BITS=[16, 16, 16, 8], PHOTOMETRIC=RGB).bits == 16
    with pytest.raises(UnsupportedFormat, match="16, 16, 8 bits"):
        layout_of(CHANNELS=3, BITS=[16, 16, 8], PHOTOMETRIC=RGB)


@pytest.mark.parametrize(
    ("bits", "planar", "row"), [(1, 1, 5), (1, 2, 5), (8, 1, 40), (12, 1, 60), (16, 2, 80), (7, 1, 35)]
)
def test_rows_are_padded_to_whole_bytes(bits: int, planar: int, row: int) -> None:
    assert layout_of(BITS=bits, PLANAR=planar).row_bytes == row
    color: dict[str, Any] = {"CHANNELS": 3, "BITS": [bits] * 3, "PHOTOMETRIC": RGB}
    assert layout_of(**color, PLANAR=1).row_bytes == -(-40 * 3 * bits // 8)
    assert layout_of(**color, PLANAR=2, segments=3).row_bytes == row
    assert layout_of(WIDTH=33, BITS=1).row_bytes == 5


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_a_missing_color_space_is_gray_or_color_by_the_channels(channels: int) -> None:
    tags: Mapping[int, tuple[str, Sequence[int]]] = {
        WIDTH: ("I", [4]),
        HEIGHT: ("I", [3]),
        BITS: ("H", [8] * channels),
        CHANNELS: ("H", [channels]),
    }
    file = assemble([b"x"], tags, tiff_files.Layout())

    layout = read_layout(read_directory(file), len(file), MANY)

    assert layout.photometric is (Photometric.BLACK_IS_ZERO if channels < 3 else Photometric.RGB)


def test_a_color_space_needs_its_channels() -> None:
    for photometric, needed in ((RGB, 3), (CMYK, 4)):
        assert layout_of(CHANNELS=needed, BITS=[8] * needed, PHOTOMETRIC=photometric).channels == needed
        with pytest.raises(BadImage, match=f"{needed - 1} channels; [A-Z]+ needs {needed}"):
            layout_of(CHANNELS=needed - 1, BITS=[8] * needed, PHOTOMETRIC=photometric)


def test_a_strip_without_a_length_reaches_to_the_end_of_the_file() -> None:
    tags = {WIDTH: ("I", [4]), HEIGHT: ("I", [3]), BITS: ("H", [8]), PHOTOMETRIC: ("H", [1]), STRIP_ROWS: ("I", [1])}
    file = assemble([b"aa", b"", b"bb"], tags, tiff_files.Layout())

    assert read_layout(read_directory(file), 20, MANY).segments == ((8, 2), (10, 10), (10, 2))


ACCEPTED_OR_REFUSED: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    ({"COMPRESSION": DEFLATE, "PREDICTOR": 2}, {"COMPRESSION": DEFLATE, "PREDICTOR": 2, "BITS": 12}, "predictor 2"),
    (
        {"COMPRESSION": DEFLATE, "PREDICTOR": 3, "BITS": 32, "FORMAT": FLOAT},
        {"COMPRESSION": DEFLATE, "PREDICTOR": 3, "BITS": 32},
        "predictor 3",
    ),
    ({"PREDICTOR": 9}, {"COMPRESSION": DEFLATE, "PREDICTOR": 4}, "predictor 4"),
    ({"PHOTOMETRIC": PALETTE, "BITS": 16}, {"PHOTOMETRIC": PALETTE, "BITS": 17}, "palette"),
    ({"COMPRESSION": 4, "BITS": 1}, {"COMPRESSION": 4, "BITS": 2}, "fax"),
    ({"COMPRESSION": 7}, {"COMPRESSION": 7, "BITS": 16}, "depth under its compression"),
    (
        {"COMPRESSION": 7, "CHANNELS": 4, "BITS": [8] * 4, "PHOTOMETRIC": RGB},
        {"COMPRESSION": 7, "CHANNELS": 5, "BITS": [8] * 5, "PHOTOMETRIC": RGB},
        "depth under its compression",
    ),
    (
        {"PHOTOMETRIC": 6, "CHANNELS": 3, "BITS": [8] * 3},
        {"PHOTOMETRIC": 6, "CHANNELS": 4, "BITS": [8] * 4},
        "YCbCr",
    ),
    (
        {"PHOTOMETRIC": 8, "CHANNELS": 3, "BITS": [16] * 3},
        {"PHOTOMETRIC": 8, "CHANNELS": 3, "BITS": [32] * 3},
        r"L\*a\*b\*",
    ),
    (
        {"PHOTOMETRIC": CMYK, "CHANNELS": 4, "BITS": [8] * 4, "INKS": 1},
        {"PHOTOMETRIC": CMYK, "CHANNELS": 4, "BITS": [8] * 4, "INKS": 2},
        "inks",
    ),
    ({"BITS": 16, "FORMAT": FLOAT}, {"BITS": 24, "FORMAT": FLOAT}, "float samples of 24 bits"),
    ({"BITS": 24}, {"BITS": 24, "FORMAT": 2}, "signed samples of 24 bits"),
]


@pytest.mark.parametrize(("read", "refused", "reason"), ACCEPTED_OR_REFUSED)
def test_the_nearest_layout_of_a_refused_one_is_read(
    read: dict[str, Any], refused: dict[str, Any], reason: str
) -> None:
    assert layout_of(**read).width == 40
    with pytest.raises(UnsupportedFormat, match=reason):
        layout_of(**refused)


# Numbers of libtiff's tiff.h.
COMPRESSIONS = {6: "old-style JPEG", 9: "JBIG", 10: "JBIG", 32809: "ThunderScan", 34676: "SGI LogLuv"} | {
    **{33003: "JPEG 2000", 33005: "JPEG 2000", 34712: "JPEG 2000", 34887: "LERC", 50002: "JPEG XL", 52546: "JPEG XL"},
    **{0: "compression 0", 32766: "compression 32766", 65000: "compression 65000"},
}
COLORS = {4: "a transparency mask", 10: r"ITU L\*a\*b\*", 32803: "the samples of a sensor"} | {
    **{32844: "LogL", 32845: "LogLuv", 34892: "the samples of a sensor", 7: "color space 7", 11: "color space 11"},
}


@pytest.mark.parametrize("number", COMPRESSIONS)
def test_a_compression_that_is_not_read_is_named(number: int) -> None:
    with pytest.raises(UnsupportedFormat, match=f"compressed as {COMPRESSIONS[number]}, which is not read"):
        layout_of(COMPRESSION=number)


@pytest.mark.parametrize("number", COLORS)
def test_a_color_space_that_is_not_read_is_named(number: int) -> None:
    with pytest.raises(UnsupportedFormat, match=f"holds {COLORS[number]}, which is not read"):
        layout_of(PHOTOMETRIC=number)


def test_a_preview_of_a_camera_is_refused_and_a_picture_with_smaller_versions_is_read() -> None:
    refused: list[dict[str, Any]] = [{"SUBFILE": 1, "SUB_DIRECTORIES": 8}, {"DNG_VERSION": 1}]
    for raw in refused:
        with pytest.raises(UnsupportedFormat, match="camera raw"):
            layout_of(**raw)
    read: list[dict[str, Any]] = [{"SUB_DIRECTORIES": 8}, {"SUBFILE": 0, "SUB_DIRECTORIES": 8}, {"SUBFILE": 1}]
    for fields in read:
        assert layout_of(**fields).width == 40


@pytest.mark.parametrize("kind", [Kind.UNSIGNED, Kind.SIGNED, Kind.FLOAT, Kind.UNDEFINED])
def test_each_kind_of_sample_is_read_in_its_sizes(kind: Kind) -> None:
    integers = (*range(1, 33), 64)
    sizes = {Kind.SIGNED: (8, 16, 32, 64), Kind.FLOAT: (16, 32, 64)}.get(kind, integers)

    for bits in range(1, 65):
        if bits in sizes:
            assert layout_of(BITS=bits, FORMAT=int(kind)).kind is (kind if kind < 4 else Kind.UNSIGNED)
        else:
            with pytest.raises(UnsupportedFormat, match=f"{kind.name.lower()} samples of {bits} bits"):
                layout_of(BITS=bits, FORMAT=int(kind))


@pytest.mark.parametrize("formats", [[1, 2, 1], [1, 3, 3], [1, 2, 3], [5, 5, 5], [6, 6, 6], [0, 0, 0]])
def test_mixed_and_complex_samples_are_refused(formats: list[int]) -> None:
    color: dict[str, Any] = {"CHANNELS": 3, "BITS": [32] * 3, "PHOTOMETRIC": RGB}

    assert layout_of(**color, FORMAT=[2, 2, 2]).kind is Kind.SIGNED
    with pytest.raises(UnsupportedFormat, match="complex numbers or mixed samples"):
        layout_of(**color, FORMAT=formats)


@pytest.mark.parametrize("photometric", [8, 9])
@pytest.mark.parametrize("formats", [[1, 1, 1], [2, 2, 2], [1, 2, 2]])
def test_lab_may_state_signed_samples_or_not(photometric: int, formats: list[int]) -> None:
    lab: dict[str, Any] = {"CHANNELS": 3, "PHOTOMETRIC": photometric}

    assert layout_of(**lab, BITS=[16] * 3, FORMAT=formats).kind is Kind.UNSIGNED
    with pytest.raises(UnsupportedFormat, match="mixed samples"):
        layout_of(**lab, BITS=[16] * 3, FORMAT=[1, 2, 3])
    for bits in (32, 64):
        assert layout_of(**lab, BITS=[bits] * 3, FORMAT=[3] * 3).kind is Kind.FLOAT
    for bits in (7, 9, 15, 17, 24):
        with pytest.raises(UnsupportedFormat, match=r"L\*a\*b\* at this depth"):
            layout_of(**lab, BITS=[bits] * 3, FORMAT=formats)


def test_the_order_of_bits_and_planes_are_those_of_the_file() -> None:
    two: dict[str, Any] = {"CHANNELS": 2, "BITS": [8, 8]}

    assert [layout_of(FILL_ORDER=order).reversed_bits for order in (1, 2, 3)] == [False, True, False]
    assert [layout_of(**two, segments=2, PLANAR=planar).planes for planar in (0, 1, 2, 3)] == [1, 1, 2, 1]
    assert not layout_of(PLANAR=2).planar  # one channel has one plane


@pytest.mark.parametrize(("compression", "bits"), [(c, b) for c in (2, 3, 4) for b in (1, 4)])
def test_fax_codes_one_bit_of_one_channel(compression: int, bits: int) -> None:
    two: dict[str, Any] = {"COMPRESSION": compression, "CHANNELS": 2, "BITS": [1, 1]}
    assert layout_of(**two, PLANAR=2, segments=2).plane_channels == 1
    for refused in (two, {"COMPRESSION": compression, "BITS": 4}):
        with pytest.raises(UnsupportedFormat, match="fax compression of color"):
            layout_of(**refused)


def test_webp_codes_three_or_four_channels_of_eight_bits_together() -> None:
    def webp(channels: int, bits: int = 8, **more: int) -> Layout:
        return layout_of(COMPRESSION=50001, CHANNELS=channels, BITS=[bits] * channels, PHOTOMETRIC=RGB, **more)

    assert [webp(channels).channels for channels in (3, 4)] == [3, 4]
    refused: list[dict[str, Any]] = [{"channels": 5}, {"channels": 3, "bits": 16}, {"channels": 3, "FORMAT": 2}]
    for fields in (*refused, {"channels": 3, "PLANAR": 2, "segments": 3}):
        with pytest.raises(UnsupportedFormat, match="WebP compression of this kind"):
            webp(**fields)


@pytest.mark.parametrize(("predictor", "kind"), [(2, 1), (3, 3)])
def test_predictors_have_their_depths(predictor: int, kind: int) -> None:
    depths = {2: (8, 16, 32, 64), 3: (16, 32, 64)}[predictor]
    for bits in (1, 4, 8, 12, 16, 24, 32, 64):
        fields: dict[str, Any] = {"COMPRESSION": DEFLATE, "PREDICTOR": predictor, "BITS": bits, "FORMAT": kind}
        if bits in depths:
            assert layout_of(**fields).predictor == predictor
        elif kind == 1:
            with pytest.raises(UnsupportedFormat, match=f"predictor {predictor} at {bits} bits"):
                layout_of(**fields)


def test_ycbcr_has_three_channels_of_eight_bits_together() -> None:
    color: dict[str, Any] = {"PHOTOMETRIC": 6, "CHANNELS": 3}
    assert layout_of(**color, BITS=[8] * 3).photometric is Photometric.YCBCR
    assert layout_of(PHOTOMETRIC=6).photometric is Photometric.BLACK_IS_ZERO
    refused: list[dict[str, Any]] = [{"BITS": [16] * 3}, {"BITS": [8] * 3, "PLANAR": 2, "segments": 3}]
    for fields in (*refused, {"BITS": [8] * 3, "FORMAT": 2}):
        with pytest.raises(UnsupportedFormat, match="YCbCr of this kind"):
            layout_of(**color, **fields)


def test_the_samples_of_a_tile_count_where_it_is_larger_than_the_page() -> None:
    """A tile of 64 x 64 for a page of 40 x 30, of eight channels: 4,096 times 8 bytes."""
    tiled: dict[str, Any] = {"TILE_WIDTH": 64, "TILE_ROWS": 64, "PHOTOMETRIC": RGB}

    assert layout_of(max_pixels=4096, CHANNELS=8, BITS=[8] * 8, **tiled).channels == 8
    with pytest.raises(ImageTooLarge, match="too much memory: 9 of 8 bits"):
        layout_of(max_pixels=4096, CHANNELS=9, BITS=[8] * 9, **tiled)
