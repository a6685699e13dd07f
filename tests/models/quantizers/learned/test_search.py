"""models/quantizers/learned/search.py: each image gets the strength at which the classifier reads it best."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from models.errors import NotFinite
from models.networks.classifiers import ClassifierConfig
from models.networks.colorcnn import ColorCNN, ColorCNNConfig, Plan, build_colorcnn
from models.networks.palette import hard_palette
from models.quantizers.learned import search
from models.quantizers.learned.colorcnn import LearnedQuantizer
from models.quantizers.learned.search import strengthened

STRENGTHS = (0.0, 0.5, 1.0, 4.0)


def make_network(*strengths: float) -> ColorCNN:
    torch.manual_seed(0)
    encoder = ClassifierConfig(architecture="resnet9", classes=3, size=16, width=4)
    network = build_colorcnn(ColorCNNConfig(encoder=encoder, widths=(4, 4, 4, 4), features=8, hidden=8))
    # Fresh weights draw hardly any structure, and answer the same to everything.
    network.decoder.out.weight.data *= 30
    network.encoder.head.weight.data *= 1000
    network.config = replace(network.config, strengths=strengths)
    return network.eval()


def make_views(count: int) -> Tensor:
    return torch.randint(0, 256, (count, 3, 16, 16), generator=torch.Generator().manual_seed(1)) / 255


def planned(network: ColorCNN, views: Tensor, colors: int) -> Plan:
    return network.plan(views, views.flatten(2).transpose(1, 2), colors)


def painted(network: ColorCNN, view: Tensor, plan: Plan) -> Tensor:
    """One image as it is shown, (1, 3, 16, 16)."""
    logits = network.index_logits(view, plan)
    palette = hard_palette(view, logits.argmax(1), logits.shape[1]).palette.mul(255).round() / 255
    return palette[0][logits.argmax(1)].permute(0, 3, 1, 2)


@torch.inference_mode()
def best_of(network: ColorCNN, view: Tensor, colors: int, fidelity: float, floor: float = 0.05) -> float:
    """The strength of the least cost, one after the other."""
    answer = network.encoder(view).softmax(1)
    costs = {}
    for strength in STRENGTHS:
        shown = painted(network, view, planned(network, view, colors).times(strength))
        divergence = (answer * (answer.log() - network.encoder(shown).softmax(1).log())).sum().item()
        error = (shown - view).square().mean().item()
        costs[strength] = (1 - fidelity) * divergence + 100 * (fidelity + floor) * error
    return min(costs, key=lambda strength: costs[strength])


@pytest.mark.parametrize("fidelity", [0.0, 1e-5, 1.0])
@pytest.mark.parametrize("floor", [0.0, 0.05])
@torch.inference_mode()
def test_each_image_has_the_best_strength(floor: float, fidelity: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the floor, as an untrained classifier's answers differ by next to nothing."""
    monkeypatch.setattr(search, "_FLOOR", floor)
    network, views = make_network(*STRENGTHS), make_views(12)
    plan = planned(network, views, 3)
    chosen = strengthened(network, views, plan, network.config.strengths, fidelity)
    expected = torch.tensor([best_of(network, views[i : i + 1], 3, fidelity, floor) for i in range(len(views))])
    torch.testing.assert_close(chosen.structure, plan.times(expected).structure)
    assert len(set(expected.tolist())) > 1 or floor or fidelity == 1


@torch.inference_mode()
def test_all_fidelity_is_the_k_means_that_the_network_starts_from() -> None:
    network, views = make_network(*STRENGTHS), make_views(4)
    chosen = strengthened(network, views, planned(network, views, 3), network.config.strengths, 1.0)
    assert chosen.structure is not None and not chosen.structure.any()


@torch.inference_mode()
def test_a_single_strength_is_taken_without_a_look() -> None:
    network, views = make_network(0.5), make_views(1)
    plan = planned(network, views, 3)
    network.encoder.head = torch.nn.Linear(1, 1)  # nobody asks it
    torch.testing.assert_close(strengthened(network, views, plan, (0.5,)).structure, plan.times(0.5).structure)


def test_without_the_search_structure_is_as_strong_as_it_was_learned() -> None:
    images = np.random.default_rng(0).integers(0, 256, (6, 16, 16, 3), dtype=np.uint8)
    learned, found = make_network(1.0), make_network(0.0, 2.0)
    painted = [
        [
            image.render().tolist()
            for image in LearnedQuantizer(network, torch.device("cpu"), search=search).quantize_batch(images, 3)
        ]
        for network, search in ((learned, True), (found, False), (found, True))
    ]
    assert painted[0] == painted[1] != painted[2]
    half = LearnedQuantizer(make_network(0.5), torch.device("cpu"))
    unsearched = replace(half, search=False)
    assert unsearched.quantize(images[0], 3).render().tolist() == half.quantize(images[0], 3).render().tolist()


@pytest.mark.parametrize(("strengths", "heeds"), [((0.5,), False), ((0.0, 1.0), True)])
def test_fidelity_is_heeded_where_there_is_a_choice(strengths: tuple[float, ...], heeds: bool) -> None:
    assert LearnedQuantizer(make_network(*strengths), torch.device("cpu")).supports_fidelity is heeds


def test_the_quantizer_paints_what_was_found() -> None:
    views = make_views(3)
    images = views.mul(255).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()
    network = make_network(*STRENGTHS)
    for fidelity in (0.0, 1.0):
        quantizer = LearnedQuantizer(network, torch.device("cpu"), fidelity)
        batch = quantizer.quantize_batch(images, 3)
        for view, image, several in zip(views.split(1), images, batch, strict=True):
            plan = planned(network, view, 3).times(best_of(network, view, 3, fidelity))
            expected = painted(network, view, plan).mul(255).round().to(torch.uint8)[0].permute(1, 2, 0).numpy()
            np.testing.assert_array_equal(quantizer.quantize(image, 3).render(), expected)
            np.testing.assert_array_equal(several.render(), expected)


@pytest.mark.parametrize("part", Plan._fields)
def test_a_plan_that_is_not_finite_paints_nothing(part: str) -> None:
    network, views = make_network(1.0), make_views(2)
    plan = planned(network, views, 4)
    getattr(plan, part)[1, 2, 0] = torch.inf

    with pytest.raises(NotFinite, match="quantizer"):
        strengthened(network, views, plan, network.config.strengths)
