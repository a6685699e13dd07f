"""The samples of the page are what their code draws, and the cat is ours."""

import numpy as np
import pytest
from PIL import Image

from docs.generator import samples


@pytest.mark.parametrize("name", ["balloon", "clock"])
def test_a_sample_is_what_its_code_draws(name: str) -> None:
    drawn = np.asarray(getattr(samples, name)(), np.float64)
    with Image.open(samples.SAMPLES / f"{name}.png") as stored:
        assert stored.size == (drawn.shape[1], drawn.shape[0])
        assert np.abs(np.asarray(stored) - drawn).mean() < 1  # another Pillow may smooth its letters otherwise


def test_the_cat_is_the_photograph_of_the_tests() -> None:
    assert (samples.SAMPLES / "cat.jpg").read_bytes() == samples.CAT.read_bytes()


def test_the_clock_is_transparent_around_its_dial() -> None:
    alpha = np.asarray(samples.clock())[..., 3]

    assert alpha[0, 0] == 0
    assert alpha[alpha.shape[0] // 2, alpha.shape[1] // 2] == 255
