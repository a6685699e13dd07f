"""models/rgb.py."""

import numpy as np
import pytest

from models.rgb import check_pixels, pack, unpack


def test_a_colour_is_a_number_of_six_hexadecimal_digits() -> None:
    colors = np.array([[0x12, 0x34, 0x56], [255, 255, 255], [0, 0, 1]], np.uint8)
    assert pack(colors).tolist() == [0x123456, 0xFFFFFF, 1]
    assert np.array_equal(unpack(pack(colors)), colors)


@pytest.mark.parametrize("shape", [(3, 3), (2, 2, 4), (0, 2, 3)])
def test_other_shapes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"\(H, W, 3\) uint8"):
        check_pixels(np.zeros(shape, np.uint8))
