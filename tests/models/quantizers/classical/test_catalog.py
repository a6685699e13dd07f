"""models/quantizers/classical/catalog.py: properties that all classical quantizers share, and those of Pillow's."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from PIL import Image

from models.errors import BadOption
from models.palette_image import PaletteImage
from models.quantizers.base import Quantizer
from models.quantizers.classical.catalog import CLASSICAL
from models.quantizers.classical.median_cut import subsample
from models.rgb import Pixels

SHAPES = st.tuples(st.integers(1, 24), st.integers(1, 24))
COLORS = st.one_of(st.integers(2, 8), st.integers(2, 256))

every_quantizer = pytest.mark.parametrize("quantizer", CLASSICAL.values(), ids=list(CLASSICAL))


@st.composite
def images(draw: st.DrawFn) -> Pixels:
    """Draw noise of all colors or of neighboring colors, which octrees merge and means round."""
    height, width = draw(SHAPES)
    top = draw(st.sampled_from([2, 4, 256]))
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    low = draw(st.integers(0, 256 - top))
    return generator.integers(low, low + top, (height, width, 3), dtype=np.uint8)


@st.composite
def images_of_few_colors(draw: st.DrawFn, most: int) -> Pixels:
    palette: Pixels = draw(arrays(np.uint8, (most, 3)))
    indices: NDArray[np.intp] = draw(arrays(np.intp, SHAPES, elements=st.integers(0, most - 1)))
    return palette[indices]


def count_colors(pixels: Pixels) -> int:
    return len(np.unique(pixels.reshape(-1, 3), axis=0))


def photo() -> Pixels:
    """Return 64 x 64 smooth colors with a little noise: 3,000 to 4,000 distinct colors."""
    y, x = np.mgrid[0:64, 0:64]
    smooth = np.stack([x * 3, y * 3, 255 - x - y], axis=-1)
    noise = np.random.default_rng(0).integers(-8, 8, smooth.shape)
    return (smooth + noise).clip(0, 255).astype(np.uint8)


@every_quantizer
@settings(deadline=None, max_examples=50)
@given(pixels=images(), colors=COLORS)
def test_the_palette_has_few_colors_all_used_and_distinct(quantizer: Quantizer, pixels: Pixels, colors: int) -> None:
    quantized = quantizer.quantize(pixels, colors)
    assert quantized.render().shape == pixels.shape
    assert len(quantized.palette) <= colors
    assert (quantized.counts() > 0).all()
    assert count_colors(quantized.palette[np.newaxis]) == len(quantized.palette)


@every_quantizer
@settings(deadline=None, max_examples=50)
@given(data=st.data(), most=st.integers(1, 12), spare=st.integers(0, 4))
def test_an_image_of_few_colors_is_returned_exactly(
    quantizer: Quantizer, data: st.DataObject, most: int, spare: int
) -> None:
    pixels = data.draw(images_of_few_colors(most))
    colors = max(2, count_colors(pixels) + spare)
    assert np.array_equal(quantizer.quantize(pixels, colors).render(), pixels)


@every_quantizer
@settings(deadline=None, max_examples=50)
@given(pixels=images(), colors=COLORS)
def test_equal_pixels_give_equal_results(quantizer: Quantizer, pixels: Pixels, colors: int) -> None:
    assert quantizer.quantize(pixels, colors) == quantizer.quantize(np.asfortranarray(pixels), colors)


def test_threads_do_not_disturb_each_other() -> None:
    jobs = [(quantizer, pixels, 9) for quantizer in CLASSICAL.values() for pixels in (photo(), photo()[::-1])]

    def run(job: tuple[Quantizer, Pixels, int]) -> PaletteImage:
        quantizer, pixels, colors = job
        return quantizer.quantize(pixels, colors)

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(run, jobs * 2)) == [run(job) for job in jobs] * 2


@every_quantizer
@pytest.mark.parametrize("shape", [(1, 70_000), (70_000, 1)])
def test_images_longer_than_file_formats_allow_are_quantized(quantizer: Quantizer, shape: tuple[int, int]) -> None:
    pixels = np.resize(photo(), (*shape, 3))
    quantized = quantizer.quantize(pixels, 7)
    assert quantized.render().shape == pixels.shape
    assert quantized.colors == 7


@every_quantizer
def test_every_number_of_colors_is_used_on_a_photo(quantizer: Quantizer) -> None:
    for colors in (2, 3, 7, 16, 256):
        assert len(quantizer.quantize(photo(), colors).palette) == colors


@every_quantizer
@pytest.mark.parametrize("colors", [-1, 0, 1, 257, 2**70])
def test_a_number_of_colors_out_of_range_is_rejected(quantizer: Quantizer, colors: int) -> None:
    with pytest.raises(BadOption, match="2 to 256"):
        quantizer.quantize(photo(), colors)


@every_quantizer
@pytest.mark.parametrize(
    ("shape", "dtype"), [((4, 4), np.uint8), ((4, 4, 4), np.uint8), ((0, 4, 3), np.uint8), ((4, 4, 3), np.float32)]
)
def test_pixels_of_another_shape_or_type_are_rejected(
    quantizer: Quantizer, shape: tuple[int, ...], dtype: type
) -> None:
    pixels: NDArray[Any] = np.zeros(shape, dtype)
    with pytest.raises(ValueError, match=r"\(H, W, 3\) uint8"):
        quantizer.quantize(pixels, 2)


@every_quantizer
def test_more_colors_give_a_smaller_error_on_a_photo(quantizer: Quantizer) -> None:
    images = [quantizer.quantize(photo(), colors).render() for colors in (2, 16, 256)]
    errors = [np.square(pixels - photo().astype(float)).mean() for pixels in images]
    assert errors[0] > 2 * errors[1] > 4 * errors[2]


@pytest.mark.parametrize("name", ["max_coverage", "wu"])
@settings(deadline=None, max_examples=50)
@given(pixels=images(), colors=st.lists(COLORS, min_size=2, max_size=2).map(sorted))
def test_the_error_does_not_grow_with_colors_where_more_colors_refine_fewer(
    name: str, pixels: Pixels, colors: list[int]
) -> None:
    """The others may find a worse optimum with more colors, or start anew."""
    few, many = (CLASSICAL[name].quantize(pixels, number).render() for number in colors)
    error_of_few, error_of_many = (np.square(quantized - pixels.astype(float)).mean() for quantized in (few, many))
    rounding = 0.25  # of means to 8 bits: at most half a level in each channel
    assert error_of_many <= error_of_few + rounding


def test_catalog_keys_are_the_names_of_quantizers() -> None:
    assert list(CLASSICAL) == [
        "median_cut",
        "median_cut_by_error",
        "octree",
        "octree_nearest",
        "max_coverage",
        "median_cut_dither",
        "halftone",
        "kmeans",
        "kmeans_oklab",
        "wu",
        "wu_nearest",
        "libimagequant",
    ]
    assert all(name == quantizer.name for name, quantizer in CLASSICAL.items())


def test_median_cut_divides_a_gray_ramp_into_equal_halves_and_quarters() -> None:
    ramp = np.arange(256, dtype=np.uint8).repeat(3).reshape(16, 16, 3)
    for colors, means in ((2, [64, 192]), (4, [32, 96, 160, 224])):
        palette = CLASSICAL["median_cut"].quantize(ramp, colors).palette
        assert np.sort(palette[:, 0]) == pytest.approx(means, abs=2)  # a cut may go to either side of the median


@pytest.mark.parametrize(("name", "method"), [("median_cut", 0), ("max_coverage", 1), ("octree", 2)])
def test_pixels_are_those_of_the_pillow_method_that_the_paper_compares_with(name: str, method: int) -> None:
    reference = Image.fromarray(photo()).quantize(5, method=method, dither=Image.Dither.NONE).convert("RGB")
    assert np.array_equal(CLASSICAL[name].quantize(photo(), 5).render(), np.asarray(reference))


def test_dither_has_the_palette_of_median_cut_and_keeps_local_means() -> None:
    gray = np.repeat(np.linspace(40, 215, 64).astype(np.uint8)[np.newaxis, :, np.newaxis], 32, axis=0).repeat(3, axis=2)
    plain, dithered = (CLASSICAL[name].quantize(gray, 2) for name in ("median_cut", "median_cut_dither"))

    def error_of_local_means(quantized: Pixels) -> float:
        blocks = (quantized.astype(float) - gray).reshape(8, 4, 16, 4, 3).mean(axis=(1, 3))
        inside = slice(4, 12)  # no mixture is darker or brighter than the palette
        return float(np.abs(blocks[:, inside]).mean())

    assert sorted(dithered.palette.tolist()) == sorted(plain.palette.tolist())
    assert error_of_local_means(dithered.render()) < 0.5 * error_of_local_means(plain.render())


@pytest.mark.parametrize("name", ["median_cut", "median_cut_dither"])
def test_the_palette_of_a_large_photo_is_close_to_that_of_a_small_one(name: str) -> None:
    large = photo().repeat(10, axis=0).repeat(10, axis=1)  # 640 x 640, so the palette comes from a sample
    small, quantized = (np.sort(CLASSICAL[name].quantize(pixels, 8).palette, axis=0) for pixels in (photo(), large))
    assert np.abs(quantized.astype(int) - small).max() <= 8


@pytest.mark.parametrize("size", [(513, 512), (1, 1_000_000), (300_000, 3)])
def test_a_sample_is_bounded_for_every_shape(size: tuple[int, int]) -> None:
    sample = subsample(Image.new("RGB", size))
    assert 512 * 512 // 8 < sample.width * sample.height <= 512 * 512


@pytest.mark.parametrize("name", ["median_cut", "max_coverage"])
def test_each_pixel_of_a_large_photo_takes_the_nearest_entry(name: str) -> None:
    generator = np.random.default_rng(0)
    large = (photo().repeat(9, axis=0).repeat(9, axis=1) + generator.integers(-20, 20, (576, 576, 3))).clip(0, 255)
    quantized = CLASSICAL[name].quantize(large.astype(np.uint8), 16)
    distances = ((large[::7, ::7, np.newaxis] - quantized.palette.astype(int)) ** 2).sum(-1)
    assert np.array_equal(distances.min(-1), ((large - quantized.render().astype(int)) ** 2).sum(-1)[::7, ::7])
