"""models/quantizers/transparency/alpha_dither.py: smooth alpha becomes one of a few steps."""

import numpy as np
import pytest

from models.quantizers.transparency.alpha_dither import dithered

RAMP = np.tile(np.arange(0, 256, dtype=np.uint8), (64, 1))


@pytest.mark.parametrize("steps", [[0, 255], [0, 100, 255], [0, 30, 60, 255]])
def test_a_ramp_becomes_steps_with_the_same_means(steps: list[int]) -> None:
    result = dithered(RAMP, np.array(steps))
    assert set(result.ravel().tolist()) <= set(steps)
    means, expected = (each.reshape(8, 8, 32, 8).mean((1, 3)) for each in (result, RAMP))
    assert np.abs(means - expected).max() < 5


def test_levels_beyond_the_steps_become_the_nearest_one() -> None:
    result = dithered(RAMP, np.array([50, 200]))
    assert (result[:, :50] == 50).all()
    assert (result[:, 201:] == 200).all()


@pytest.mark.parametrize("step", [0, 100, 255])
def test_a_level_that_is_a_step_stays(step: int) -> None:
    assert (dithered(np.full((9, 9), step, np.uint8), np.array([0, 100, 255])) == step).all()


def test_an_edge_stays_as_it_is() -> None:
    edge = np.tile(np.array([0, 0, 90, 255, 255], np.uint8), (6, 1))
    for alpha in (edge, np.ascontiguousarray(edge.T)):
        assert np.array_equal(dithered(alpha, np.array([0, 255])), alpha)


def test_bands_fit_together() -> None:
    steps = np.array([0, 255])
    assert np.array_equal(dithered(RAMP[13:], steps, 13), dithered(RAMP, steps)[13:])
