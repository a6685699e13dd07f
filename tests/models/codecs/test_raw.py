"""models/codecs/raw.py: indices as packed bytes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.codecs import raw
from models.palette_image import PaletteImage


def image(indices: list[list[int]], colors: int) -> PaletteImage:
    return PaletteImage(np.array(indices, np.uint8), np.zeros((colors, 3), np.uint8))


@pytest.mark.parametrize(
    ("indices", "colors", "file"),
    [
        ([[1, 0, 0, 0, 0, 0, 0, 1, 1], [0, 1, 1, 1, 1, 1, 1, 0, 0]], 2, "8180 7e00"),
        ([[3, 0, 1, 2, 1], [0, 0, 0, 3, 0]], 4, "c640 0300"),
        ([[5, 15, 1]], 16, "5f10"),
        ([[5, 200], [16, 0]], 201, "05c8 1000"),
    ],
)
def test_the_leftmost_pixel_is_in_the_high_bits_and_rows_end_at_whole_bytes(
    indices: list[list[int]], colors: int, file: str
) -> None:
    assert raw.encode(image(indices, colors)) == bytes.fromhex(file)


@settings(deadline=None, max_examples=40)
@given(st.sampled_from([1, 2, 4, 8]), st.integers(1, 40), st.integers(1, 9), st.integers(0, 2))
def test_unpacking_the_bits_gives_the_indices(bits: int, width: int, height: int, margin: int) -> None:
    indices = np.random.default_rng(width).integers(0, 1 << bits, (height, width), dtype=np.uint8)
    rows = raw.pack_rows(indices, bits, margin=margin)
    assert rows.shape == (height, margin + -(-width * bits // 8))
    assert not rows[:, :margin].any()
    read = np.unpackbits(rows[:, margin:], axis=1)[:, : width * bits].reshape(height, width, bits)
    assert np.array_equal(np.packbits(read, axis=2)[:, :, 0] >> (8 - bits), indices)
