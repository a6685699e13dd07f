"""Damage beside the picture of a PNG costs a note, damage of it a refusal; its colors are those of browsers."""

import io
import struct
import zlib
from collections.abc import Sequence

import numpy as np
import pytest
from PIL import Image

from models.decoding.decode import decode
from models.errors import BadImage
from tests.models.icc_profiles import rgb_profile
from tests.models.image_files import exif, only_color, png_file, tiff_of

SIGNATURE = b"\x89PNG\r\n\x1a\n"
COLOR = (30, 140, 220)
ICC = b"name\0\0" + zlib.compress(rgb_profile(red=b"b", blue=b"r"))
SRGB_CHROMATICITIES = (31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000)


def chunk(kind: bytes, content: bytes, *, damaged: bool = False) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content) ^ damaged)


def of_chunks(*chunks: bytes) -> bytes:
    return SIGNATURE + b"".join(chunks)


def header(size: tuple[int, int] = (1, 1), color_type: int = 2) -> bytes:
    return chunk(b"IHDR", struct.pack(">IIBBBBB", *size, 8, color_type, 0, 0, 0))


def rows(*colors: Sequence[int], width: int = 1) -> bytes:
    flat = [bytes(color) for color in colors]
    return zlib.compress(b"".join(b"\0" + b"".join(flat[at : at + width]) for at in range(0, len(flat), width)))


IMAGE, END = chunk(b"IDAT", rows(COLOR)), chunk(b"IEND", b"")


# Damage

WHOLE = {
    b"tEXt": b"Title\0text",
    b"zTXt": b"Title\0\0" + zlib.compress(b"text"),
    b"iTXt": b"Title\0\0\0\0\0text",
    b"iCCP": ICC,
    b"gAMA": struct.pack(">I", 100_000),
    b"cHRM": struct.pack(">8I", *SRGB_CHROMATICITIES),
    b"sRGB": b"\0",
    b"cICP": bytes([1, 8, 0, 1]),
    b"tRNS": struct.pack(">3H", *COLOR),
    b"pHYs": struct.pack(">IIB", 1, 1, 1),
    b"tIME": bytes(7),
    b"eXIf": tiff_of(exif(3)),
    b"acTL": struct.pack(">II", 2, 0),
    b"fcTL": struct.pack(">5IHHBB", 0, 1, 1, 0, 0, 1, 1, 0, 0),
    b"bKGD": bytes(6),
    b"sBIT": b"\x08\x08\x08",
    b"prVt": b"private",
}
STRUCTURED = (b"iCCP", b"gAMA", b"cHRM", b"sRGB", b"cICP", b"tRNS", b"pHYs", b"tIME", b"acTL", b"fcTL")


@pytest.mark.parametrize("kind", WHOLE, ids=bytes.decode)
@pytest.mark.parametrize("place", ["before", "after"])
def test_a_chunk_beside_the_picture_with_a_wrong_crc_is_skipped(kind: bytes, place: str) -> None:
    side = chunk(kind, WHOLE[kind], damaged=True)

    decoded = decode(of_chunks(header(), *([side, IMAGE] if place == "before" else [IMAGE, side]), END))

    assert only_color(decoded) == list(COLOR)
    assert decoded.notes == (f"damaged PNG chunks skipped: {kind.decode()}",)


@pytest.mark.parametrize("kind", STRUCTURED, ids=bytes.decode)
@pytest.mark.parametrize("length", [0, 1, 2, 3])
def test_a_chunk_beside_the_picture_that_is_too_short_is_skipped(kind: bytes, length: int) -> None:
    if len(WHOLE[kind]) <= length:
        pytest.skip("not shorter")

    decoded = decode(of_chunks(header(), chunk(kind, WHOLE[kind][:length]), IMAGE, END))

    assert only_color(decoded) == list(COLOR)
    assert decoded.notes == (f"damaged PNG chunks skipped: {kind.decode()}",)


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        (b"zTXt", b"Title\0\1" + zlib.compress(b"text")),
        (b"iCCP", b"name\0\1" + zlib.compress(rgb_profile())),
        (b"iCCP", ICC[:-40]),
        (b"iCCP", b"name\0\0nonsense"),
        (b"iCCP", b"name\0\0" + zlib.compress(bytes(5_000_000))),
        (b"gAMA", bytes(4)),
        (b"cHRM", bytes(32)),
        (b"cHRM", struct.pack(">8I", *[30_000] * 8)),
        (b"cHRM", struct.pack(">8I", *[4_000_000_000] * 8)),
        (b"cICP", bytes([99, 13, 0, 1])),
        (b"cICP", bytes([1, 13, 5, 1])),
        (b"sRGB", b"\x09"),
        (b"acTL", bytes(8)),
        (b"fcTL", struct.pack(">5IHHBB", 0, 2, 1, 0, 0, 1, 1, 0, 0)),
        (b"fcTL", struct.pack(">5IHHBB", 0, 1, 1, 1, 0, 1, 1, 0, 0)),
        (b"fdAT", b"\0"),
    ],
    ids=lambda value: value.decode("latin-1")[:8] if isinstance(value, bytes) else None,
)
def test_a_chunk_beside_the_picture_with_a_bad_content_is_skipped(kind: bytes, content: bytes) -> None:
    decoded = decode(of_chunks(header(), chunk(kind, content), IMAGE, END))

    assert only_color(decoded) == list(COLOR)
    assert decoded.notes == (f"damaged PNG chunks skipped: {kind.decode()}",)


@pytest.mark.parametrize(
    "side",
    [
        (b"zTXt", b"Title\0\0" + zlib.compress(bytes(2_000_000))),
        (b"tEXt", b"Title\0" + b"x" * 2_000_000),
        (b"iTXt", b"Title\0\1\0\0\0" + zlib.compress(bytes(2_000_000))),
        (b"tEXt", b"no separator"),
        (b"eXIf", b"nonsense"),
        (b"gAMA", struct.pack(">I", 45455)),
    ],
    ids=lambda side: side[0].decode(),
)
def test_large_or_odd_texts_cost_nothing(side: tuple[bytes, bytes]) -> None:
    decoded = decode(of_chunks(header(), chunk(*side), IMAGE, END))

    assert (only_color(decoded), decoded.notes) == (list(COLOR), ())


def test_a_profile_of_two_megabytes_is_used() -> None:
    large = rgb_profile(red=b"b", blue=b"r") + np.random.default_rng(0).bytes(2_000_000)

    decoded = decode(of_chunks(header(), chunk(b"iCCP", b"name\0\0" + zlib.compress(large)), IMAGE, END))

    assert decoded.notes == ("ICC profile converted to sRGB",)


def test_a_note_names_few_chunks() -> None:
    sides = [chunk(kind, WHOLE[kind], damaged=True) for kind in WHOLE]

    assert decode(of_chunks(header(), *sides, *sides, IMAGE, END)).notes == (
        "damaged PNG chunks skipped: tEXt, zTXt, iTXt, iCCP, ...",
    )


PALETTE = chunk(b"PLTE", bytes(COLOR))


@pytest.mark.parametrize(
    "chunks",
    [
        [chunk(b"IHDR", header()[8:21], damaged=True), IMAGE, END],
        [header(), chunk(b"IDAT", rows(COLOR), damaged=True), END],
        [header(color_type=3), chunk(b"PLTE", bytes(COLOR), damaged=True), chunk(b"IDAT", rows([0])), END],
        [header(color_type=3), chunk(b"PLTE", bytes(4)), chunk(b"IDAT", rows([0])), END],
        [header(color_type=3), chunk(b"PLTE", bytes(3 * 257)), chunk(b"IDAT", rows([0])), END],
        [header(), IMAGE[:-1]],
        [header(), IMAGE[:-6]],
        [header(), END],
    ],
    ids=["IHDR", "IDAT", "PLTE", "length of PLTE", "long PLTE", "cut CRC", "cut IDAT", "no IDAT"],
)
def test_damage_of_the_picture_is_refused(chunks: list[bytes]) -> None:
    with pytest.raises(BadImage):
        decode(of_chunks(*chunks))


@pytest.mark.parametrize("end", [b"", END[:5], b"garbage", chunk(b"tEXt", b"cut")[:-5]])
def test_a_whole_picture_without_its_end_is_decoded(end: bytes) -> None:
    assert only_color(decode(of_chunks(header(), IMAGE) + end)) == list(COLOR)


def test_transparency_longer_than_the_palette_is_skipped() -> None:
    file = of_chunks(header(color_type=3), PALETTE, chunk(b"tRNS", bytes(2)), chunk(b"IDAT", rows([0])), END)

    assert decode(file).notes == ("damaged PNG chunks skipped: tRNS",)


SKIPPED = "damaged PNG chunks skipped: "


@pytest.mark.parametrize(
    ("kind", "valid", "damaged"),
    [
        (b"pHYs", [bytes(9)], [bytes(8), bytes(10)]),
        (b"tIME", [bytes(7)], [bytes(6), bytes(8)]),
        (b"sRGB", [b"\0", b"\3"], [b"\4", b"\0\0", b""]),
        (b"gAMA", [struct.pack(">I", 45455)], [struct.pack(">I", 1000), struct.pack(">I", 10_000_000), bytes(5)]),
        (b"acTL", [struct.pack(">II", 1, 0)], [struct.pack(">II", 0, 0), bytes(9)]),
        (b"fdAT", [bytes(4)], [bytes(3)]),
        (b"zTXt", [b"n" * 79 + b"\0\0x"], [b"n" * 80 + b"\0\0x", b"n" * 79 + b"\0\1x"]),
        (
            b"fcTL",
            [struct.pack(">5IHHBB", 0, 1, 1, 0, 0, 1, 1, 0, 0)],
            [struct.pack(">5IHHBB", 0, *box, 1, 1, 0, 0) for box in ((0, 1, 0, 0), (1, 0, 0, 0), (1, 1, 0, 1))],
        ),
        (b"tRNS", [struct.pack(">3H", 1, 2, 3)], [bytes(2), bytes(5), bytes(7), b""]),
    ],
    ids=lambda value: value.decode() if isinstance(value, bytes) else None,
)
def test_the_nearest_valid_content_of_a_chunk_is_taken(kind: bytes, valid: list[bytes], damaged: list[bytes]) -> None:
    for content in valid:
        assert decode(of_chunks(header(), chunk(kind, content), IMAGE, END)).notes == ()
    for content in damaged:
        assert decode(of_chunks(header(), chunk(kind, content), IMAGE, END)).notes == (SKIPPED + kind.decode(),)


@pytest.mark.parametrize(("gamma", "shown"), [(1001, "near black"), (9_999_999, "near white")])
def test_an_extreme_gamma_is_still_a_gamma(gamma: int, shown: str) -> None:
    decoded = decode(of_chunks(header(), chunk(b"gAMA", struct.pack(">I", gamma)), IMAGE, END))

    assert decoded.notes == ("gAMA and cHRM converted to sRGB",)
    assert max(only_color(decoded)) < 10 if shown == "near black" else min(only_color(decoded)) > 245


@pytest.mark.parametrize(("name", "valid"), [(b"", False), (b"n", True), (b"n" * 79, True), (b"n" * 80, False)])
def test_the_name_of_a_profile_has_1_to_79_bytes(name: bytes, valid: bool) -> None:
    profile = name + b"\0\0" + zlib.compress(rgb_profile(red=b"b", blue=b"r"))

    notes = decode(of_chunks(header(), chunk(b"iCCP", profile), IMAGE, END)).notes

    assert notes == (("ICC profile converted to sRGB",) if valid else (f"{SKIPPED}iCCP",))


@pytest.mark.parametrize(("entries", "valid"), [(0, False), (1, True), (256, True), (257, False)])
def test_a_palette_has_1_to_256_entries(entries: int, valid: bool) -> None:
    file = of_chunks(header(color_type=3), chunk(b"PLTE", bytes(COLOR) * entries), chunk(b"IDAT", rows([0])), END)

    if valid:
        assert only_color(decode(file)) == list(COLOR)
    else:
        with pytest.raises(BadImage):
            decode(file)


@pytest.mark.parametrize(("levels", "valid"), [(0, False), (1, True), (2, True), (3, False)])
def test_a_palette_has_as_many_levels_of_alpha_as_entries_at_most(levels: int, valid: bool) -> None:
    palette = chunk(b"PLTE", bytes(COLOR) * 2)
    parts = [palette, chunk(b"tRNS", b"\xff" * levels), chunk(b"IDAT", rows([0])), END]

    assert decode(of_chunks(header(color_type=3), *parts)).notes == (() if valid else (f"{SKIPPED}tRNS",))


@pytest.mark.parametrize(("color_type", "length"), [(0, 2), (2, 6)])
def test_the_transparent_color_has_two_bytes_for_each_channel(color_type: int, length: int) -> None:
    for size in range(8):
        row = rows([9] if color_type == 0 else [9, 9, 9])
        file = of_chunks(header(color_type=color_type), chunk(b"tRNS", bytes(size)), chunk(b"IDAT", row), END)
        assert decode(file).notes == (() if size == length else (f"{SKIPPED}tRNS",))


@pytest.mark.parametrize(("color_type", "pixel"), [(4, [9, 255]), (6, [9, 9, 9, 255])])
@pytest.mark.parametrize("length", [2, 6])
def test_a_picture_with_alpha_has_no_transparent_color(color_type: int, pixel: list[int], length: int) -> None:
    parts = [chunk(b"tRNS", bytes(length)), chunk(b"IDAT", rows(pixel)), END]

    decoded = decode(of_chunks(header(color_type=color_type), *parts))

    assert (only_color(decoded), decoded.notes) == ([9, 9, 9], (f"{SKIPPED}tRNS",))


def test_a_chunk_of_which_only_the_head_is_there_is_damaged() -> None:
    assert decode(of_chunks(header(), IMAGE) + chunk(b"tEXt", b"")[:8]).notes == (f"{SKIPPED}tEXt",)
    assert decode(of_chunks(header(), IMAGE) + chunk(b"tEXt", b"")[:7]).notes == ()
    with pytest.raises(BadImage, match="ends before"):
        decode(of_chunks(header(), IMAGE) + chunk(b"IDAT", b"")[:8])


def test_a_note_names_four_chunks_and_each_once() -> None:
    four = [chunk(kind, b"", damaged=True) for kind in (b"tEXt", b"zTXt", b"iTXt", b"prVt", b"tEXt")]

    assert decode(of_chunks(header(), *four, IMAGE, END)).notes == (f"{SKIPPED}tEXt, zTXt, iTXt, prVt",)
    assert decode(of_chunks(header(), chunk(b"a1b2", b"", damaged=True), IMAGE, END)).notes == (f"{SKIPPED}?",)


def test_one_frame_is_no_animation() -> None:
    controls = [chunk(b"acTL", struct.pack(">II", 1, 0)), chunk(b"fcTL", WHOLE[b"fcTL"])]

    assert decode(of_chunks(header(), *controls, IMAGE, END)).notes == ()
    assert decode(of_chunks(header(), chunk(b"acTL", WHOLE[b"acTL"]), IMAGE, END)).notes == ()  # without any frame


# Colors


def color_of(*sides: tuple[bytes, bytes], color: Sequence[int] = COLOR) -> tuple[list[int], tuple[str, ...]]:
    decoded = decode(of_chunks(header(), *(chunk(*side) for side in sides), chunk(b"IDAT", rows(color)), END))
    return only_color(decoded), decoded.notes


LINEAR = (b"gAMA", struct.pack(">I", 100_000))
SWAPPED = (31270, 32900, 15000, 6000, 30000, 60000, 64000, 33000)  # red and blue exchanged


def test_linear_light_is_brightened_as_in_browsers() -> None:
    color, notes = color_of(LINEAR)

    assert np.abs(np.subtract(color, [96, 196, 239])).max() <= 1  # the curve of sRGB at 30, 140 and 220 / 255
    assert notes == ("gAMA and cHRM converted to sRGB",)


def test_chromaticities_count_with_gamma() -> None:
    swapped = (b"cHRM", struct.pack(">8I", *SWAPPED))

    assert np.abs(np.subtract(color_of(LINEAR, swapped)[0], [239, 196, 96])).max() <= 1
    assert color_of(swapped) == (list(COLOR), ())  # alone they count for nothing


@pytest.mark.parametrize("gamma", [45455, 45000, 46000, 44500])
def test_the_usual_gamma_means_srgb(gamma: int) -> None:
    usual = (b"gAMA", struct.pack(">I", gamma)), (b"cHRM", struct.pack(">8I", *SRGB_CHROMATICITIES))

    assert color_of(*usual) == color_of(usual[0]) == (list(COLOR), ())


def test_each_chunk_of_color_counts_before_the_next() -> None:
    """cICP over iCCP over sRGB over gAMA, in whichever order they stand."""
    code_points, profile, srgb = (b"cICP", bytes([1, 13, 0, 1])), (b"iCCP", ICC), (b"sRGB", b"\0")
    swapped = color_of(profile)

    assert swapped[1] == ("ICC profile converted to sRGB",) and swapped[0] != list(COLOR)
    assert color_of(LINEAR, srgb) == color_of(srgb, LINEAR) == (list(COLOR), ())
    assert color_of(LINEAR, srgb, profile) == color_of(profile, srgb, LINEAR) == swapped
    assert color_of(LINEAR, srgb, profile, code_points) == color_of(code_points, profile) == (list(COLOR), ())


def test_a_damaged_chunk_of_color_leaves_the_next_one() -> None:
    file = of_chunks(header(), chunk(b"iCCP", ICC, damaged=True), chunk(*LINEAR), IMAGE, END)

    assert decode(file).notes == ("damaged PNG chunks skipped: iCCP", "gAMA and cHRM converted to sRGB")


@pytest.mark.parametrize(
    ("code_points", "color", "shown"),
    [
        ((1, 8, 0, 1), COLOR, [96, 196, 239]),
        ((12, 13, 0, 1), (128, 128, 128), [128, 128, 128]),
        ((12, 13, 0, 1), (200, 100, 100), [213, 95, 99]),  # Display P3, by the published matrices
        ((9, 1, 0, 1), (0, 0, 0), [0, 0, 0]),
    ],
)
def test_code_points_are_converted(code_points: tuple[int, ...], color: Sequence[int], shown: list[int]) -> None:
    decoded, notes = color_of((b"cICP", bytes(code_points)), color=color)

    assert np.abs(np.subtract(decoded, shown)).max() <= 3
    assert notes == ("cICP color space converted to sRGB",)


def test_gray_has_a_gamma_too() -> None:
    decoded = decode(png_file((1, 1), 8, 0, b"\0\x1e", LINEAR))

    assert np.abs(np.subtract(only_color(decoded), [96] * 3)).max() <= 1


# Orientation


@pytest.mark.parametrize("kind", ["eXIf", "tEXt", "zTXt"])
def test_exif_turns_the_picture(kind: str) -> None:
    tags = tiff_of(exif(3))
    text = b"\nexif\n  %d\n%s\n" % (len(tags), tags.hex().encode())
    content = {
        "eXIf": tags,
        "tEXt": b"Raw profile type exif\0" + text,
        "zTXt": b"Raw profile type exif\0\0" + zlib.compress(text),
    }

    picture = chunk(b"IDAT", rows((1, 2, 3), (4, 5, 6), width=2))
    decoded = decode(of_chunks(header((2, 1)), chunk(kind.encode(), content[kind]), picture, END))

    assert decoded.pixels[0].tolist() == [[4, 5, 6], [1, 2, 3]]
    assert decoded.notes == ("EXIF orientation applied",)


XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    b'<rdf:Description xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="6"/></rdf:RDF></x:xmpmeta>'
)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF"])
def test_the_orientation_of_xmp_counts_for_nothing(kind: str) -> None:
    if kind == "PNG":
        file = of_chunks(header(), chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + XMP), IMAGE, END)
        assert decode(file).notes == ()
        return
    buffer = io.BytesIO()
    Image.new("RGB", (4, 2)).save(buffer, kind, **({"tiffinfo": {700: XMP}} if kind == "TIFF" else {"xmp": XMP}))

    decoded = decode(buffer.getvalue())

    assert (decoded.pixels.shape, decoded.notes) == ((2, 4, 3), ())


# Animations


def frame(sequence: int, box: tuple[int, int, int, int]) -> bytes:
    left, top, width, height = box
    return chunk(b"fcTL", struct.pack(">5IHHBB", sequence, width, height, left, top, 1, 1, 0, 0))


def frame_data(sequence: int, content: bytes) -> bytes:
    return chunk(b"fdAT", struct.pack(">I", sequence) + content)


def control(frames: int) -> bytes:
    return chunk(b"acTL", struct.pack(">II", frames, 0))


FRAMES = control(2)
RED, GREEN, WHITE = (255, 0, 0), (0, 255, 0), [255, 255, 255]


def test_the_image_is_shown_where_the_animation_begins_with_it() -> None:
    second = [frame(1, (0, 0, 1, 1)), frame_data(2, rows(GREEN))]

    decoded = decode(of_chunks(header(), FRAMES, frame(0, (0, 0, 1, 1)), IMAGE, *second, END))

    assert (only_color(decoded), decoded.notes) == (list(COLOR), ("first of several frames",))


def test_the_first_frame_is_shown_where_the_image_is_no_part_of_the_animation() -> None:
    data = rows(RED)
    first = [frame(0, (1, 0, 1, 1)), frame_data(1, data[:5]), frame_data(2, data[5:])]
    image = chunk(b"IDAT", rows(COLOR, COLOR, width=2))

    second = [frame(3, (0, 0, 1, 1)), frame_data(4, rows(GREEN))]

    decoded = decode(of_chunks(header((2, 1)), FRAMES, image, *first, *second, END))

    assert decoded.pixels[0].tolist() == [WHITE, [255, 0, 0]]
    assert decoded.notes == ("first of several frames", "alpha composited over #ffffff")


@pytest.mark.parametrize("color_type", [0, 2, 3])
def test_the_transparent_color_counts_in_a_frame(color_type: int) -> None:
    content, key, palette = {
        0: ([[7], [9]], struct.pack(">H", 7), []),
        2: ([[7, 7, 7], [9, 9, 9]], struct.pack(">3H", 7, 7, 7), []),
        3: ([[0], [1]], b"\0", [chunk(b"PLTE", bytes([7, 7, 7, 9, 9, 9]))]),
    }[color_type]
    image = chunk(b"IDAT", rows(*[content[0]] * 3, width=3))
    parts = [
        *palette,
        chunk(b"tRNS", key),
        control(1),
        image,
        frame(0, (1, 0, 2, 1)),
        frame_data(1, rows(*content, width=2)),
    ]

    decoded = decode(of_chunks(header((3, 1), color_type), *parts, END), background=(1, 1, 1))

    assert decoded.pixels[0].tolist() == [[1, 1, 1], [1, 1, 1], [9, 9, 9]]


@pytest.mark.parametrize("damage", [frame(0, (0, 0, 5, 5)), chunk(b"fdAT", b"\0"), chunk(b"acTL", b"")])
def test_a_damaged_animation_leaves_the_image(damage: bytes) -> None:
    first = [frame(0, (0, 0, 1, 1)), frame_data(1, rows(RED))]

    decoded = decode(of_chunks(header(), FRAMES, IMAGE, *first, damage, END))

    assert only_color(decoded) == list(COLOR)
    assert len(decoded.notes) == 1 and decoded.notes[0].startswith("damaged PNG chunks skipped")


@pytest.mark.parametrize("controls", [[IMAGE, FRAMES], [FRAMES, IMAGE, FRAMES], [FRAMES, FRAMES, IMAGE]])
def test_a_control_chunk_behind_the_image_or_a_second_one_leaves_the_image(controls: list[bytes]) -> None:
    first = [frame(0, (0, 0, 1, 1)), frame_data(1, rows(RED))]

    decoded = decode(of_chunks(header(), *controls, *first, END))

    assert (only_color(decoded), decoded.notes) == (list(COLOR), ())


def test_a_frame_with_missing_rows_is_refused() -> None:
    image = chunk(b"IDAT", rows(COLOR, COLOR))
    first = [frame(0, (0, 0, 1, 2)), frame_data(1, rows(RED))]

    with pytest.raises(BadImage, match="ends before"):
        decode(of_chunks(header((1, 2)), control(1), image, *first, END))


ERRORS = {
    "too few frames": [FRAMES, IMAGE, frame(0, (0, 0, 1, 1)), frame_data(1, rows(RED))],
    "too many frames": [
        *(control(1), IMAGE, frame(0, (0, 0, 1, 1)), frame_data(1, rows(RED))),
        *(frame(2, (0, 0, 1, 1)), frame_data(3, rows(RED))),
    ],
    "a frame without rows": [control(1), IMAGE, frame(0, (0, 0, 1, 1))],
    "a first number of 1": [control(1), IMAGE, frame(1, (0, 0, 1, 1)), frame_data(2, rows(RED))],
    "a gap in the numbers": [control(1), IMAGE, frame(0, (0, 0, 1, 1)), frame_data(2, rows(RED))],
    "a number twice": [control(1), IMAGE, frame(0, (0, 0, 1, 1)), frame_data(0, rows(RED))],
    "numbers out of order": [
        *(FRAMES, IMAGE, frame(0, (0, 0, 1, 1)), frame_data(1, rows(RED))),
        *(frame(3, (0, 0, 1, 1)), frame_data(2, rows(RED))),
    ],
}


@pytest.mark.parametrize("error", ERRORS)
def test_an_error_in_the_animation_leaves_the_image(error: str) -> None:
    """Clause 4.9: decoders that find an error revert to the static image."""
    decoded = decode(of_chunks(header(), *ERRORS[error], END))

    assert only_color(decoded) == list(COLOR)
    assert len(decoded.notes) == 1 and decoded.notes[0].startswith("damaged PNG chunks skipped")


def test_empty_frame_data_are_valid() -> None:
    first = [frame(0, (0, 0, 1, 1)), frame_data(1, b""), frame_data(2, rows(RED))]
    assert only_color(decode(of_chunks(header(), control(1), IMAGE, *first, END))) == list(RED)
