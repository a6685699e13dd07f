"""models/quantizers/classical/oklab.py: published values, and round trips."""

import numpy as np
import pytest

from models.quantizers.classical import oklab


@pytest.mark.parametrize(
    ("srgb", "lab"),
    [  # from the sample code for "CSS Color Module Level 4", W3C
        ((255, 255, 255), (1, 0, 0)),
        ((0, 0, 0), (0, 0, 0)),
        ((255, 0, 0), (0.62796, 0.22486, 0.12585)),
        ((0, 255, 0), (0.86644, -0.23389, 0.17950)),
        ((0, 0, 255), (0.45201, -0.03246, -0.31153)),
    ],
)
def test_conversions_match_published_values(srgb: tuple[int, ...], lab: tuple[float, ...]) -> None:
    assert oklab.from_srgb(np.array([srgb], np.uint8))[0] == pytest.approx(lab, abs=2e-5)


def test_a_round_trip_changes_no_color() -> None:
    levels = np.r_[0:16, 16:256:24, 250:256].astype(np.uint8)
    colors = np.stack(np.meshgrid(levels, levels, levels), -1).reshape(-1, 3)
    assert np.array_equal(oklab.to_srgb(oklab.from_srgb(colors)), colors)


def test_colors_outside_srgb_are_clipped() -> None:
    assert oklab.to_srgb(np.array([[1.2, 0, 0], [-0.1, 0, 0], [0.7, 0.4, 0.2]])).tolist() == [
        [255, 255, 255],
        [0, 0, 0],
        [255, 0, 0],
    ]
