"""Pictures with alpha get the palettes and grades that they got when this was measured."""

import numpy as np
import pytest
from numpy.typing import NDArray

from models.palette_image import PaletteImage
from models.quantizers.classical.catalog import CLASSICAL
from models.quantizers.transparency.transparency import Transparency, _is_one_color, _levels, _number_of_grades
from models.rgb import Pixels

Alpha = NDArray[np.uint8]
COUNTS = (2, 3, 4, 7, 8, 9, 16, 20)

# By picture and number of entries: alphas of the entries in order, and what is seen over white and over black: mean
# colors and deviation.
FOUND: dict[str, dict[int, tuple[list[int], list[float]] | None]] = {
    "vignette": {
        2: None,
        3: ([0, 255, 255], [191.33, 64.03, 68.88, 68.83]),
        4: ([0, 255, 255, 255], [191.34, 64.54, 68.89, 69.33]),
        7: ([0, 255, 255, 255, 255, 255, 255], [191.31, 65.03, 68.86, 69.73]),
        8: ([0, 67, 178, 179, 255, 255, 255, 255], [191.07, 49.79, 69.07, 53.35]),
        9: ([0, 67, 178, 179, 255, 255, 255, 255, 255], [190.91, 49.85, 68.91, 53.04]),
        16: (
            [0, 49, 112, 123, 135, 202, 208, 255, 255, 255, 255, 255, 255, 255, 255, 255],
            [190.26, 48.92, 69.78, 52.05],
        ),
        20: (
            [0, 40, 80, 113, 139, 141, 201, 202, 210, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255],
            [190.68, 47.6, 70.0, 51.32],
        ),
    },
    "disc": {
        2: None,
        3: ([0, 255, 255], [197.37, 63.52, 62.43, 68.43]),
        4: ([0, 255, 255, 255], [197.47, 63.87, 62.53, 68.95]),
        7: ([0, 255, 255, 255, 255, 255, 255], [197.42, 64.23, 62.59, 69.28]),
        8: ([0, 133, 255, 255, 255, 255, 255, 255], [197.06, 63.27, 62.98, 68.24]),
        9: ([0, 133, 255, 255, 255, 255, 255, 255, 255], [197.27, 63.1, 63.19, 68.51]),
        16: (
            [0, 133, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255],
            [196.98, 63.39, 62.93, 68.24],
        ),
        20: (
            [0, 133, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255],
            [197.02, 63.41, 62.99, 68.35],
        ),
    },
    "disc of one color": {
        2: ([0, 255], [180.42, 93.98, 45.53, 70.1]),
        3: ([0, 133, 255], [180.04, 92.77, 45.76, 69.36]),
        4: ([0, 78, 191, 255], [180.35, 92.6, 45.56, 69.21]),
        7: ([0, 35, 86, 129, 184, 236, 255], [180.34, 92.37, 45.57, 69.06]),
        8: ([0, 35, 78, 111, 156, 193, 236, 255], [180.34, 92.37, 45.57, 69.06]),
        9: ([0, 29, 65, 93, 127, 167, 196, 236, 255], [180.35, 92.38, 45.58, 69.07]),
        16: ([0, 15, 38, 50, 75, 95, 117, 127, 142, 169, 194, 202, 224, 235, 242, 255], [180.31, 92.37, 45.61, 69.07]),
        20: (
            [0, 12, 20, 38, 50, 75, 88, 97, 117, 127, 140, 151, 165, 176, 194, 202, 224, 235, 242, 255],
            [180.31, 92.37, 45.6, 69.07],
        ),
    },
    "faint": {
        2: None,
        3: ([0, 127, 127], [223.25, 31.95, 34.27, 34.27]),
        4: ([0, 127, 127, 127], [223.22, 32.23, 34.24, 34.48]),
        7: ([0, 127, 127, 127, 127, 127, 127], [223.27, 32.42, 34.29, 34.74]),
        8: ([0, 33, 89, 89, 127, 127, 127, 127], [223.26, 24.96, 34.39, 26.64]),
        9: ([0, 33, 89, 89, 127, 127, 127, 127, 127], [223.16, 25.0, 34.3, 26.46]),
        16: ([0, 23, 55, 57, 96, 97, 99, 127, 127, 127, 127, 127, 127, 127, 127, 127], [223.15, 24.21, 34.53, 25.92]),
        20: (
            [0, 20, 42, 55, 71, 73, 99, 101, 105, 127, 127, 127, 127, 127, 127, 127, 127, 127, 127, 127],
            [223.23, 23.74, 34.47, 25.72],
        ),
    },
    "nowhere clear": {
        2: None,
        3: ([108, 255, 255], [177.6, 37.55, 84.04, 39.93]),
        4: ([62, 179, 255, 255], [185.59, 42.15, 75.35, 45.18]),
        7: ([51, 125, 203, 255, 255, 255, 255], [185.33, 44.41, 75.12, 48.03]),
        8: ([51, 125, 203, 255, 255, 255, 255, 255], [185.13, 44.52, 75.03, 47.81]),
        9: ([48, 114, 194, 195, 255, 255, 255, 255, 255], [186.86, 44.16, 73.45, 46.75]),
        16: (
            [47, 112, 115, 194, 195, 200, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255],
            [187.26, 43.62, 73.3, 47.2],
        ),
        20: (
            [45, 85, 115, 127, 147, 201, 202, 211, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255],
            [187.12, 42.97, 73.22, 46.6],
        ),
    },
    "shadow": {
        2: ([0, 255], [122.45, 127.4, 0.0, 0.0]),
        3: ([0, 120, 255], [121.67, 101.42, 0.0, 0.0]),
        4: ([0, 71, 184, 255], [122.02, 96.77, 0.0, 0.0]),
        7: ([0, 38, 82, 127, 173, 221, 255], [121.84, 92.44, 0.0, 0.0]),
        8: ([0, 29, 63, 98, 136, 178, 223, 255], [121.85, 92.21, 0.0, 0.0]),
        9: ([0, 24, 50, 77, 107, 141, 180, 223, 255], [121.84, 91.99, 0.0, 0.0]),
        16: ([0, 19, 36, 50, 64, 79, 94, 108, 123, 138, 153, 169, 187, 209, 233, 255], [121.9, 91.45, 0.0, 0.0]),
        20: (
            [0, 19, 36, 50, 64, 79, 91, 101, 112, 124, 138, 153, 167, 181, 196, 209, 221, 232, 242, 255],
            [121.9, 91.35, 0.0, 0.0],
        ),
    },
}


def photo(height: int = 60, width: int = 80) -> Pixels:
    y, x = np.mgrid[0:height, 0:width]
    smooth = np.stack([60 + 2 * x, 40 + 3 * y, 200 - x - y], axis=-1)
    return (smooth + np.random.default_rng(0).integers(-9, 9, smooth.shape)).clip(0, 255).astype(np.uint8)


def pictures() -> dict[str, tuple[Pixels, Alpha]]:
    y, x = np.mgrid[0:60, 0:80]
    far = np.hypot((x - 40) / 40, (y - 30) / 30)
    vignette = np.rint(255 * ((1.1 - far) / 0.6).clip(0, 1)).astype(np.uint8)
    disc = np.rint(255 * (0.8 - far).clip(0, 0.05) * 20).astype(np.uint8)
    flat = np.full((60, 80, 3), (200, 60, 30), np.uint8)
    return {
        "vignette": (photo(), vignette),
        "disc": (photo(), disc),
        "disc of one color": (flat, disc),
        "faint": (photo(), (vignette // 2).astype(np.uint8)),
        "nowhere clear": (photo(), np.maximum(vignette, 40)),
        "shadow": (np.zeros((60, 80, 3), np.uint8), vignette),
    }


def measured(name: str, count: int) -> tuple[list[int], list[float]] | None:
    colors, alpha = pictures()[name]
    plan = Transparency.of(colors, alpha, count)
    if plan is None:
        return None
    image = plan.apply(CLASSICAL["wu"].quantize(plan.pixels, plan.colors))
    shown = [image.over((level,) * 3).astype(float) for level in (255, 0)]
    return sorted(image.opacity().tolist()), [float(f(each)) for each in shown for f in (np.mean, np.std)]


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("name", pictures())
def test_a_picture_has_its_grades_and_its_look(name: str, count: int) -> None:
    found, known = measured(name, count), FOUND[name][count]

    if known is None or found is None:
        assert found == known
        return
    assert found[0] == pytest.approx(known[0], abs=2)
    assert found[1] == pytest.approx(known[1], rel=0.005)


@pytest.mark.parametrize(
    ("top", "alphas", "levels"),
    [
        (255, [0, 8, 9, 128, 246, 247, 255], [0, 0, 9, 128, 246, 255, 255]),
        (128, [0, 4, 5, 64, 123, 124, 128, 200], [0, 0, 10, 128, 245, 255, 255, 255]),
        (1, [0, 1, 2], [0, 255, 255]),
        (0, [0, 1], [0, 255]),
    ],
)
def test_alpha_that_nobody_can_tell_from_clear_or_opaque_counts_as_that(
    top: int, alphas: list[int], levels: list[int]
) -> None:
    histogram = np.ones(256, np.intp)

    assert _levels(top, histogram)[alphas].tolist() == levels


@pytest.mark.parametrize(("partial", "binary"), [(2, True), (3, False)])
def test_two_of_a_thousand_visible_pixels_may_be_partial(partial: int, binary: bool) -> None:
    histogram = np.zeros(256, np.intp)
    histogram[255], histogram[100], histogram[0] = 1000 - partial, partial, 5000

    levels = _levels(255, histogram)
    assert levels[[100, 127, 128]].tolist() == ([0, 0, 255] if binary else [100, 127, 128])


@pytest.mark.parametrize(
    ("count", "share", "clear", "grades"),
    [
        (7, 0.5, True, 0),
        (8, 0.5, True, 2),
        (8, 0.01, True, 1),
        (8, 1.0, True, 4),
        (7, 0.5, False, 2),
        (16, 0.5, True, 4),
        (2, 0.5, False, 0),
        (3, 1.0, False, 1),
        (256, 1.0, False, 128),
    ],
)
def test_half_of_the_share_of_partial_pixels_are_grades(count: int, share: float, clear: bool, grades: int) -> None:
    assert _number_of_grades(photo(), count, share, clear=clear) == grades


def test_entries_that_opaque_pixels_do_not_need_become_grades() -> None:
    two = np.zeros((4, 4, 3), np.uint8)
    two[:2] = 200

    assert _number_of_grades(two, 16, 0.1, clear=True) == 13
    assert _number_of_grades(np.zeros((4, 4, 3), np.uint8), 16, 0.1, clear=True) == 14


@pytest.mark.parametrize(("spread", "one"), [(0, True), (13, True), (14, False)])
def test_pixels_within_16_levels_are_one_color(spread: int, one: bool) -> None:
    """The deviation of two colors that differ by twice `spread` in 1.5 of 3 channels."""
    pixels = np.full((4, 4, 3), 100, np.uint8)
    pixels[::2, :, 0] = 100 + spread
    pixels[1::2, :, 0] = 100 - spread
    pixels[:, ::2, 1] = 100 + 9
    pixels[:, 1::2, 1] = 100 - 9

    assert _is_one_color(pixels) is one


def test_a_result_with_a_fixed_palette_keeps_every_entry() -> None:
    colors, alpha = pictures()["disc"]
    plan = Transparency.of(colors, alpha, 3, fixed_palette=True)
    assert plan is not None
    palette = np.array([[0, 0, 0], [255, 255, 255], [1, 2, 3]], np.uint8)
    image = plan.apply(PaletteImage(np.zeros((60, 80), np.uint8), palette))

    assert image.palette[:3].tolist() == palette.tolist() and image.opacity().tolist() == [255, 255, 255, 0]
