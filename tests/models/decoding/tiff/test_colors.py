"""Numbers of a TIFF as levels: the range of samples without a standard white, alpha and palettes at their bounds."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from skimage.color import lab2rgb

from models.decoding.decode import decode
from models.decoding.tiff.colors import Meaning, level_range, to_levels
from models.decoding.tiff.layout import Layout
from models.decoding.tiff.tags import Compression, Kind, Photometric
from models.errors import BadImage
from tests.models import tiff_files
from tests.models.tiff_files import BLACK_IS_ZERO, CIELAB, FLOAT, ICCLAB, PALETTE, RGB, UINT, write_tiff

GRAY = Meaning(Photometric.BLACK_IS_ZERO, 1, None, False, None)


def layout(kind: Kind, bits: int) -> Layout:
    return Layout(
        width=3,
        height=1,
        channels=1,
        bits=bits,
        kind=kind,
        photometric=Photometric.BLACK_IS_ZERO,
        planar=False,
        compression=Compression.NONE,
        predictor=1,
        reversed_bits=False,
        tiled=False,
        segment_width=3,
        segment_height=1,
        segments=((8, 9),),
    )


def band(values: Sequence[float], dtype: str) -> NDArray[Any]:
    return np.array(values, dtype).reshape(1, -1, 1)


@pytest.mark.parametrize(
    ("kind", "bits", "values", "limits"),
    [
        (Kind.UNSIGNED, 1, [0, 1], (0, 1)),
        (Kind.UNSIGNED, 16, [5, 6], (0, 65535)),
        (Kind.UNSIGNED, 17, [5, 6], (5, 6)),
        (Kind.UNSIGNED, 17, [5, (1 << 16) - 1], (5, (1 << 16) - 1)),
        (Kind.UNSIGNED, 17, [5, 1 << 16], (0, (1 << 17) - 1)),
        (Kind.UNSIGNED, 32, [7, 7], (7, 8)),
        (Kind.SIGNED, 8, [-5, 6], (-5, 6)),
        (Kind.SIGNED, 32, [1 << 30, (1 << 31) - 1], (1 << 30, (1 << 31) - 1)),
        (Kind.FLOAT, 32, [0.25, 0.5], (0, 1)),
        (Kind.FLOAT, 32, [0.0, 1.0], (0, 1)),
        (Kind.FLOAT, 32, [0.0, 1.5], (0, 1.5)),
        (Kind.FLOAT, 32, [-0.5, 1.0], (-0.5, 1.0)),
        (Kind.FLOAT, 32, [np.nan, 3.0, np.inf, 5.0, -np.inf], (3, 5)),
        (Kind.FLOAT, 32, [np.nan, np.inf], (0, 1)),
        (Kind.FLOAT, 32, [7.0, 7.0], (7, 8)),
    ],
)
def test_samples_without_a_standard_white_range_over_their_numbers(
    kind: Kind, bits: int, values: list[float], limits: tuple[float, float]
) -> None:
    dtype = {Kind.FLOAT: "f4", Kind.SIGNED: "i4", Kind.UNSIGNED: "u4"}[kind]
    bands = [band(values[:1], dtype), band(values[1:], dtype)]

    assert level_range(bands, layout(kind, bits), GRAY) == limits


@pytest.mark.parametrize(
    ("bits", "values", "levels"),
    [
        (1, [0, 1], [0, 255]),
        (2, [0, 1, 2, 3], [0, 85, 170, 255]),
        (8, [0, 77, 255], [0, 77, 255]),
        (12, [0, 8, 2048, 4087, 4095], [0, 0, 128, 255, 255]),
        (16, [0, 128, 129, 65406, 65407, 65535], [0, 0, 1, 254, 255, 255]),
    ],
)
def test_levels_are_rounded_to_the_nearest(bits: int, values: list[int], levels: list[int]) -> None:
    made, alpha = to_levels(band(values, "u2"), layout(Kind.UNSIGNED, bits), GRAY, (0.0, 2.0**bits - 1))

    assert (made[0, :, 0].tolist(), alpha) == (levels, None)


@pytest.mark.parametrize(
    ("kind", "bits", "dtype", "values", "levels"),
    [
        (Kind.UNSIGNED, 8, "u1", [0, 128, 255], [0, 128, 255]),
        (Kind.UNSIGNED, 16, "u2", [0, 32768, 65535], [0, 128, 255]),
        (Kind.SIGNED, 8, "i1", [-1, 64, 127], [0, 129, 255]),
        (Kind.FLOAT, 32, "f4", [-1.0, 0.5, 7.0], [0, 128, 255]),
    ],
)
def test_alpha_has_its_standard_range_in_every_format(
    kind: Kind, bits: int, dtype: str, values: list[float], levels: list[int]
) -> None:
    meaning = Meaning(Photometric.BLACK_IS_ZERO, 1, 1, False, None)
    samples = np.repeat(band(values, dtype), 2, axis=2)

    _, alpha = to_levels(samples, layout(kind, bits), meaning, (0.0, 2.0**bits))

    assert alpha is not None and alpha[0].tolist() == levels


def test_premultiplied_colors_are_divided_by_alpha_and_black_where_there_is_none() -> None:
    meaning = Meaning(Photometric.BLACK_IS_ZERO, 1, 1, True, None)
    samples = np.array([[[64, 128], [128, 128], [200, 100], [9, 0]]], np.uint8)

    levels, alpha = to_levels(samples, layout(Kind.UNSIGNED, 8), meaning, (0.0, 255.0))

    assert levels[0, :, 0].tolist() == [128, 255, 255, 0]
    assert alpha is not None and alpha[0].tolist() == [128, 128, 100, 0]


@pytest.mark.parametrize("missing", [0, 1])
def test_a_palette_has_three_numbers_for_each_index(missing: int) -> None:
    numbers = [0, 65535, 0, 0, 65535, 0, 0, 0, 65535, 65535, 65535, 0][: 12 - missing]
    file = write_tiff(
        np.array([[[0], [3]]]), tiff_files.Layout(bits=2, photometric=PALETTE, tags={320: ("H", numbers)})
    )

    if missing:
        with pytest.raises(BadImage, match="no palette"):
            decode(file)
    else:
        assert decode(file).pixels[0].tolist() == [[0, 255, 255], [0, 0, 0]]


@pytest.mark.parametrize(("highest", "shown"), [(255, 255), (256, 1)])
def test_a_palette_of_small_numbers_has_8_bits(highest: int, shown: int) -> None:
    tags = {320: ("H", [highest, 0, 0, 0, 0, 0])}
    file = write_tiff(np.array([[[0]]]), tiff_files.Layout(bits=1, photometric=PALETTE, tags=tags))

    assert decode(file).pixels[0, 0].tolist() == [shown, 0, 0]


@pytest.mark.parametrize(
    ("photometric", "bits", "kind", "lab"),
    [
        (CIELAB, 8, UINT, [255, 0, 0]),
        (CIELAB, 16, UINT, [65535, 0, 0]),
        (ICCLAB, 8, UINT, [255, 128, 128]),
        (ICCLAB, 16, UINT, [0xFF00, 128 << 8, 128 << 8]),
        (CIELAB, 32, FLOAT, [100, 0, 0]),
    ],
)
def test_the_lightest_lab_is_white_and_the_darkest_black(
    photometric: int, bits: int, kind: int, lab: list[int]
) -> None:
    samples = np.array([[lab, [0, *lab[1:]]]], np.float64 if kind == FLOAT else np.int64)

    shown = decode(write_tiff(samples, tiff_files.Layout(bits=bits, kind=kind, photometric=photometric))).pixels

    assert shown[0].tolist() == [[255] * 3, [0] * 3]


@pytest.mark.parametrize(("bits", "negative"), [(8, 256 - 60), (16, 65536 - 60 * 256)])
def test_a_and_b_of_cielab_are_signed_and_those_of_icclab_have_an_offset(bits: int, negative: int) -> None:
    unit = 1 << bits - 8
    light = 128 * unit
    cie = write_tiff(np.array([[[light, 60 * unit, negative]]]), tiff_files.Layout(bits=bits, photometric=CIELAB))
    icc = write_tiff(
        np.array([[[light, (128 + 60) * unit, (128 - 60) * unit]]]), tiff_files.Layout(bits=bits, photometric=ICCLAB)
    )

    one, other = (decode(file).pixels[0, 0].astype(int) for file in (cie, icc))
    assert one[0] > one[1] + 60 and one[2] > one[1] + 60  # a purple
    assert np.abs(one - other).max() <= 1  # the 16-bit scales of L* differ by 0.4 %


@pytest.mark.parametrize(
    ("extra", "channels", "alpha"), [((2,), 4, 0), ((0, 2), 5, 0), ((0, 0), 5, 255), ((), 5, 255), ((2, 0), 5, 9)]
)
def test_the_first_extra_channel_that_is_alpha_counts(extra: tuple[int, ...], channels: int, alpha: int) -> None:
    samples = np.full((1, 1, channels), 9)
    samples[..., -1] = 0
    decoded = decode(write_tiff(samples, tiff_files.Layout(photometric=RGB, extra=extra)), background=(255, 255, 255))

    assert decoded.pixels[0, 0, 0] == round((alpha * 9 + (255 - alpha) * 255) / 255)


def test_gray_has_one_channel_of_color() -> None:
    samples = np.array([[[7, 0]]])

    assert decode(write_tiff(samples, tiff_files.Layout(photometric=BLACK_IS_ZERO, extra=(0,)))).pixels[0, 0, 0] == 7


def test_lab_has_the_colors_of_another_reader() -> None:
    """Dark and light, gray and saturated; scikit-image clips where a color lies outside of sRGB."""
    lab = np.array([[[8.0, 0, 0], [2, 1, -1], [30, 40, -60], [60, -50, 40], [90, 5, 60], [50, 70, 40], [75, -20, -30]]])

    shown = decode(write_tiff(lab, tiff_files.Layout(bits=32, kind=FLOAT, photometric=CIELAB))).pixels

    assert np.abs(shown - 255 * lab2rgb(lab)).max() < 1.01


@pytest.mark.parametrize("at", [1, 2])
@pytest.mark.parametrize(("stored", "meant"), [(0, 0), (1, 1), (127, 127), (128, -128), (129, -127), (255, -1)])
def test_a_and_b_of_eight_bits_wrap_behind_127(stored: int, meant: int, at: int) -> None:
    integers, floats = np.array([[[204, 0, 0]]]), np.array([[[80.0, 0, 0]]])
    integers[..., at], floats[..., at] = stored, meant

    one = decode(write_tiff(integers, tiff_files.Layout(bits=8, photometric=CIELAB))).pixels
    other = decode(write_tiff(floats, tiff_files.Layout(bits=32, kind=FLOAT, photometric=CIELAB))).pixels

    assert one.tolist() == other.tolist()


@pytest.mark.parametrize(("kind", "alpha"), [(0, False), (1, True), (2, True), (3, False), (998, False), (999, True)])
def test_the_kinds_of_extra_samples_that_are_alpha(kind: int, alpha: bool) -> None:
    samples = np.array([[[100, 100, 100, 0]]])
    decoded = decode(write_tiff(samples, tiff_files.Layout(photometric=RGB, extra=(kind,))), background=(7, 7, 7))

    assert decoded.pixels[0, 0].tolist() == ([7] * 3 if alpha else [100] * 3)


@pytest.mark.parametrize(("index", "shown"), [(0, 10), (3, 40), (200, 40)])
def test_an_index_behind_the_palette_is_its_last_color(index: int, shown: int) -> None:
    palette = np.array([[10] * 3, [20] * 3, [30] * 3, [40] * 3], np.uint8)
    meaning = Meaning(Photometric.PALETTE, 1, None, False, palette)

    levels, _ = to_levels(band([index], "u1"), layout(Kind.UNSIGNED, 8), meaning, (0.0, 255.0))

    assert levels[0, 0].tolist() == [shown] * 3
