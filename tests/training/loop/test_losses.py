"""training/loop/losses.py: the terms' ends."""

import math

import pytest
import torch

from training.loop.losses import disagreement, regularizer, total_variation


@pytest.mark.parametrize("colors", [2, 5])
def test_the_regularizer_is_0_when_every_color_has_a_certain_pixel(colors: int) -> None:
    owners = torch.arange(colors).expand(3, 1, colors)
    probabilities = torch.nn.functional.one_hot(owners, colors).permute(0, 3, 1, 2).float()
    assert regularizer(probabilities) == 0


@pytest.mark.parametrize("colors", [2, 5])
def test_the_regularizer_is_largest_for_uniform_probabilities(colors: int) -> None:
    torch.manual_seed(0)
    flat = regularizer(torch.full((3, colors, 4, 4), 1 / colors))
    any_map = regularizer(torch.randn(3, colors, 4, 4).softmax(1))
    assert flat.item() == pytest.approx(math.log2(colors) * (1 - 1 / colors))
    assert 0 < any_map < flat < math.log2(colors)


def test_an_unused_color_adds_its_share_to_the_regularizer() -> None:
    probabilities = torch.zeros(1, 4, 2, 2)
    for pixel, color in enumerate((0, 1, 2, 2)):
        probabilities[0, color, pixel // 2, pixel % 2] = 1
    assert regularizer(probabilities).item() == pytest.approx(2 * 1 / 4)


def test_neighbors_disagree_where_index_maps_change() -> None:
    indices = torch.tensor([[[0, 0, 1], [0, 2, 1]]])
    probabilities = torch.nn.functional.one_hot(indices, 3).permute(0, 3, 1, 2).float()
    different = 1 + 2 + 1  # in the upper row, in the lower row, one above the other
    assert disagreement(probabilities).item() == pytest.approx(different / 7)
    assert disagreement(torch.full((2, 4, 5, 5), 0.25)).item() == pytest.approx(3 / 4)


def test_the_total_variation_sums_horizontal_and_vertical_differences() -> None:
    image = torch.tensor([[[[0.0, 0.5, 0.5], [1.0, 0.5, 0.0]]]])
    across, down = (0.5 + 0.5 + 0.5) / 4, (1.0 + 0.5) / 3
    assert total_variation(image).item() == pytest.approx(across + down)
    assert total_variation(torch.full((2, 3, 4, 4), 0.3)) == 0
