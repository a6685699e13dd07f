"""models/quantizers/learned/refined.py: few colors for photographs, refined for several recognizers."""

from dataclasses import replace

import numpy as np
import pytest

from models.errors import BadOption
from models.palettes import parse_palette
from models.quantizers.base import Backdrop
from models.quantizers.classical.halftone import Halftone
from models.quantizers.classical.nearest_color import NearestColor
from models.quantizers.learned import refined
from models.quantizers.learned.descent import Steps
from models.quantizers.learned.refined import RefinedQuantizer
from tests.models.quantizers.learned.test_descent import RECOGNIZERS, make_photo

QUICK = RefinedQuantizer(RECOGNIZERS, quick=True)
LARGE, SMALL = (56, 80), (18, 18)  # 3 and 1 times the recognizers' input


def test_the_names_are_those_of_the_methods() -> None:
    assert QUICK.name == "refined_fast"
    assert replace(QUICK, quick=False).name == "refined"


def test_without_options_every_step_is_taken_and_nothing_is_left_out() -> None:
    plain = RefinedQuantizer(RECOGNIZERS)

    assert (plain.name, plain.fidelity, plain.dither, plain.quick) == ("refined", 0.0, None, False)
    assert (plain.prefilter, plain.palette, plain.backdrop) == (None, None, None)


@pytest.mark.parametrize("colors", [2, 5, 256])
@pytest.mark.parametrize("shape", [LARGE, SMALL, (1, 700), (300, 2)])
def test_any_shape_gets_at_most_the_colors_asked_for(shape: tuple[int, int], colors: int) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    image = QUICK.quantize(pixels, colors)
    assert image.indices.shape == shape
    assert 1 < image.colors <= colors


def test_few_colors_are_kept_exactly() -> None:
    pixels = np.random.default_rng(0).integers(0, 2, (30, 30, 1), dtype=np.uint8).repeat(3, axis=2) * 255
    assert np.array_equal(QUICK.quantize(pixels, 2).render(), pixels)


def test_rare_colors_that_the_palette_misses_do_no_harm() -> None:
    """The sample that the palette is fitted to may have one color only."""
    pixels = np.full((200, 300, 3), 255, np.uint8)
    pixels[0, :3] = [[0, 0, 0], [9, 9, 9], [200, 0, 0]]
    for dither in (True, False):
        assert replace(QUICK, dither=dither).quantize(pixels, 2).indices.shape == (200, 300)


def test_an_impossible_number_of_colors_is_refused() -> None:
    with pytest.raises(BadOption):
        QUICK.quantize(make_photo(*LARGE), 1)


@pytest.mark.parametrize("shape", [LARGE, SMALL])
def test_equal_calls_give_equal_images(shape: tuple[int, int]) -> None:
    assert QUICK.quantize(make_photo(*shape), 4) == QUICK.quantize(make_photo(*shape), 4)


def test_full_fidelity_is_the_halftone_of_a_large_picture() -> None:
    photo = make_photo(*LARGE)
    faithful = replace(QUICK, fidelity=1.0).quantize(photo, 4)
    assert faithful == Halftone().quantize(photo, 4)
    assert faithful != QUICK.quantize(photo, 4)


def test_fidelity_brings_the_picture_closer_to_the_original() -> None:
    photo = make_photo(*SMALL)

    def error(fidelity: float) -> float:
        shown = replace(QUICK, fidelity=fidelity).quantize(photo, 4).render()
        return float(np.square(shown.astype(float) - photo).mean())

    assert error(1.0) < error(0.5) <= error(0.0)


def test_dither_follows_the_scale_unless_it_is_given() -> None:
    large, small = make_photo(*LARGE), make_photo(*SMALL)
    assert QUICK.quantize(large, 2) == replace(QUICK, dither=True).quantize(large, 2)
    assert QUICK.quantize(small, 2) == replace(QUICK, dither=False).quantize(small, 2)
    assert QUICK.quantize(large, 2) != replace(QUICK, dither=False).quantize(large, 2)


def test_a_picture_is_large_from_one_and_a_half_times_the_input_on() -> None:
    whole = replace(RECOGNIZERS[0], crop=None)
    side = 3 * whole.size // 2
    faithful = replace(QUICK, recognizers=(whole,), fidelity=1.0)
    assert 2 * side == 3 * whole.size
    for shape, large in (((side, side + 9), True), ((side + 9, side), True), ((side - 1, side + 9), False)):
        photo = make_photo(*shape)
        assert faithful.quantize(photo, 4) == replace(faithful, dither=large).quantize(photo, 4)
        assert faithful.quantize(photo, 4) != replace(faithful, dither=not large).quantize(photo, 4)


def test_the_steps_are_those_of_a_large_picture_from_the_same_scale_on() -> None:
    careful = replace(QUICK, quick=False)
    assert QUICK._steps(1.5, 4) == QUICK._steps(9, 2) != QUICK._steps(1.49, 4) != QUICK._steps(0.1, 2)
    assert QUICK._steps(1.49, 3) == QUICK._steps(0.1, 4) != QUICK._steps(1.49, 5)
    assert careful._steps(1.5, 4) == careful._steps(9, 2) != careful._steps(1.49, 4)
    assert careful._steps(1.49, 3) == careful._steps(0.1, 256) != careful._steps(1.49, 2)
    assert careful._steps(1.5, 4) != careful._steps(1.5, 5)
    assert QUICK._steps(1.5, 4).count < careful._steps(1.5, 4).count


def test_the_descent_works_on_a_picture_of_bounded_size(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = []

    def watched(pixels, *rest):  # type: ignore[no-untyped-def]
        sizes.append(pixels.shape[:2])
        return np.zeros((3, 3, 3), np.float32)

    monkeypatch.setattr(refined, "descend", watched)
    for shape in (LARGE, SMALL, (560, 800)):
        assert QUICK.quantize(make_photo(*shape), 4).indices.shape == shape
    assert sizes[1] == SMALL
    for height, width in (sizes[0], sizes[2]):
        assert height == pytest.approx(2 * 16 / 0.875, abs=1)
        assert width == pytest.approx(height * 80 / 56, abs=1)


def test_a_long_picture_is_squeezed_for_the_descent(monkeypatch: pytest.MonkeyPatch) -> None:
    """A recognizer that sees all of a long picture scales it by a matrix of its whole length."""
    monkeypatch.setattr(refined, "_WORKING_SIDE", 100)
    shapes = []

    def watched(pixels, *rest):  # type: ignore[no-untyped-def]
        shapes.append(pixels.shape[:2])
        return np.zeros((3, 3, 3), np.float32)

    monkeypatch.setattr(refined, "descend", watched)
    assert QUICK.quantize(make_photo(20, 500), 4).indices.shape == (20, 500)
    assert shapes == [(20, 100)]


def test_more_colors_leave_a_large_picture_closer_to_the_halftone(monkeypatch: pytest.MonkeyPatch) -> None:
    """The rate falls, and the weight of the error grows, with the number of colors beyond four."""
    taken: dict[int, Steps] = {}

    def watched(pixels, mapping, recognizers, steps, cell, backdrop):  # type: ignore[no-untyped-def]
        taken[len(mapping.palette)] = steps
        return np.zeros((3, 3, 3), np.float32)

    monkeypatch.setattr(refined, "descend", watched)
    for colors in (2, 4, 16):
        QUICK.quantize(make_photo(*LARGE), colors)
    assert taken[2] == taken[4]
    assert taken[16] == replace(taken[4], rate=taken[4].rate / 4, error_weight=4 * taken[4].error_weight)


PALETTE = parse_palette("#00f,#fff,#0f0,#000,#805030,#123456")


@pytest.mark.parametrize("dither", [True, False])
@pytest.mark.parametrize("quick", [True, False])
def test_a_fixed_palette_keeps_all_entries_in_their_order(*, quick: bool, dither: bool) -> None:
    quantizer = replace(QUICK, palette=PALETTE, dither=dither, quick=quick)
    image = quantizer.quantize(make_photo(*LARGE), 6)
    assert np.array_equal(image.palette, PALETTE)
    assert image != replace(quantizer, fidelity=1.0).quantize(make_photo(*LARGE), 6)


def test_full_fidelity_to_a_fixed_palette_is_its_halftone_or_the_nearest_color() -> None:
    photo = make_photo(*LARGE)
    faithful = replace(QUICK, palette=PALETTE, fidelity=1.0)
    assert faithful.quantize(photo, 6) == Halftone(PALETTE).quantize(photo, 6)
    assert replace(faithful, dither=False).quantize(photo, 6) == NearestColor(PALETTE).quantize(photo, 6)


def test_a_picture_in_colors_of_the_palette_stays_as_it_is() -> None:
    indices = np.random.default_rng(0).integers(0, 6, LARGE, dtype=np.uint8)
    image = replace(QUICK, palette=PALETTE).quantize(PALETTE[indices], 6)
    assert np.array_equal(image.indices, indices)
    assert np.array_equal(image.palette, PALETTE)


def test_few_colors_that_are_not_in_the_palette_are_mapped_to_it() -> None:
    pixels = np.full((*LARGE, 3), 90, np.uint8)
    pixels[:20] = (200, 10, 10)
    image = replace(QUICK, palette=PALETTE).quantize(pixels, 6)
    assert np.array_equal(image.palette, PALETTE)


def test_the_number_of_colors_is_that_of_the_palette() -> None:
    with pytest.raises(BadOption, match="colors must be 6, not 5"):
        replace(QUICK, palette=PALETTE).quantize(make_photo(*LARGE), 5)


def test_a_descent_sees_a_scaled_backdrop(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def watched(pixels, mapping, recognizers, steps, cell, backdrop):  # type: ignore[no-untyped-def]
        seen.append((pixels.shape[:2], backdrop.alpha.shape))
        return np.zeros((3, 3, 3), np.float32)

    monkeypatch.setattr(refined, "descend", watched)
    replace(QUICK, backdrop=Backdrop(np.full((560, 800), 9, np.uint8), (0, 0, 0))).quantize(make_photo(560, 800), 4)
    assert seen[0][0] == seen[0][1] != (560, 800)
