"""models/quantizers/classical/imagequant.py: the colors of libvips, and merging for numbers of colors in between."""

import io
from itertools import combinations

import numpy as np
import pytest
import pyvips
from numpy.typing import NDArray
from PIL import Image

from models.palette_image import PaletteImage
from models.quantizers.classical import imagequant
from models.quantizers.classical.imagequant import ImageQuant, merge_entries
from models.rgb import Pixels


def photo() -> Pixels:
    y, x = np.mgrid[0:48, 0:48]
    noise = np.random.default_rng(0).integers(-8, 8, (48, 48, 3))
    return (np.stack([x * 4, y * 4, 255 - 2 * x - 2 * y], -1) + noise).clip(0, 255).astype(np.uint8)


def render(file: bytes) -> Pixels:
    return np.asarray(Image.open(io.BytesIO(file)).convert("RGB"))


def merge_naively(palette: NDArray[np.float64], counts: NDArray[np.int64], colors: int) -> list[list[int]]:
    """Merge the best of all pairs, until `colors` entries are left."""
    entries = list(zip(palette, counts, strict=True))
    while len(entries) > colors:
        (a, b) = min(combinations(range(len(entries)), 2), key=lambda pair: growth(*(entries[each] for each in pair)))
        (color, count), (other, others) = entries[a], entries[b]
        entries[a] = (color * count + other * others) / (count + others), count + others
        del entries[b]
    return sorted(np.rint(color).astype(int).tolist() for color, _ in entries)


def growth(one: tuple[NDArray[np.float64], int], other: tuple[NDArray[np.float64], int]) -> float:
    """Return the growth of the squared error, from the distances of both entries to their common mean."""
    (color, count), (color_2, count_2) = one, other
    mean = (color * count + color_2 * count_2) / (count + count_2)
    return float(count * np.square(color - mean).sum() + count_2 * np.square(color_2 - mean).sum())


@pytest.mark.parametrize("colors", [2, 3, 5, 8, 9, 17, 32, 33, 64, 65, 127, 129, 200])
def test_every_number_of_colors_is_supported(colors: int) -> None:
    assert ImageQuant().quantize(photo(), colors).colors == colors


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_powers_of_two_match_the_png_of_libvips(bits: int) -> None:
    file = pyvips.Image.new_from_array(photo()).pngsave_buffer(palette=True, bitdepth=bits, dither=0)
    assert np.array_equal(ImageQuant().quantize(photo(), 1 << bits).render(), render(file))


@pytest.mark.parametrize("bits", [1, 2, 3, 4, 5, 6, 7])
def test_powers_of_two_match_the_gif_of_libvips(bits: int) -> None:
    file = pyvips.Image.new_from_array(photo()).gifsave_buffer(bitdepth=bits, dither=0)
    assert np.array_equal(ImageQuant().quantize(photo(), 1 << bits).render(), render(file))


def test_rare_entries_are_merged_before_common_ones_that_are_closer() -> None:
    palette = np.array([[0, 0, 0], [10, 10, 10], [100, 100, 100], [130, 130, 130]], np.uint8)
    indices = np.repeat(np.array([0, 1, 2, 3], np.uint8), [1000, 1000, 1, 2])[np.newaxis]
    image = merge_entries(PaletteImage(indices, palette), 3)
    assert image.palette.tolist() == [[0, 0, 0], [10, 10, 10], [120, 120, 120]]
    assert image.counts().tolist() == [1000, 1000, 3]


@pytest.mark.parametrize("colors", [2, 9, 20, 29])
def test_merging_selects_the_best_of_all_pairs_each_time(colors: int) -> None:
    generator = np.random.default_rng(colors)
    palette = generator.integers(0, 256, (30, 3), dtype=np.uint8)
    image = PaletteImage(generator.integers(0, 30, (40, 50), dtype=np.uint8), palette).compact()
    expected = merge_naively(image.palette.astype(float), image.counts(), colors)
    assert sorted(merge_entries(image, colors).palette.tolist()) == expected


@pytest.mark.parametrize(("width", "written"), [(65_535, "gif"), (65_536, "png")])
def test_an_image_that_no_gif_holds_is_written_as_png(
    width: int, written: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Five colors need three bits, which only GIF has; PNG takes four."""
    asked: list[tuple[str, int]] = []
    small = Image.new("RGB", (2, 2))

    class Source:
        def gifsave_buffer(self, bitdepth: int, **_: object) -> bytes:
            asked.append(("gif", bitdepth))
            return _gif(small)

        def pngsave_buffer(self, bitdepth: int, **_: object) -> bytes:
            asked.append(("png", bitdepth))
            return _gif(small)

    monkeypatch.setattr(pyvips.Image, "new_from_array", lambda *_, **__: Source())
    imagequant._quantize(Image.new("RGB", (width, 1)), 5)

    assert asked == [(written, 3 if written == "gif" else 4)]


def _gif(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "GIF")
    return file.getvalue()
