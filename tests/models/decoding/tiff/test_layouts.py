"""Every layout of samples is decoded to the picture that was written, or refused with its name.

The files are written from known samples (tests/models/tiff_files.py), so the expected levels need no other reader. That
other readers understand the files alike is checked with tifffile and libvips, in layouts that they read.
"""

import io
import struct
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
import pyvips
from PIL import Image

from models.decoding.decode import decode
from models.errors import BadImage, UnsupportedFormat
from tests.models.tiff_files import (
    BLACK_IS_ZERO,
    CIELAB,
    CMYK,
    DEFLATE,
    FLOAT,
    ICCLAB,
    INT,
    LZW,
    NONE,
    PACKBITS,
    PALETTE,
    RGB,
    UINT,
    WHITE_IS_ZERO,
    Layout,
    assemble,
    write_tiff,
)

HEIGHT, WIDTH = 20, 23
SAMPLES = [
    *[(UINT, bits) for bits in (1, 2, 4, 6, 8, 10, 12, 14, 16, 24, 32, 64)],
    *[(INT, bits) for bits in (8, 16, 32)],
    *[(FLOAT, bits) for bits in (16, 32, 64)],
]
COLORS: list[tuple[int, int, tuple[int, ...]]] = [  # photometric, channels, extra samples
    (WHITE_IS_ZERO, 1, ()),
    (WHITE_IS_ZERO, 2, (2,)),
    (BLACK_IS_ZERO, 1, ()),
    (BLACK_IS_ZERO, 2, (2,)),
    (BLACK_IS_ZERO, 2, (1,)),
    (BLACK_IS_ZERO, 2, (0,)),
    (RGB, 3, ()),
    (RGB, 4, (2,)),
    (RGB, 4, (1,)),
    (RGB, 5, (0, 2)),
    (CMYK, 4, ()),
    (CMYK, 5, (2,)),
]


def every_layout() -> Iterator[tuple[Layout, int]]:
    """Yield each kind of samples with each color space, together and apart; the rest of the layout takes turns."""
    compressions = [NONE, LZW, DEFLATE, PACKBITS]
    for number, (kind, bits) in enumerate(SAMPLES):
        for color, (photometric, channels, extra) in enumerate(COLORS):
            for planar in (1, 2):
                turn = 5 * number + 3 * color + planar
                predictor = 1
                if bits in (8, 16, 32, 64) and turn % 4 in (1, 2):
                    predictor = 3 if kind == FLOAT else 2 if turn % 3 else 1
                layout = Layout(
                    bits=bits,
                    kind=kind,
                    photometric=photometric,
                    planar=planar,
                    compression=compressions[turn % 4],
                    order="<>"[(turn // 4) % 2],
                    big=bool((turn // 8) % 2),
                    tile=16 * ((turn // 3) % 2),
                    rows=(1, 7, HEIGHT)[turn % 3],
                    predictor=predictor,
                    extra=extra,
                )
                yield layout, channels


LAYOUTS = list(every_layout())


def name(layout: Layout) -> str:
    kind = "?uif"[layout.kind]
    where = f"tile{layout.tile}" if layout.tile else f"rows{layout.rows}"
    alpha = "".join(map(str, layout.extra))
    return (
        f"p{layout.photometric}x{alpha}-{kind}{layout.bits}-planar{layout.planar}-c{layout.compression}"
        f"-d{layout.predictor}-{'II' if layout.order == '<' else 'MM'}{'+' * layout.big}-{where}"
    )


def samples(layout: Layout, channels: int) -> npt.NDArray[np.generic]:
    """Random samples over their whole range, whose ends occur in the first row."""
    shape, source = (HEIGHT, WIDTH, channels), np.random.default_rng(channels * layout.bits + layout.kind)
    low, high = limits(layout)
    if layout.kind == FLOAT:
        drawn: npt.NDArray[np.generic] = source.random(shape).astype(f"f{layout.bits // 8}")
    elif layout.kind == INT:
        drawn = source.integers(int(low), int(high), shape, dtype=np.int64, endpoint=True)
    else:
        drawn = source.integers(0, (1 << layout.bits) - 1, shape, dtype=np.uint64, endpoint=True)
    if layout.kind != FLOAT:
        drawn[0, 0], drawn[0, 1] = (
            (0 if layout.kind == UINT else int(low)),
            (1 << (layout.bits - (layout.kind == INT))) - 1,
        )
    return drawn


def limits(layout: Layout) -> tuple[float, float]:
    """The numbers of black and white."""
    if layout.kind == FLOAT:
        return 0.0, 1.0
    return (
        (0.0, 2.0**layout.bits - 1)
        if layout.kind == UINT
        else (-(2.0 ** (layout.bits - 1)), 2.0 ** (layout.bits - 1) - 1)
    )


def expected(drawn: npt.NDArray[np.generic], layout: Layout) -> npt.NDArray[np.float64]:
    """Levels of the picture over a black background; CMYK by Pillow's conversion."""
    low, high = limits(layout)
    colors = {CMYK: 4, RGB: 3}.get(layout.photometric, 1)
    values = drawn.astype(np.float64)
    levels = (values[..., :colors] - low) / (high - low)
    kinds = [kind for kind in layout.extra if kind]
    alpha = (
        np.clip(values[..., colors + layout.extra.index(kinds[0])] / high, 0, 1) if kinds else np.ones(drawn.shape[:2])
    )
    if kinds == [1]:
        levels = np.divide(levels, alpha[..., None], out=np.zeros_like(levels), where=alpha[..., None] > 0)
    if layout.photometric == WHITE_IS_ZERO:
        levels = 1 - levels
    if layout.photometric == CMYK:
        inks = np.rint(255 * levels).astype(np.uint8)
        levels = np.asarray(Image.frombytes("CMYK", (WIDTH, HEIGHT), inks.tobytes()).convert("RGB")) / 255
    shown: npt.NDArray[np.float64] = 255 * np.clip(levels, 0, 1) * np.rint(255 * alpha)[..., None] / 255
    return np.broadcast_to(shown, (HEIGHT, WIDTH, 3))


@pytest.mark.parametrize(("layout", "channels"), LAYOUTS, ids=[name(layout) for layout, _ in LAYOUTS])
def test_every_layout_is_decoded_to_its_picture(layout: Layout, channels: int) -> None:
    drawn = samples(layout, channels)

    decoded = decode(write_tiff(drawn, layout), background=(0, 0, 0))

    # Half a level for each of three roundings: of the color, of alpha times the color, of the result.
    assert np.abs(decoded.pixels - expected(drawn, layout)).max() <= 1.5


def test_the_matrix_has_some_400_files() -> None:
    assert len({name(layout) for layout, _ in LAYOUTS}) == len(LAYOUTS) > 380


@pytest.mark.parametrize(
    ("layout", "channels"),
    [(layout, channels) for layout, channels in LAYOUTS if layout.bits in (8, 16, 32, 64)],
    ids=[name(layout) for layout, _ in LAYOUTS if layout.bits in (8, 16, 32, 64)],
)
def test_tifffile_reads_the_same_samples(layout: Layout, channels: int) -> None:
    """Without its codecs, tifffile reads two compressions."""
    tifffile = pytest.importorskip("tifffile")
    drawn = samples(layout, channels)
    compression = DEFLATE if layout.predictor == 2 else NONE
    layout = replace(
        layout, compression=compression, predictor=min(layout.predictor, 2) if compression == DEFLATE else 1
    )

    read = tifffile.imread(io.BytesIO(write_tiff(drawn, layout)))

    whole = read if layout.planar == 1 or channels == 1 else read.transpose(1, 2, 0)
    np.testing.assert_array_equal(whole.reshape(drawn.shape), drawn.astype(whole.dtype))


# libvips returns other samples for planes of gray with an extra channel and for planes of less than 8 bits, and refuses
# tiles in planes and color of less than 8 bits.
READ_BY_LIBVIPS = [
    (layout, channels)
    for layout, channels in LAYOUTS
    if layout.kind == UINT and layout.bits in (8, 16) and layout.planar == 1 and not any(layout.extra)
]


@pytest.mark.parametrize(("layout", "channels"), READ_BY_LIBVIPS, ids=[name(layout) for layout, _ in READ_BY_LIBVIPS])
def test_libvips_shows_the_same_picture_within_a_level(layout: Layout, channels: int) -> None:
    file = write_tiff(samples(layout, channels), layout)
    colors = {CMYK: 4, RGB: 3}.get(layout.photometric, 1)

    read = pyvips.Image.tiffload_buffer(file).numpy().reshape(HEIGHT, WIDTH, channels)[..., :colors]
    theirs = (read >> (layout.bits - 8)).astype(np.uint8)

    if layout.photometric == CMYK:
        theirs = np.asarray(Image.frombytes("CMYK", (WIDTH, HEIGHT), theirs.tobytes()).convert("RGB"))
    # libvips cuts the low byte off, where rounding may go up; a color of CMYK depends on two inks.
    assert np.abs(decode(file).pixels.astype(int) - theirs).max() <= (2 if layout.photometric == CMYK else 1)


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
@pytest.mark.parametrize("tile", [0, 16])
@pytest.mark.parametrize("scale", [256, 257, 1], ids=["times 256", "times 257", "8-bit palette"])
def test_a_palette_of_any_scale_gives_its_colors(bits: int, tile: int, scale: int) -> None:
    source = np.random.default_rng(bits)
    palette = source.integers(0, 256, (1 << bits, 3))
    palette[-1] = 255
    indices = source.integers(0, 1 << bits, (HEIGHT, WIDTH, 1))
    tags = {320: ("H", (palette.T.reshape(-1) * scale).tolist())}

    decoded = decode(write_tiff(indices, Layout(bits=bits, photometric=PALETTE, tile=tile, tags=tags)))

    np.testing.assert_array_equal(decoded.pixels, palette[indices[..., 0]])


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_palette_of_16_bits_gives_its_colors(order: str) -> None:
    palette = np.random.default_rng(0).integers(0, 256, (1 << 16, 3))
    indices = np.random.default_rng(1).integers(0, 1 << 16, (HEIGHT, WIDTH, 1))
    tags = {320: ("H", (palette.T.reshape(-1) * 257).tolist())}

    decoded = decode(write_tiff(indices, Layout(bits=16, photometric=PALETTE, order=order, tags=tags)))

    np.testing.assert_array_equal(decoded.pixels, palette[indices[..., 0]])


@pytest.mark.parametrize("compression", [NONE, LZW])
def test_tiles_whose_places_stand_in_the_fields_of_strips_are_read(compression: int) -> None:
    """The file quad-tile.tif of libtiff's samples is such a one."""
    drawn = np.random.default_rng(1).integers(0, 256, (HEIGHT, WIDTH, 3))
    file = write_tiff(drawn, Layout(tile=16, compression=compression))
    moved = file.replace(struct.pack("<HH", 324, 4), struct.pack("<HH", 273, 4))
    moved = moved.replace(struct.pack("<HH", 325, 4), struct.pack("<HH", 279, 4))

    np.testing.assert_array_equal(decode(moved).pixels, drawn)


@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("tile", [0, 16])
@pytest.mark.parametrize("order", ["<", ">"])
def test_webp_in_strips_and_tiles_is_read(channels: int, tile: int, order: str) -> None:
    drawn = np.random.default_rng(channels).integers(0, 256, (HEIGHT, WIDTH, channels)).astype(np.uint8)
    file = _webp_tiff(drawn, Layout(order=order, tile=tile, extra=(2,) * (channels - 3)))

    decoded = decode(file, background=(0, 0, 0))

    alpha = drawn[..., 3:] / 255 if channels == 4 else 1
    assert np.abs(decoded.pixels - drawn[..., :3] * alpha).max() <= 1


def test_an_opaque_webp_may_fill_four_channels() -> None:
    drawn = np.full((HEIGHT, WIDTH, 4), 255, np.uint8)
    drawn[..., :3] = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3))
    np.testing.assert_array_equal(decode(_webp_tiff(drawn, Layout(extra=(2,)))).pixels, drawn[..., :3])


def test_a_strip_of_webp_with_another_size_is_refused() -> None:
    drawn = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    file = _webp_tiff(drawn, Layout(rows=7)).replace(
        struct.pack("<HHII", 278, 4, 1, 7), struct.pack("<HHII", 278, 4, 1, 8)
    )
    with pytest.raises(BadImage, match="strip"):
        decode(file)


def _webp_tiff(drawn: npt.NDArray[np.uint8], layout: Layout) -> bytes:
    side = layout.tile
    if side:
        padded = np.pad(drawn, ((0, -HEIGHT % side), (0, -WIDTH % side), (0, 0)))
        blocks = [
            padded[top : top + side, left : left + side]
            for top in range(0, HEIGHT, side)
            for left in range(0, WIDTH, side)
        ]
    else:
        blocks = [drawn[top : top + layout.rows] for top in range(0, HEIGHT, layout.rows)]
    coded = []
    for block in blocks:
        buffer = io.BytesIO()
        Image.fromarray(block).save(buffer, "WEBP", lossless=True, exact=True)
        coded.append(buffer.getvalue())
    channels = drawn.shape[2]
    sizes = {322: ("I", [side]), 323: ("I", [side])} if side else {278: ("I", [layout.rows])}
    tags = {256: ("I", [WIDTH]), 257: ("I", [HEIGHT]), 258: ("H", [8] * channels), 259: ("H", [50001])}
    tags |= {262: ("H", [RGB]), 277: ("H", [channels]), 284: ("H", [1]), **sizes}
    return assemble(coded, tags | ({338: ("H", list(layout.extra))} if layout.extra else {}), layout)


def lab_of(colors: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    source = pyvips.Image.new_from_array(colors).copy(interpretation="srgb")
    return np.asarray(source.colourspace("lab").numpy(), np.float64)


@pytest.mark.parametrize("planar", [1, 2])
@pytest.mark.parametrize(
    ("photometric", "bits"), [(CIELAB, 8), (CIELAB, 16), (ICCLAB, 8), (ICCLAB, 16), (CIELAB, 32)], ids=str
)
def test_lab_becomes_the_color_that_libvips_converted(photometric: int, bits: int, planar: int) -> None:
    """A step of 8-bit L*a*b* is many levels of a dark, saturated color."""
    colors = np.random.default_rng(1).integers(0, 256, (HEIGHT, WIDTH, 3)).astype(np.uint8)
    lab = lab_of(colors)
    unit, white = 2 ** (bits - 8), 65280 if (photometric, bits) == (ICCLAB, 16) else 2**bits - 1
    coded = np.concatenate(
        [lab[..., :1] * white / 100, (lab[..., 1:] + (128 if photometric == ICCLAB else 0)) * unit], -1
    )
    stored = lab if bits == 32 else np.rint(coded).astype(np.int64) % (1 << bits)

    kind = FLOAT if bits == 32 else UINT
    decoded = decode(write_tiff(stored, Layout(bits=bits, kind=kind, photometric=photometric, planar=planar)))

    difference = np.abs(decoded.pixels.astype(int) - colors)
    assert difference.max() <= (20 if bits == 8 else 1)
    assert difference.mean() < (1.5 if bits == 8 else 0.1)


def photo() -> npt.NDArray[np.uint8]:
    x, y = np.meshgrid(np.arange(75), np.arange(51))
    return np.stack([3 * x, 5 * y, 255 - 2 * x - y], axis=-1).astype(np.uint8)


JPEGS = [
    {"compression": "jpeg", "Q": 90},
    {"compression": "jpeg", "Q": 70},
    {"compression": "jpeg", "Q": 70, "tile": True, "tile_width": 32, "tile_height": 16},
    {"compression": "jpeg", "bigtiff": True},
    {"compression": "deflate", "predictor": "horizontal", "tile": True},
    {"compression": "lzw", "pyramid": True, "tile": True},
]


@pytest.mark.parametrize("options", JPEGS, ids=str)
@pytest.mark.parametrize("space", ["srgb", "b-w", "cmyk", "labs", "rgb16"])
def test_a_file_of_libvips_is_read_as_libvips_reads_it(options: dict[str, object], space: str) -> None:
    if options["compression"] == "jpeg" and space in ("labs", "rgb16"):
        pytest.skip("JPEG in TIFF has 8 bits")
    source = pyvips.Image.new_from_array(photo()).copy(interpretation="srgb").colourspace(space)
    file = source.tiffsave_buffer(keep="none", **options)

    read = pyvips.Image.tiffload_buffer(file)
    if space == "cmyk":
        theirs = np.asarray(Image.frombytes("CMYK", (75, 51), read.numpy().tobytes()).convert("RGB"))
    else:
        theirs = read.colourspace("b-w" if space == "b-w" else "srgb").numpy()

    assert np.abs(decode(file).pixels.astype(int) - theirs.reshape(51, 75, -1)).max() <= 1


@pytest.mark.parametrize("mode", ["RGB", "L", "1", "CMYK", "YCbCr", "LA", "RGBA", "P"])
@pytest.mark.parametrize("compression", [None, "tiff_lzw", "packbits", "tiff_adobe_deflate", "zstd", "lzma", "jpeg"])
def test_a_file_of_pillow_is_read_as_pillow_converts_it(mode: str, compression: str | None) -> None:
    if compression == "jpeg" and mode in ("1", "P"):
        pytest.skip("JPEG has no such samples")
    source = Image.fromarray(photo()).convert(mode)
    buffer = io.BytesIO()
    source.save(buffer, "TIFF", **({"compression": compression} if compression else {}))

    decoded = decode(buffer.getvalue()).pixels.astype(int)

    difference = np.abs(decoded - np.asarray(source.convert("RGB")))
    assert difference.max() <= (40 if compression == "jpeg" else 3 if mode == "YCbCr" else 0)
    assert difference.mean() < 4


@pytest.mark.parametrize("compression", ["group3", "group4", "tiff_ccitt"])
def test_a_fax_is_read(compression: str) -> None:
    source, buffer = Image.fromarray(photo()).convert("1"), io.BytesIO()
    source.save(buffer, "TIFF", compression=compression)

    np.testing.assert_array_equal(decode(buffer.getvalue()).pixels, np.asarray(source.convert("RGB")))


@pytest.mark.parametrize("bits", [1, 8, 12, 16])
@pytest.mark.parametrize("compression", [NONE, LZW, PACKBITS, DEFLATE])
def test_bytes_with_the_lowest_bit_first_are_turned(bits: int, compression: int) -> None:
    layout = Layout(bits=bits, photometric=BLACK_IS_ZERO, compression=compression)
    drawn = samples(layout, 1)

    turned = decode(write_tiff(drawn, replace(layout, low_bit_first=True)))

    np.testing.assert_array_equal(turned.pixels, decode(write_tiff(drawn, layout)).pixels)


REFUSED: dict[str, tuple[Layout, int]] = {
    "complex": (Layout(bits=64, tags={339: ("H", [6, 6, 6])}), 3),
    "8, 8, 16 bits": (Layout(tags={258: ("H", [8, 8, 16])}), 3),
    "float samples of 24 bits": (Layout(bits=24, tags={339: ("H", [3, 3, 3])}), 3),
    "unsigned samples of 48 bits": (Layout(bits=48), 3),
    "17 channels": (Layout(), 17),
    "old-style JPEG": (Layout(tags={259: ("H", [6])}), 3),
    "WebP compression of this kind": (Layout(bits=16, tags={259: ("H", [50001])}), 3),
    "JPEG 2000": (Layout(tags={259: ("H", [34712])}), 3),
    "compression 4242": (Layout(tags={259: ("H", [4242])}), 3),
    "transparency mask": (Layout(photometric=4), 1),
    "LogLuv": (Layout(photometric=32845), 3),
    "sensor": (Layout(photometric=32803), 1),
    "color space 77": (Layout(photometric=77), 1),
    "inks other than CMYK": (Layout(photometric=CMYK, tags={332: ("H", [2])}), 4),
    "palette of more than 16 bits": (Layout(photometric=PALETTE, bits=24), 1),
    "predictor 2 at 12 bits": (Layout(bits=12, compression=DEFLATE, tags={317: ("H", [2])}), 3),
    "predictor 3 at 16 bits": (Layout(bits=16, compression=DEFLATE, tags={317: ("H", [3])}), 3),
    "predictor 9": (Layout(compression=DEFLATE, tags={317: ("H", [9])}), 3),
    "fax compression of color": (Layout(tags={259: ("H", [4])}), 3),
    "YCbCr": (Layout(photometric=6, planar=2), 3),
    r"L\*a\*b\* at this depth": (Layout(photometric=CIELAB, bits=12), 3),
    "depth under its compression": (Layout(bits=12, tags={259: ("H", [7])}), 3),
}


@pytest.mark.parametrize("reason", REFUSED)
def test_a_layout_that_is_not_read_is_named(reason: str) -> None:
    layout, channels = REFUSED[reason]

    with pytest.raises(UnsupportedFormat, match=f"{reason}.*Save it again"):
        decode(write_tiff(np.zeros((HEIGHT, WIDTH, channels), np.uint8), layout))
