"""models/quantizers/base.py: images that already have few colors, the range of colors, and bands."""

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from models.errors import BadOption
from models.quantizers import base
from models.quantizers.base import Backdrop, bands, check_colors, checked_exact, checked_exact_in, exact, through_pillow
from models.rgb import Pixels, pack


def image_of(distinct: int, height: int, width: int) -> Pixels:
    """An image with this number of colors, one in each of the first pixels and the last color in all others."""
    numbers = np.minimum(np.arange(height * width), distinct - 1)
    return np.stack([numbers % 256, numbers // 256, 7 * numbers % 256], axis=-1).astype(np.uint8).reshape(height, -1, 3)


def test_exact_counts_colors_that_its_sample_misses() -> None:
    pixels = np.zeros((512, 512, 3), np.uint8)
    pixels[100, 101] = 255  # the sample is every 64th pixel
    pixels[300, 77] = 9
    assert exact(pixels, 2) is None
    image = exact(pixels, 3)
    assert image is not None
    assert np.array_equal(image.render(), pixels)


@pytest.mark.parametrize(("height", "width"), [(1, 2), (5, 3), (64, 64), (64, 65), (300, 300)])
@pytest.mark.parametrize("distinct", [1, 2, 256])
def test_an_image_of_at_most_the_requested_colors_is_returned_as_it_is(height: int, width: int, distinct: int) -> None:
    pixels = image_of(distinct, height, width)
    found = len(np.unique(pixels.reshape(-1, 3), axis=0))

    image = exact(pixels, found)

    assert image is not None and len(image.palette) == found
    assert np.array_equal(image.render(), pixels)
    assert exact(pixels, found - 1) is None


def test_a_large_photo_is_rejected_by_a_sample_of_4096_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    """Counting every pixel takes a table of 16 MB, which a photo must not need."""
    seen: list[int] = []

    def counting(colors: NDArray[np.uint8]) -> NDArray[np.uint32]:
        seen.append(len(colors))
        return pack(colors)

    monkeypatch.setattr(base, "pack", counting)
    pixels = np.random.default_rng(0).integers(0, 256, (640, 640, 3)).astype(np.uint8)

    assert exact(pixels, 256) is None
    assert seen == [4096]


def test_colors_are_2_to_256() -> None:
    for colors in (2, 256):
        check_colors(colors)
        assert checked_exact(image_of(2, 4, 4), colors) is not None
    for colors in (1, 257):
        with pytest.raises(BadOption, match=f"2 to 256, not {colors}"):
            check_colors(colors)
        with pytest.raises(BadOption):
            checked_exact(image_of(2, 4, 4), colors)


def test_a_result_of_pillow_loses_unused_and_equal_entries() -> None:
    def with_waste(image: Image.Image) -> Image.Image:
        indexed = Image.fromarray(np.array([[0, 1, 3]], np.uint8)).convert("P")
        indexed.putpalette([9, 9, 9, 200, 0, 0, 1, 2, 3, 9, 9, 9])
        return indexed

    pixels = np.array([[[0, 0, 0], [255, 0, 0], [9, 9, 9]]], np.uint8)

    image = through_pillow(pixels, 2, with_waste)

    assert sorted(image.palette.tolist()) == [[9, 9, 9], [200, 0, 0]]
    assert image.render().tolist() == [[[9, 9, 9], [200, 0, 0], [9, 9, 9]]]
    assert through_pillow(pixels, 3, with_waste).render().tolist() == pixels.tolist()


@pytest.mark.parametrize(
    ("pixels", "sizes"),
    [(1 << 18, [1 << 18]), ((1 << 18) + 1, [(1 << 17) + 1, 1 << 17]), (3, [3])],
    ids=["one band", "one pixel more", "few"],
)
def test_bands_have_a_quarter_of_a_million_pixels_at_most_and_join_to_the_image(pixels: int, sizes: list[int]) -> None:
    image = np.arange(3 * pixels).astype(np.uint8).reshape(1, pixels, 3)

    parts = list(bands(image))

    assert [len(part) for part in parts] == sizes
    assert np.array_equal(np.concatenate(parts), image[0])
    assert all(np.shares_memory(part, image) for part in parts)


INKS = np.array([[255, 255, 255], [200, 0, 0], [0, 0, 0]], np.uint8)


def test_an_image_of_the_colors_of_a_palette_is_returned_with_all_its_entries() -> None:
    indices = np.array([[0, 2], [2, 0]])
    image = checked_exact_in(INKS[indices], 3, INKS)
    assert image is not None
    assert np.array_equal(image.palette, INKS)
    assert np.array_equal(image.indices, indices)


@pytest.mark.parametrize("place", [(0, 0), (123, 45)])  # the sample sees the first of them alone
def test_an_image_with_one_other_color_is_not(place: tuple[int, int]) -> None:
    pixels = np.zeros((200, 200, 3), np.uint8)
    pixels[place] = (0, 0, 1)
    assert checked_exact_in(pixels, 3, INKS) is None


@pytest.mark.parametrize("colors", [2, 4])
def test_the_number_of_colors_is_that_of_the_palette(colors: int) -> None:
    with pytest.raises(BadOption, match=f"the palette has 3 colors, so colors must be 3, not {colors}"):
        checked_exact_in(np.zeros((2, 2, 3), np.uint8), colors, INKS)


def test_pixels_are_checked_before_they_are_mapped_to_a_palette() -> None:
    with pytest.raises(ValueError, match="pixels"):
        checked_exact_in(np.zeros((2, 2), np.uint8), 3, INKS)


def test_a_backdrop_shows_a_picture_over_its_background(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base, "_BAND", 100)
    pixels = np.random.default_rng(0).integers(0, 256, (30, 20, 3), dtype=np.uint8)
    alpha = np.random.default_rng(1).integers(0, 256, (30, 20), dtype=np.uint8)
    expected = alpha[..., None] / 255 * pixels + (1 - alpha[..., None] / 255) * np.array([255, 0, 9])
    assert np.abs(Backdrop(alpha, (255, 0, 9)).behind(pixels) - expected).max() < 0.501


def test_a_scaled_backdrop_has_the_size_of_the_scaled_picture() -> None:
    alpha = np.zeros((40, 60), np.uint8)
    alpha[:, 30:] = 255
    scaled = Backdrop(alpha, (1, 2, 3)).scaled(20, 15)
    assert scaled.alpha.shape == (20, 15) and scaled.background == (1, 2, 3)
    assert (scaled.alpha[:, :6] == 0).all() and (scaled.alpha[:, 9:] == 255).all()
    same = Backdrop(alpha, (1, 2, 3))
    assert same.scaled(40, 60) is same
