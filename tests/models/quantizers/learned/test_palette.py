"""models/quantizers/learned/palette.py: sums and means of the pixels of each index."""

import numpy as np
import pytest
import torch

from models.quantizers.learned.palette import color_sums, mean_palette


@pytest.mark.parametrize("shape", [(2, 7, 5), (1, 1, 1)])
def test_sums_are_taken_over_the_pixels_of_each_index(shape: tuple[int, int, int]) -> None:
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (*shape, 3), generator=generator).to(torch.uint8)
    indices = torch.randint(0, 4, shape, generator=generator).to(torch.uint8)
    sums = color_sums(pixels, indices, 5)
    for image, entry in np.ndindex(shape[0], 5):
        mine = pixels[image][indices[image] == entry].long()
        assert sums[image, entry].tolist() == [*mine.sum(0).tolist(), len(mine)]


def test_the_palette_is_the_rounded_mean_and_unused_indices_are_dropped() -> None:
    indices = np.array([[0, 2, 2]], np.uint8)
    sums = np.array([[10, 20, 30, 1], [0, 0, 0, 0], [5, 1, 6, 2]], np.int64)
    image = mean_palette(indices, sums)
    assert image.render().tolist() == [[[10, 20, 30], [2, 0, 3], [2, 0, 3]]]  # halves round to even
    assert image.colors == 2
