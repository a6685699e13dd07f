"""models/networks/plan.py: a part of an image is indexed as in the whole, in bounded memory."""

import pytest
import torch

from models.networks import arg_max, plan
from models.networks.plan import Window
from tests.models.small_networks import make_colorcnn, make_images, make_plan, structure_of


def test_any_part_of_an_image_of_any_size_is_indexed_as_in_the_whole() -> None:
    images = make_images(1, 45, 71)
    view = torch.nn.functional.interpolate(images, (16, 16))
    plan = make_colorcnn().plan(view, images.flatten(2).transpose(1, 2), 6)
    whole = plan.index_logits(images)
    assert whole.shape == (1, 6, 45, 71)
    part = plan.index_logits(images[..., 13:30, 40:71], Window(13, 40, 45, 71))
    # Logits are of order 10 and come from matrix products of other shapes: a few float32 roundings apart.
    torch.testing.assert_close(part, whole[..., 13:30, 40:71], rtol=0, atol=1e-4)


def test_structure_is_interpolated_as_torch_does_it() -> None:
    images = make_images(1, 40, 24)
    plan = make_colorcnn().plan(make_images(1), images.flatten(2).transpose(1, 2), 4)
    color = torch.baddbmm(plan.offsets, plan.weights, images.flatten(2)).view(1, 4, 40, 24)
    structure = torch.nn.functional.interpolate(structure_of(plan), (40, 24), mode="bilinear")
    torch.testing.assert_close(plan.index_logits(images), color + structure, rtol=0, atol=1e-4)


def test_the_structure_of_each_image_has_its_own_scale() -> None:
    plan = make_plan(make_colorcnn(), make_images(2), 4)
    scaled = plan.scale_structure(torch.tensor([2.0, 0.5]))
    torch.testing.assert_close(structure_of(scaled)[0], 2 * structure_of(plan)[0])
    torch.testing.assert_close(structure_of(scaled)[1], structure_of(plan)[1] / 2)
    assert scaled.weights is plan.weights


def test_other_features_give_another_structure_of_the_same_plan() -> None:
    network, images = make_colorcnn(), make_images(2)
    plan = make_plan(network, images, 4)
    features = network.describe(images.flip(3)).features
    seen = plan.scale_structure(3).see(features)
    expected = network.plan(images, images.flatten(2).mT, 4, features)
    torch.testing.assert_close(structure_of(seen), structure_of(expected))
    assert seen.weights is plan.weights and seen.offsets is plan.offsets


def test_above_the_structure_cutoff_features_change_nothing() -> None:
    network, images = make_colorcnn(structure_cutoff=(2, 4)), make_images()
    plan = make_plan(network, images, 8)
    assert plan.see(network.describe(images).features) is plan


def test_a_plan_without_structure_has_none_to_scale() -> None:
    without = make_plan(make_colorcnn(), make_images(), 4)._replace(structure=None)
    assert without.scale_structure(2) is without


@pytest.mark.parametrize("colors", [3, 64])
@pytest.mark.parametrize(("height", "width"), [(16, 16), (45, 71)])
def test_indices_are_the_arg_max_of_the_logits(
    colors: int, height: int, width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = make_images(2, height, width)
    network = make_colorcnn(structure_cutoff=(32, 64))
    made = network.plan(make_images(2), images.flatten(2).transpose(1, 2), colors)
    expected = made.index_logits(images).argmax(1).to(torch.uint8)
    assert torch.equal(made.indices(images), expected)
    for module in (plan, arg_max):  # a few rows at a time
        monkeypatch.setattr(module, "chunk_size", lambda device: 1000)
    assert torch.equal(made.indices(images), expected)
