"""models/codecs/webp.py: palette images as lossless WebP. tests/models/codecs/test_codecs.py tests the lossy one."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from models.codecs import webp
from models.errors import BadOption
from models.palette_image import PaletteImage


def random_image(colors: int, alpha: bool) -> PaletteImage:
    random = np.random.default_rng(colors)
    indices = random.integers(0, colors, (33, 47), dtype=np.uint8)
    palette = random.integers(0, 256, (colors, 3), dtype=np.uint8)
    levels = random.integers(0, 256, colors, dtype=np.uint8)
    levels[0] = 0
    return PaletteImage(indices, palette, levels if alpha else None)


@pytest.mark.parametrize("effort", ["fast", "default", "max"])
@pytest.mark.parametrize("colors", [2, 16, 17, 256])
@pytest.mark.parametrize("alpha", [False, True])
def test_the_file_has_exactly_the_pixels(colors: int, effort: str, *, alpha: bool) -> None:
    """Also the colors of transparent pixels."""
    image = random_image(colors, alpha)
    file = webp.encode_lossless(image, effort=effort)  # type: ignore[arg-type]
    with Image.open(BytesIO(file)) as read:
        assert (read.format, read.mode) == ("WEBP", "RGBA" if alpha else "RGB")
        pixels = np.asarray(read)
    assert np.array_equal(pixels[:, :, :3], image.render())
    if alpha:
        assert np.array_equal(pixels[:, :, 3], image.render_alpha())


def test_a_picture_of_few_colors_takes_few_bytes() -> None:
    indices = np.eye(8, dtype=np.uint8).repeat(40, axis=0).repeat(40, axis=1)
    assert len(webp.encode_lossless(PaletteImage(indices, np.array([[1, 2, 3], [4, 5, 6]], np.uint8)))) < 400


@pytest.mark.parametrize("shape", [(1, 16_384), (16_384, 1)])
def test_a_picture_that_is_too_long_is_refused(shape: tuple[int, int]) -> None:
    image = PaletteImage(np.zeros(shape, np.uint8), np.zeros((1, 3), np.uint8))
    with pytest.raises(BadOption, match=r"at most 16383 pixels along a side, .* ask for a PNG"):
        webp.encode_lossless(image)


def test_a_picture_of_the_longest_side_is_written() -> None:
    image = PaletteImage(np.zeros((1, webp.MAX_SIDE), np.uint8), np.zeros((1, 3), np.uint8))
    with Image.open(BytesIO(webp.encode_lossless(image))) as read:
        assert read.size == (webp.MAX_SIDE, 1)
