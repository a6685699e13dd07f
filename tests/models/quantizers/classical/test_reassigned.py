"""models/quantizers/classical/reassigned.py: the palette of the base, and the nearest entry for each pixel."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.palette_image import PaletteImage
from models.quantizers.base import Quantizer
from models.quantizers.classical.catalog import CLASSICAL
from models.quantizers.classical.octree import Octree
from models.quantizers.classical.reassigned import Reassigned
from models.quantizers.classical.wu import Wu
from models.rgb import Pixels

every_base = pytest.mark.parametrize("base", [Octree(), Wu()], ids=["octree", "wu"])


def noise(seed: int, top: int = 256) -> Pixels:
    return np.random.default_rng(seed).integers(0, top, (20, 20, 3), dtype=np.uint8)


def errors(pixels: Pixels, quantized: PaletteImage) -> list[int]:
    """Return the squared error of each pixel."""
    squares: NDArray[np.int64] = ((quantized.render().astype(np.int64) - pixels) ** 2).sum(-1)
    return [int(square) for square in squares.flat]


@every_base
@settings(deadline=None, max_examples=50)
@given(seed=st.integers(0, 99), top=st.sampled_from([3, 20, 256]), colors=st.integers(2, 256))
def test_each_pixel_has_the_nearest_entry_of_the_palette_of_the_base(
    base: Quantizer, seed: int, top: int, colors: int
) -> None:
    pixels = noise(seed, top)
    of_base, quantized = base.quantize(pixels, colors), Reassigned(base).quantize(pixels, colors)

    distances = ((pixels.reshape(-1, 1, 3).astype(int) - of_base.palette) ** 2).sum(-1)
    assert errors(pixels, quantized) == distances.min(1).tolist()
    assert set(quantized.hex_palette()) <= set(of_base.hex_palette())


@every_base
def test_the_error_of_some_pixels_shrinks_and_of_none_grows(base: Quantizer) -> None:
    pixels = noise(0)
    before, after = (errors(pixels, quantizer.quantize(pixels, 16)) for quantizer in (base, Reassigned(base)))
    assert all(new <= old for old, new in zip(before, after, strict=True))
    assert sum(after) < sum(before)


def test_an_entry_that_loses_all_its_pixels_is_left_out() -> None:
    class Wrong:
        name = "wrong"

        def quantize(self, pixels: Pixels, _: int) -> PaletteImage:
            indices = np.zeros(pixels.shape[:2], np.uint8)
            indices[0, 0] = 1
            return PaletteImage(indices, np.array([[255, 0, 0], [128, 128, 128]], np.uint8))

    quantized = Reassigned(Wrong()).quantize(np.full((4, 4, 3), 100, np.uint8), 2)
    assert quantized.hex_palette() == ("#808080",)


def test_the_name_says_which_palette() -> None:
    assert [name for name, quantizer in CLASSICAL.items() if isinstance(quantizer, Reassigned)] == [
        "octree_nearest",
        "wu_nearest",
    ]
