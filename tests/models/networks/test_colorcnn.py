"""models/networks/colorcnn.py: what soft and hard promise, and that a part of an image is indexed as in the whole."""

import json
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from models.networks import colorcnn
from models.networks.centers import kmeans_centers
from models.networks.classifiers import ClassifierConfig
from models.networks.colorcnn import ColorCNN, ColorCNNConfig, Plan, Window, build_colorcnn
from models.networks.published import PublishedColorCNN, PublishedConfig


def make_network(width: int = 4) -> ColorCNN:
    torch.manual_seed(0)
    encoder = ClassifierConfig(architecture="resnet9", classes=3, size=16, width=width)
    return build_colorcnn(ColorCNNConfig(encoder=encoder, widths=(4, 4, 4, 4), features=8, hidden=8)).eval()


def make_images(count: int = 2, height: int = 16, width: int = 16) -> Tensor:
    return torch.rand(count, 3, height, width, generator=torch.Generator().manual_seed(1))


def structure_of(plan: Plan) -> Tensor:
    assert plan.structure is not None
    return plan.structure


@pytest.mark.parametrize("colors", [2, 3, 7, 256])
def test_soft_probabilities_sum_to_one_and_paint_what_equation_2_says(colors: int) -> None:
    result = make_network().soft(make_images(), colors)
    assert result.probabilities.shape == (2, colors, 16, 16)
    torch.testing.assert_close(result.probabilities.sum(1), torch.ones(2, 16, 16))
    expected = torch.einsum("bkc,bkhw->bchw", result.palette, result.probabilities)
    torch.testing.assert_close(result.images, expected)


def test_hard_indices_are_the_arg_max_of_the_soft_map_and_the_palette_is_the_mean_of_its_pixels() -> None:
    network, images = make_network(), make_images()
    hard = network.hard(images, 5)
    assert torch.equal(hard.indices, network.soft(images, 5).probabilities.argmax(1))
    for index in hard.indices[1].unique().tolist():
        pixels = images[1][:, hard.indices[1] == index]
        torch.testing.assert_close(hard.palette[1, index], pixels.mean(1), rtol=0, atol=1e-6)
        assert int(hard.counts[1, index]) == pixels.shape[1]
    assert hard.counts.sum(1).tolist() == [256, 256]


def test_any_part_of_an_image_of_any_size_is_indexed_as_in_the_whole() -> None:
    network, images = make_network(), make_images(1, 45, 71)
    view = torch.nn.functional.interpolate(images, (16, 16))
    plan = network.plan(view, images.flatten(2).transpose(1, 2), 6)
    whole = network.index_logits(images, plan)
    assert whole.shape == (1, 6, 45, 71)
    part = network.index_logits(images[..., 13:30, 40:71], plan, Window(13, 40, 45, 71))
    # Logits are of order 10 and come from matrix products of other shapes: a few float32 roundings apart.
    torch.testing.assert_close(part, whole[..., 13:30, 40:71], rtol=0, atol=1e-4)


def test_structure_is_interpolated_as_torch_does_it() -> None:
    network, images = make_network(), make_images(1, 40, 24)
    plan = network.plan(make_images(1), images.flatten(2).transpose(1, 2), 4)
    color = torch.baddbmm(plan.offsets, plan.weights, images.flatten(2)).view(1, 4, 40, 24)
    structure = torch.nn.functional.interpolate(structure_of(plan), (40, 24), mode="bilinear")
    torch.testing.assert_close(network.index_logits(images, plan), color + structure, rtol=0, atol=1e-4)


def test_without_structure_the_network_is_the_k_means_that_it_starts_from() -> None:
    network, images = make_network(), make_images(1)
    pixels = images.flatten(2).transpose(1, 2)
    logits = network.index_logits(images, network.plan(images, pixels, 5).times(0))
    nearest = torch.cdist(pixels, kmeans_centers(pixels, 5).colors).argmin(2)
    assert torch.equal(logits.flatten(2).argmax(1), nearest)


def test_structure_fades_with_the_number_of_colors() -> None:
    config = make_network().config
    assert config.structure_weight(256) == 1
    faded = replace(config, fade=(32, 64))
    weights = [faded.structure_weight(k) for k in (2, 32, 45, 64, 256)]
    assert weights == pytest.approx([1, 1, 0.508, 0, 0], abs=1e-3)  # 64 / 45 is 0.508 octaves
    assert ColorCNNConfig.from_json(json.loads(json.dumps(faded.to_json()))) == faded
    with pytest.raises(ValueError, match="rising"):
        replace(config, fade=(64, 64))
    network, images = build_colorcnn(faded).eval(), make_images()
    plan = network.plan(images, images.flatten(2).transpose(1, 2), 64)
    assert plan.structure is None and plan.times(2) is plan


@pytest.mark.parametrize("strengths", [(), (-1.0,), (1.0, float("inf")), (float("nan"),)])
def test_strengths_that_are_none(strengths: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="from 0 on"):
        replace(make_network().config, strengths=strengths)


def test_the_structure_of_each_image_times_its_own_strength() -> None:
    network, images = make_network(), make_images(2)
    plan = network.plan(images, images.flatten(2).transpose(1, 2), 4)
    stronger = plan.times(torch.tensor([2.0, 0.5]))
    torch.testing.assert_close(structure_of(stronger)[0], 2 * structure_of(plan)[0])
    torch.testing.assert_close(structure_of(stronger)[1], structure_of(plan)[1] / 2)
    assert stronger.weights is plan.weights


def test_the_encoder_is_frozen_even_in_training_mode() -> None:
    network = make_network().train()
    before = {name: value.clone() for name, value in network.encoder.state_dict().items()}
    network.soft(make_images(), 4).images.square().sum().backward()
    assert all(parameter.grad is None for parameter in network.encoder.parameters())
    assert all(torch.equal(value, before[name]) for name, value in network.encoder.state_dict().items())
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in network.queries.parameters())


@pytest.mark.parametrize("colors", [3, 64])
@pytest.mark.parametrize(("height", "width"), [(16, 16), (45, 71)])
def test_indices_are_the_arg_max_of_the_logits(
    colors: int, height: int, width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    network, images = (
        build_colorcnn(replace(make_network().config, fade=(32, 64))).eval(),
        make_images(2, height, width),
    )
    plan = network.plan(make_images(2), images.flatten(2).transpose(1, 2), colors)
    expected = network.index_logits(images, plan).argmax(1).to(torch.uint8)
    assert torch.equal(network.indices(images, plan), expected)
    monkeypatch.setattr(colorcnn, "piece", lambda device: 1000)  # a few rows at a time
    assert torch.equal(network.indices(images, plan), expected)


def test_a_decoder_whose_sums_are_folded_computes_the_same() -> None:
    network, images = make_network(), make_images(4)
    maps = network.encoder.features(images)
    for module in network.decoder.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = 1.0
            torch.nn.init.uniform_(module.weight, 0.5, 2.0)
            torch.nn.init.normal_(module.bias)
    network.decoder.train()(images, maps)  # so that the running statistics are not the identity
    before = network.decoder.eval()(images, maps)
    network.decoder.fold_sums()
    names = {name for name, part in network.decoder.named_modules() if isinstance(part, torch.nn.BatchNorm2d)}
    assert names == {f"mixers.{level}.3" for level in range(4)}
    torch.testing.assert_close(network.decoder(images, maps), before, rtol=1e-4, atol=1e-4)


def test_images_of_another_size_need_a_plan() -> None:
    with pytest.raises(ValueError, match="16 x 16, not 20 x 16"):
        make_network().soft(make_images(1, 20, 16), 4)


def test_the_configuration_survives_json() -> None:
    config = ColorCNNConfig(encoder=ClassifierConfig(architecture="resnet18", classes=7), widths=(1, 2, 3, 4))
    assert ColorCNNConfig.from_json(json.loads(json.dumps(config.to_json()))) == config
    with pytest.raises(TypeError, match="depth"):
        ColorCNNConfig.from_json(config.to_json() | {"depth": 3})


@pytest.mark.parametrize("colors", [2, 256])
def test_it_needs_a_quarter_of_the_published_network_s_multiply_adds(colors: int) -> None:
    encoder = ClassifierConfig(architecture="resnet9", classes=10, width=32)
    served = build_colorcnn(ColorCNNConfig(encoder=encoder)).eval()
    published = PublishedColorCNN(PublishedConfig(colors=colors)).eval()
    image = make_images(1, 32, 32)
    assert 4 * operations(lambda: served.hard(image, colors)) < operations(lambda: published.hard(image))


def operations(paint: Callable[[], object]) -> int:
    with FlopCounterMode(display=False) as counter:
        paint()
    return int(counter.get_total_flops())
