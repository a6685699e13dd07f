"""models/networks/colorcnn.py: what soft and hard promise, the encoder is frozen, and the configuration as JSON."""

import json
import math
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from models.networks.centers import Centers, kmeans_centers
from models.networks.classifiers import ClassifierConfig
from models.networks.colorcnn import ColorCNNConfig, _describe, build_colorcnn
from models.networks.palette import render_soft
from models.networks.published import PublishedColorCNN, PublishedConfig
from tests.models.small_networks import make_colorcnn, make_images, make_plan


@pytest.mark.parametrize("colors", [2, 3, 7, 256])
def test_soft_probabilities_sum_to_one_and_the_image_is_that_of_equation_2(colors: int) -> None:
    result = make_colorcnn().soft(make_images(), colors)
    assert result.probabilities.shape == (2, colors, 16, 16)
    torch.testing.assert_close(result.probabilities.sum(1), torch.ones(2, 16, 16))
    expected = torch.einsum("bkc,bkhw->bchw", result.palette, result.probabilities)
    torch.testing.assert_close(result.images, expected)


def test_the_lower_the_temperature_the_nearer_soft_images_are_to_hard_ones() -> None:
    network, images = make_colorcnn(), make_images()
    hard = render_soft(network.hard(images, 5).palette, F.one_hot(network.hard(images, 5).indices, 5).movedim(3, 1))
    results = [network.soft(images, 5, temperature) for temperature in (4.0, 1.0, 0.1, 1e-4)]
    distances = [float((result.images - hard).abs().mean().detach()) for result in results]
    assert distances == sorted(distances, reverse=True)
    assert distances[0] > 10 * distances[-1]
    assert all(torch.equal(result.probabilities.argmax(1), results[1].probabilities.argmax(1)) for result in results)


def test_hard_indices_are_the_arg_max_and_palette_entries_are_means() -> None:
    network, images = make_colorcnn(), make_images()
    hard = network.hard(images, 5)
    assert torch.equal(hard.indices, network.soft(images, 5).probabilities.argmax(1))
    for index in hard.indices[1].unique().tolist():
        pixels = images[1][:, hard.indices[1] == index]
        torch.testing.assert_close(hard.palette[1, index], pixels.mean(1), rtol=0, atol=1e-6)
        assert int(hard.counts[1, index]) == pixels.shape[1]
    assert hard.counts.sum(1).tolist() == [256, 256]


def test_without_structure_the_network_is_the_k_means_that_it_starts_from() -> None:
    images = make_images(1)
    pixels = images.flatten(2).transpose(1, 2)
    logits = make_plan(make_colorcnn(), images, 5).scale_structure(0).index_logits(images)
    nearest = torch.cdist(pixels, kmeans_centers(pixels, 5).colors).argmin(2)
    assert torch.equal(logits.flatten(2).argmax(1), nearest)


def test_structure_loses_weight_up_to_the_cutoff() -> None:
    assert make_colorcnn().config.structure_weight(256) == 1
    network = make_colorcnn(structure_cutoff=(32, 64))
    weights = [network.config.structure_weight(k) for k in (2, 32, 45, 64, 256)]
    assert weights == pytest.approx([1, 1, 0.508, 0, 0], abs=1e-3)  # 64 / 45 is 0.508 octaves
    assert make_plan(network, make_images(), 64).structure is None
    with pytest.raises(ValueError, match="rising"):
        replace(network.config, structure_cutoff=(64, 64))


def test_a_gain_is_a_structure_scale_that_falls_to_one_at_eight_colors() -> None:
    network, images = make_colorcnn(), make_images()
    expected = make_plan(network, images, 2).scale_structure(16.0).indices(images).long()
    assert not torch.equal(network.hard(images, 2).indices, expected)
    network.config = replace(network.config, structure_gain=16.0)
    assert torch.equal(network.hard(images, 2).indices, expected)
    assert [network.config.structure_weight(k) for k in (2, 4, 8, 9, 256)] == [16, 4, 1, 1, 1]
    faded = replace(network.config, structure_cutoff=(2, 8))
    assert [faded.structure_weight(k) for k in (2, 4, 8)] == [16, 2, 0]


@pytest.mark.parametrize("gain", [0.0, -1.0, math.inf, math.nan])
def test_a_gain_out_of_range_is_rejected(gain: float) -> None:
    with pytest.raises(ValueError, match="structure_gain must be a number above 0"):
        make_colorcnn(structure_gain=gain)


def test_the_last_values_of_a_range_are_accepted_and_the_next_are_not() -> None:
    config = make_colorcnn().config
    assert replace(config, structure_cutoff=(2, 3)).structure_weight(2) == 1
    assert replace(config, rounds=0).rounds == 0
    assert replace(config, structure_scales=(0.0,)).structure_scales == (0.0,)
    with pytest.raises(ValueError, match="rising"):
        replace(config, structure_cutoff=(1, 3))
    with pytest.raises(ValueError, match="rounds must be 0 or more, not -1"):
        replace(config, rounds=-1)


def test_the_defaults_are_those_of_the_published_recipes() -> None:
    """A recipe that names no widths must give the network that its row of the tables describes."""
    config = ColorCNNConfig(encoder=ClassifierConfig(architecture="resnet9", classes=10, width=32))
    assert (config.widths, config.features, config.hidden) == ((32, 48, 80, 128), 32, 64)
    assert (config.rounds, config.structure_cutoff, config.structure_scales) == (8, None, (1.0,))


def test_inputs_of_the_query_network_are_of_order_one() -> None:
    """Color, color relative to the image, rank, share and log2 K of three centers, one of which has half the pixels."""
    centers = Centers(
        torch.tensor([[[0.0, 0.0, 0.0], [0.5, 0.5, 0.5], [1.0, 1.0, 1.0], [1.0, 1.0, 1.0]]]),
        torch.tensor([[0.5, 0.25, 0.25, 0.0]]),
        torch.tensor([0.1]),
    )
    described = _describe(centers)[0]
    mean, contrast = 0.375, (3 * (0.5 * 0.375**2 + 0.25 * 0.125**2 + 0.25 * 0.625**2)) ** 0.5
    expected = [
        [*[-2.0] * 3, *[-mean / contrast] * 3, -1.0, 2**0.5 - 1, -0.5],
        [*[0.0] * 3, *[(0.5 - mean) / contrast] * 3, -1 / 3, 0.0, -0.5],
        [*[2.0] * 3, *[(1 - mean) / contrast] * 3, 1 / 3, 0.0, -0.5],
        [*[2.0] * 3, *[(1 - mean) / contrast] * 3, 1.0, -1.0, -0.5],
    ]
    torch.testing.assert_close(described, torch.tensor(expected))


def test_a_flat_image_has_finite_inputs() -> None:
    centers = Centers(torch.full((1, 2, 3), 0.5), torch.tensor([[1.0, 0.0]]), torch.tensor([1e-6]))
    assert bool(_describe(centers).isfinite().all())


@pytest.mark.parametrize("sharpness", [(0.0, 0.0), (1.0, 2.0)])
@pytest.mark.parametrize("colors", [2, 16])
def test_color_counts_by_the_distance_to_the_centers_over_their_spread(
    colors: int, sharpness: tuple[float, float]
) -> None:
    """Up to a term of the pixel alone, logits without structure are -beta |x - c|^2 / spread."""
    network, images = make_colorcnn(), make_images(1)
    network.sharpness.data = torch.tensor(sharpness)
    pixels = images.flatten(2).transpose(1, 2)
    centers = kmeans_centers(pixels, colors)
    beta = math.exp(sharpness[0] + sharpness[1] * math.log2(colors) / 8)
    expected = -beta * torch.cdist(pixels, centers.colors).square().transpose(1, 2) / centers.spread
    logits = make_plan(network, images, colors).scale_structure(0).index_logits(images).flatten(2)
    torch.testing.assert_close(
        logits - logits.mean(1, keepdim=True), expected - expected.mean(1, keepdim=True), rtol=1e-3, atol=1e-2
    )


@pytest.mark.parametrize("scales", [(), (-1.0,), (1.0, float("inf")), (float("nan"),)])
@pytest.mark.parametrize("name", ["structure_scales", "view_scales"])
def test_scales_out_of_range_are_rejected(name: str, scales: tuple[float, ...]) -> None:
    values = make_colorcnn().config.to_json() | {name: list(scales)}
    with pytest.raises(ValueError, match=f"{name} must be one or more numbers >= 0"):
        ColorCNNConfig.from_json(values)


@pytest.mark.parametrize("shift", [-2, 0, 9])
def test_shifts_out_of_range_are_rejected(shift: int) -> None:
    with pytest.raises(ValueError, match="view_shifts must be from 1 to 8 pixels"):
        replace(make_colorcnn().config, view_shifts=(2, shift))


def test_the_encoder_is_frozen_even_in_training_mode() -> None:
    network = make_colorcnn().train()
    before = {name: value.clone() for name, value in network.encoder.state_dict().items()}
    network.soft(make_images(), 4).images.square().sum().backward()
    assert all(parameter.grad is None for parameter in network.encoder.parameters())
    assert all(torch.equal(value, before[name]) for name, value in network.encoder.state_dict().items())
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in network.queries.parameters())


def test_images_of_another_size_need_a_plan() -> None:
    with pytest.raises(ValueError, match="16 x 16, not 20 x 16"):
        make_colorcnn().soft(make_images(1, 20, 16), 4)


def test_the_configuration_survives_json() -> None:
    config = ColorCNNConfig(
        encoder=ClassifierConfig(architecture="resnet18", classes=7),
        widths=(1, 2, 3, 4),
        structure_cutoff=(32, 64),
        structure_gain=1.5,
        structure_scales=(0.0, 2.0),
        view_shifts=(1, 8),
        view_scales=(0.5, 1.0),
    )
    assert ColorCNNConfig.from_json(json.loads(json.dumps(config.to_json()))) == config
    with pytest.raises(TypeError, match="depth"):
        ColorCNNConfig.from_json(config.to_json() | {"depth": 3})


def test_a_sub_pixel_branch_is_part_of_the_configuration() -> None:
    plain, branched = make_colorcnn().config, make_colorcnn(subpixel=4).config
    newer = {"subpixel", "structure_gain", "view_shifts", "view_scales"}
    assert not newer & plain.to_json().keys()  # older runs have no such fields
    assert branched.to_json()["subpixel"] == 4 and ColorCNNConfig.from_json(branched.to_json()) == branched
    with pytest.raises(ValueError, match="subpixel must be 0 or more"):
        make_colorcnn(subpixel=-1)


def test_a_sub_pixel_branch_corrects_the_features() -> None:
    network, images = make_colorcnn(subpixel=4), make_images()
    branch = network.decoder.subpixel
    assert branch is not None
    for parameter in branch.out[2].parameters():
        torch.nn.init.normal_(parameter)
    maps = network.encoder.features(images)
    normalized = (images - network.encoder.mean) / network.encoder.std
    corrected = network.describe(images).features
    network.decoder.subpixel = None
    torch.testing.assert_close(corrected, network.describe(images).features + branch(normalized, maps))


def test_the_configuration_of_an_older_checkpoint_is_read() -> None:
    config = make_colorcnn(structure_cutoff=(32, 64), structure_scales=(0.0, 2.0)).config
    values = config.to_json()
    assert {"structure_cutoff", "structure_scales"} < values.keys()
    older = values | {"fade": values.pop("structure_cutoff"), "strengths": values.pop("structure_scales")}
    assert ColorCNNConfig.from_json(json.loads(json.dumps(older))) == config
    with pytest.raises(TypeError, match="both its former and its present name"):
        ColorCNNConfig.from_json(config.to_json() | {"fade": None})


@pytest.mark.parametrize("colors", [2, 256])
def test_one_pass_needs_less_than_a_quarter_of_the_published_multiply_adds(colors: int) -> None:
    encoder = ClassifierConfig(architecture="resnet9", classes=10, width=32)
    served = build_colorcnn(ColorCNNConfig(encoder=encoder)).eval()
    published = PublishedColorCNN(PublishedConfig(colors=colors)).eval()
    image = make_images(1, 32, 32)
    assert 4 * operations(lambda: served.hard(image, colors)) < operations(lambda: published.hard(image))


def operations(quantize: Callable[[], object]) -> int:
    with FlopCounterMode(display=False) as counter:
        quantize()
    return int(counter.get_total_flops())
