"""models/quantizers/base.py: images that already have few colors."""

import numpy as np

from models.quantizers.base import exact


def test_exact_counts_colors_that_its_sample_misses() -> None:
    pixels = np.zeros((512, 512, 3), np.uint8)
    pixels[100, 101] = 255  # the sample is every 64th pixel
    pixels[300, 77] = 9
    assert exact(pixels, 2) is None
    image = exact(pixels, 3)
    assert image is not None
    assert np.array_equal(image.render(), pixels)
