"""models/resampling.py."""

import numpy as np

from models.resampling import resize


def test_an_image_of_the_right_size_is_left_alone() -> None:
    pixels = np.arange(8 * 8 * 3, dtype=np.uint8).reshape(8, 8, 3)
    assert resize(pixels, 8) is pixels


def test_every_pixel_of_a_large_image_counts() -> None:
    """A fine checkerboard becomes gray; a filter that skips pixels would give black or white."""
    board = np.indices((512, 300)).sum(0) % 2 * np.uint8(255)
    scaled = resize(np.repeat(board[..., None], 3, 2).astype(np.uint8), 32)
    assert scaled.shape == (32, 32, 3)
    assert np.abs(scaled.astype(int) - 127).max() <= 4
