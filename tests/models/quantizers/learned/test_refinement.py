"""models/quantizers/learned/refinement.py: the structure of each image at which the classifier reads it like the original."""

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from models.networks.colorcnn import ColorCNN, Plan
from models.networks.palette import hard_palette, paint, render_hard
from models.quantizers.learned import refinement
from models.quantizers.learned.colorcnn import LearnedQuantizer
from models.quantizers.learned.refinement import refined
from tests.models.quantizers.learned.test_search import make_network, make_views, planned

CPU = torch.device("cpu")
ENOUGH = refinement._ENOUGH


def make_lively(*strengths: float) -> ColorCNN:
    """A network whose classifier tells one random image from another."""
    network, views = make_network(*strengths), make_views(12)
    norms = [module for module in network.encoder.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = 1.0
        norm.train()
    with torch.no_grad():
        network.encoder(views)
    network.encoder.head.weight.data *= 0.003
    return network.eval()


def shown(network: ColorCNN, views: Tensor, plan: Plan) -> Tensor:
    indices = network.indices(views, plan)
    return render_hard(hard_palette(views, indices, plan.offsets.shape[1]).palette, indices)


@torch.inference_mode()
def costs(network: ColorCNN, views: Tensor, plan: Plan) -> tuple[Tensor, Tensor]:
    """Of each image: what is minimized, and the part of it that is the classifier's."""
    painted = shown(network, views, plan)
    said, read = (network.encoder(images).log_softmax(1) for images in (views, painted))
    divergence = (said.exp() * (said - read)).sum(1)
    return divergence + 5 * (painted - views).square().mean((1, 2, 3)), divergence


@pytest.mark.parametrize("colors", [2, 5])
def test_the_classifier_reads_it_more_like_the_original(colors: int) -> None:
    network, views = make_lively(1.0), make_views(12)
    plan = planned(network, views, colors)
    before, apart = costs(network, views, plan)
    after, closer = costs(network, views, refined(network, views, plan))
    assert (after <= before + 1e-5).all()
    far = apart > 5 * ENOUGH
    assert far.sum() >= 6
    assert closer[far].mean() < apart[far].mean() / 2


def test_what_is_read_well_enough_is_left_as_it_is() -> None:
    network, views = make_lively(1.0), make_views(12)
    plan = planned(network, views, 5)
    _, apart = costs(network, views, plan)
    near = apart < 0.99 * ENOUGH
    assert plan.structure is not None and 0 < near.sum() < len(views)
    found = refined(network, views, plan).structure
    assert found is not None
    same = (found == plan.structure).flatten(1).all(1)
    assert same[near].all() and not same[apart > 5 * ENOUGH].all()


def test_where_structure_has_faded_out_it_starts_from_none() -> None:
    network, views = make_lively(1.0), make_views(12)
    plan = planned(network, views, 2)._replace(structure=None)
    before, _ = costs(network, views, plan)
    found = refined(network, views, plan)
    after, _ = costs(network, views, found)
    assert found.structure is not None and found.structure.any()
    assert (after <= before + 1e-5).all() and after.mean() < before.mean()


def test_images_do_not_depend_on_their_company(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refinement, "_STEPS", 2)  # more would make much of how another size of batch is rounded
    network, views = make_lively(1.0), make_views(5)
    plan = planned(network, views, 3)
    together = shown(network, views, refined(network, views, plan))
    monkeypatch.setattr(refinement, "_TOGETHER", 2)
    torch.testing.assert_close(shown(network, views, refined(network, views, plan)), together)


def test_the_slope_is_that_of_equations_1_and_2_straight_through() -> None:
    network, views = make_lively(1.0), make_views(3)
    logits = network.index_logits(views, planned(network, views, 4)).detach().requires_grad_()
    answers = network.encoder(views).log_softmax(1)
    indices = logits.argmax(1)
    palette = hard_palette(views, indices, 4).palette
    temperature = torch.full((3, 1, 1, 1), 2.0)
    soft = paint(palette, (logits / temperature).softmax(1))
    painted = (render_hard(palette, indices) - soft).detach() + soft
    divergence = F.kl_div(network.encoder(painted).log_softmax(1), answers, reduction="none", log_target=True).sum(1)
    cost = divergence + 5 * (painted - views).square().mean((1, 2, 3))
    (gradient,) = torch.autograd.grad(cost.sum(), logits)
    reading = refinement._read(network, views, answers, logits.detach(), temperature)
    torch.testing.assert_close(reading.cost, cost.detach())
    torch.testing.assert_close(reading.divergence, divergence.detach())
    expected = gradient / gradient.square().mean((1, 2, 3), keepdim=True).sqrt()
    torch.testing.assert_close(reading.slope, expected, atol=1e-3, rtol=1e-3)


def test_where_all_indices_are_as_likely_it_still_descends() -> None:
    network, views = make_lively(1.0), make_views(4)
    plan = planned(network, views, 2)._replace(structure=None)
    even = plan._replace(weights=0 * plan.weights, offsets=0 * plan.offsets)
    found = refined(network, views, even)
    assert found.structure is not None and found.structure.isfinite().all()
    assert (costs(network, views, found)[0] < costs(network, views, even)[0]).all()


@pytest.mark.parametrize("scale", [1, 3])
def test_the_quantizer_paints_what_was_refined(scale: int) -> None:
    """Also a photo of another size than the classifier's, whose structure is refined at the classifier's."""
    blocks = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    image = blocks.repeat(scale, 0).repeat(scale, 1)
    network = make_lively(1.0)
    plain, found = (
        LearnedQuantizer(network, CPU).by(method).quantize(image, 3) for method in ("colorcnn", "colorcnn_refined")
    )
    assert found.colors == 3
    assert (found.render() != plain.render()).any()
    assert not any(parameter.grad is not None for parameter in network.parameters())


def test_the_quantizer_paints_many_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refinement, "_STEPS", 2)
    images = make_views(4).mul(255).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()
    quantizer = LearnedQuantizer(make_lively(0.0, 1.0), CPU).by("colorcnn_refined")
    for image, several in zip(images, quantizer.quantize_batch(images, 3), strict=True):
        np.testing.assert_array_equal(quantizer.quantize(image, 3).render(), several.render())
