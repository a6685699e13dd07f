"""models/quantizers/transparency/transparency.py: the alpha of an image beside a quantizer."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.palette_image import PaletteImage
from models.palettes import parse_palette
from models.quantizers.base import Quantizer
from models.quantizers.classical.catalog import CLASSICAL
from models.quantizers.classical.halftone import Halftone
from models.quantizers.transparency.transparency import Transparency
from models.rgb import Pixels

Alpha = NDArray[np.uint8]

WHITE, BLACK = (255, 255, 255), (0, 0, 0)
KMEANS, HALFTONE = CLASSICAL["kmeans"], CLASSICAL["halftone"]


def photo(height: int = 60, width: int = 80) -> Pixels:
    """Smooth colors with noise."""
    y, x = np.mgrid[0:height, 0:width]
    smooth = np.stack([60 + 2 * x, 40 + 3 * y, 200 - x - y], axis=-1)
    return (smooth + np.random.default_rng(0).integers(-9, 9, smooth.shape)).clip(0, 255).astype(np.uint8)


def vignette(height: int = 60, width: int = 80) -> Alpha:
    """Alpha that falls smoothly from 255 in the middle to 0 in the corners."""
    y, x = np.mgrid[0:height, 0:width]
    far = np.hypot((x - width / 2) / (width / 2), (y - height / 2) / (height / 2))
    return np.asarray(np.rint(255 * ((1.1 - far) / 0.6).clip(0, 1)), np.uint8)


def logo() -> tuple[Pixels, Alpha]:
    """A red disc with a yellow one in it, with antialiased edges; transparent pixels are green."""
    y, x = (8 * each / 8 for each in np.mgrid[0:64, 0:64])
    far = np.hypot(x - 31.5, y - 31.5)
    colors = np.where((far < 12)[:, :, np.newaxis], (255, 220, 0), (220, 0, 0))
    alpha = np.rint(255 * (28.5 - far).clip(0, 1)).astype(np.uint8)
    return np.where(alpha[:, :, np.newaxis] > 0, colors, (0, 255, 0)).astype(np.uint8), alpha


def composited(colors: Pixels, alpha: Alpha, background: tuple[int, int, int]) -> NDArray[np.float64]:
    share = alpha[:, :, np.newaxis] / 255
    return np.asarray(share * colors + (1 - share) * background)


def quantized(colors: Pixels, alpha: Alpha, count: int, quantizer: Quantizer = KMEANS) -> PaletteImage:
    plan = Transparency.of(colors, alpha, count)
    assert plan is not None
    assert plan.pixels.shape == colors.shape
    image = plan.apply(quantizer.quantize(plan.pixels, plan.colors))
    assert image.colors <= count
    assert image == image.compact()
    return image


def error(image: PaletteImage, colors: Pixels, alpha: Alpha, *, view: int = 1) -> float:
    """Largest mean squared error over white and over black, of means over squares of `view` pixels."""

    def over(background: tuple[int, int, int]) -> float:
        difference = composited(colors, alpha, background) - image.over(background)
        height, width = (side // view * view for side in alpha.shape)
        squares = difference[:height, :width].reshape(height // view, view, width // view, view, 3)
        return float(np.square(squares.mean((1, 3))).mean())

    return max(over(WHITE), over(BLACK))


def cut() -> Alpha:
    alpha = np.zeros((60, 80), np.uint8)
    alpha[10:50, 15:70] = 255
    return alpha


@pytest.mark.parametrize("count", [3, 4, 16, 256])
def test_binary_alpha_takes_one_entry_and_stays_as_it_is(count: int) -> None:
    plan = Transparency.of(photo(), cut(), count)
    assert plan is not None
    assert plan.colors == count - 1
    image = quantized(photo(), cut(), count)
    assert np.array_equal(image.render_alpha(), cut())
    assert sorted(image.opacity())[:2] == [0, 255]


def test_no_color_of_transparent_pixels_enters_the_palette() -> None:
    colors, alpha = photo(), cut()
    colors[alpha == 0] = (0, 255, 0)
    image = quantized(colors, alpha, 8)
    assert (np.abs(image.palette.astype(int) - (0, 255, 0)).sum(axis=1) > 100).all()


@pytest.mark.parametrize("count", [4, 5, 8, 16])
def test_a_logo_keeps_its_colors_and_its_shape(count: int) -> None:
    colors, alpha = logo()
    image = quantized(colors, alpha, count)
    opaque = image.palette[image.opacity() == 255].tolist()
    assert sorted(opaque) == [[220, 0, 0], [255, 220, 0]]
    assert error(image, colors, alpha) < (120 if count == 4 else 30)


def test_more_entries_make_smoother_edges() -> None:
    colors, alpha = logo()
    errors = [error(quantized(colors, alpha, count), colors, alpha) for count in (3, 5, 8, 16)]
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < errors[0] / 10


@pytest.mark.parametrize(("count", "largest"), [(3, 700), (4, 400), (8, 250), (16, 120), (64, 50)])
@pytest.mark.parametrize("quantizer", [KMEANS, HALFTONE], ids=["kmeans", "halftone"])
def test_a_soft_vignette_is_close_over_white_and_over_black(quantizer: Quantizer, count: int, largest: float) -> None:
    """Seen from afar; what these bounds hold against is a cut at the middle of alpha, which gives over 1,000."""
    image = quantized(photo(), vignette(), count, quantizer)
    assert error(image, photo(), vignette(), view=4) < largest


def test_grades_are_at_most_half_of_the_entries() -> None:
    for count in (8, 16, 64, 256):
        plan = Transparency.of(photo(), vignette(), count)
        assert plan is not None
        assert 1 <= len(plan.grades) <= count // 2
        assert plan.colors + len(plan.grades) + plan.clear == count


def test_all_256_entries_are_used_where_no_pixel_is_transparent() -> None:
    """128 colors and 128 grades: the entry after them, which only transparent pixels need, would have the index 256."""
    chance = np.random.default_rng(0)
    colors = chance.integers(0, 256, (40, 40, 3), dtype=np.uint8)
    image = quantized(colors, chance.integers(20, 236, (40, 40), dtype=np.uint8), 256, CLASSICAL["median_cut"])
    assert image.colors > 200 and image.alpha is not None and image.alpha.min() > 0


def test_a_shadow_of_one_color_gets_all_entries_as_grades() -> None:
    colors, alpha = np.zeros((60, 80, 3), np.uint8), vignette() // 2
    image = quantized(colors, alpha, 8)
    assert (image.palette == 0).all()
    assert len(set(image.opacity().tolist())) == 8
    assert image.opacity().max() == alpha.max()


def test_two_entries_show_the_shape_of_a_single_color() -> None:
    colors, alpha = np.full((60, 80, 3), 90, np.uint8), cut()
    image = quantized(colors, alpha, 2)
    assert np.array_equal(image.render_alpha(), alpha)
    assert (image.over(BLACK)[alpha > 0] == 90).all()


def test_two_entries_do_not_suffice_for_several_colors() -> None:
    assert Transparency.of(photo(), cut(), 2) is None


def test_a_picture_of_even_alpha_keeps_it() -> None:
    image = quantized(photo(), np.full((60, 80), 128, np.uint8), 8)
    assert image.opacity().tolist() == [128] * 8


def test_alpha_that_never_reaches_zero_has_no_transparent_entry() -> None:
    alpha = vignette() // 2 + 127
    for count in (4, 8):
        image = quantized(photo(), alpha, count)
        assert image.opacity().min() > 60
        assert image.opacity().max() == 254


def test_alpha_that_nobody_can_tell_from_opaque_is_opaque() -> None:
    alpha = np.full((60, 80), 255, np.uint8)
    alpha[::2] = 250
    assert quantized(photo(), alpha, 8).alpha is None


def test_a_transparent_picture_is_transparent() -> None:
    image = quantized(photo(), np.zeros((60, 80), np.uint8), 4)
    assert (image.render_alpha() == 0).all()
    assert image.colors == 1


@pytest.mark.parametrize("alpha", [cut(), vignette()], ids=["binary", "grades"])
def test_a_fixed_palette_keeps_its_order_and_gets_one_transparent_entry(alpha: Alpha) -> None:
    palette = parse_palette("#fff,#000,#00f,#0a0")
    plan = Transparency.of(photo(), alpha, 4, fixed_palette=True)
    assert plan is not None and plan.colors == 4
    image = plan.apply(Halftone(palette).quantize(plan.pixels, 4))
    assert np.array_equal(image.palette[:4], palette)
    assert image.opacity().tolist() == [255, 255, 255, 255, 0]
    assert image.render_alpha().mean() == pytest.approx(alpha.mean(), abs=3)


def test_a_fixed_palette_of_an_opaque_picture_stays_alone() -> None:
    palette = parse_palette("gameboy")
    plan = Transparency.of(photo(), np.full((60, 80), 255, np.uint8), 4, fixed_palette=True)
    assert plan is not None
    image = plan.apply(Halftone(palette).quantize(plan.pixels, 4))
    assert image.alpha is None
    assert np.array_equal(image.palette, palette)


def test_a_fixed_palette_of_256_colors_leaves_no_entry() -> None:
    assert Transparency.of(photo(), cut(), 256, fixed_palette=True) is None
    assert Transparency.of(photo(), cut(), 255, fixed_palette=True) is not None


@settings(deadline=None, max_examples=60, derandomize=True)
@given(st.integers(1, 12), st.integers(1, 12), st.integers(2, 256), st.integers(0, 2**32 - 1), st.booleans())
def test_any_picture_gets_at_most_the_entries_asked_for(
    height: int, width: int, count: int, seed: int, smooth: bool
) -> None:
    random = np.random.default_rng(seed)
    colors = random.integers(0, 256, (height, width, 3), dtype=np.uint8)
    alpha = random.choice(np.array([0, 3, 77, 100, 128, 200, 255], np.uint8), (height, width))
    if smooth:
        alpha = np.sort(alpha, axis=1)
    plan = Transparency.of(colors, alpha, count)
    if plan is not None:
        image = plan.apply(KMEANS.quantize(plan.pixels, plan.colors))
        assert image.colors <= count
        assert image.indices.shape == (height, width)
        assert (image.render_alpha()[alpha == 0] == 0).all()


def test_bands_of_a_large_picture_fit_together(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = quantized(photo(), vignette(), 8)
    monkeypatch.setattr("models.quantizers.transparency.transparency._BAND", 80 * 7)
    assert quantized(photo(), vignette(), 8) == whole
