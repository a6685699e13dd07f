"""models/quantizers/learned/refinement.py: the structure at which the classifier sees an image like the original."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from models.networks.colorcnn import ColorCNN
from models.networks.palette import hard_palette, render_hard, render_soft
from models.networks.plan import Plan
from models.pauses import at_each_pause
from models.quantizers.learned import refinement
from models.quantizers.learned.colorcnn import LearnedQuantizer
from models.quantizers.learned.refinement import refine_structure
from tests.models.small_networks import make_8bit_images, make_plan, make_structured_colorcnn, structure_of

CPU = torch.device("cpu")
CLOSE_ENOUGH = refinement._CODE.close_enough


def make_sensitive(*scales: float) -> ColorCNN:
    """Build a network whose classifier separates random images."""
    network, views = make_structured_colorcnn(*scales), make_8bit_images(12)
    norms = [module for module in network.encoder.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = 1.0
        norm.train()
    with torch.no_grad():
        network.encoder(views)
    network.encoder.head.weight.data *= 0.003
    return network.eval()


def rendered(views: Tensor, plan: Plan) -> Tensor:
    """Quantize images by their plan."""
    indices = plan.indices(views)
    return render_hard(hard_palette(views, indices, plan.offsets.shape[1]).palette, indices)


@torch.inference_mode()
def costs(network: ColorCNN, views: Tensor, plan: Plan) -> tuple[Tensor, Tensor]:
    """Return the cost of each image, and the divergence, which is a part of the cost."""
    images = rendered(views, plan)
    target, output = (network.encoder(each).log_softmax(1) for each in (views, images))
    divergence = (target.exp() * (target - output)).sum(1)
    return divergence + 5 * (images - views).square().mean((1, 2, 3)), divergence


@pytest.mark.parametrize("colors", [2, 5])
def test_the_classifier_s_output_comes_closer_to_that_for_the_original(colors: int) -> None:
    network, views = make_sensitive(1.0), make_8bit_images(12)
    plan = make_plan(network, views, colors)
    before, apart = costs(network, views, plan)
    after, closer = costs(network, views, refine_structure(network, views, plan))
    assert (after <= before + 1e-5).all()
    far = apart > 5 * CLOSE_ENOUGH
    assert far.sum() >= 6
    assert closer[far].mean() < apart[far].mean() / 2


def test_an_image_that_is_close_enough_is_left_unchanged() -> None:
    network, views = make_sensitive(1.0), make_8bit_images(12)
    plan = make_plan(network, views, 5)
    _, apart = costs(network, views, plan)
    near = apart < 0.99 * CLOSE_ENOUGH
    assert plan.structure is not None and 0 < near.sum() < len(views)
    refined = structure_of(refine_structure(network, views, plan))
    same = (refined == plan.structure).flatten(1).all(1)
    assert same[near].all() and not same[apart > 5 * CLOSE_ENOUGH].all()


def test_an_ended_refinement_takes_no_further_step(monkeypatch: pytest.MonkeyPatch) -> None:
    network, views = make_sensitive(1.0), make_8bit_images(12)
    evaluate, steps = refinement._evaluate, list[int]()

    def counting(*args: Any) -> object:
        steps.append(1)
        return evaluate(*args)

    def end() -> None:
        if len(steps) == 3:
            raise InterruptedError

    monkeypatch.setattr(refinement, "_evaluate", counting)
    with pytest.raises(InterruptedError), at_each_pause(end):
        refine_structure(network, views, make_plan(network, views, 2))

    assert len(steps) == 3


def test_above_the_structure_cutoff_it_starts_from_zeros() -> None:
    network, views = make_sensitive(1.0), make_8bit_images(12)
    plan = make_plan(network, views, 2)._replace(structure=None)
    before, _ = costs(network, views, plan)
    refined = refine_structure(network, views, plan)
    after, _ = costs(network, views, refined)
    assert structure_of(refined).any()
    assert (after <= before + 1e-5).all() and after.mean() < before.mean()


def test_images_do_not_depend_on_the_rest_of_the_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refinement, "_STEPS", 2)  # more steps would amplify the rounding of another batch size
    network, views = make_sensitive(1.0), make_8bit_images(5)
    plan = make_plan(network, views, 3)
    together = rendered(views, refine_structure(network, views, plan))
    monkeypatch.setattr(refinement, "_BATCH", 2)
    torch.testing.assert_close(rendered(views, refine_structure(network, views, plan)), together)


def test_the_gradient_follows_equations_1_and_2_straight_through() -> None:
    network, views = make_sensitive(1.0), make_8bit_images(3)
    logits = make_plan(network, views, 4).index_logits(views).detach().requires_grad_()
    targets = network.encoder(views).log_softmax(1)
    indices = logits.argmax(1)
    palette = hard_palette(views, indices, 4).palette
    temperature = torch.full((3, 1, 1, 1), 2.0)
    soft = render_soft(palette, (logits / temperature).softmax(1))
    images = (render_hard(palette, indices) - soft).detach() + soft
    divergence = F.kl_div(network.encoder(images).log_softmax(1), targets, reduction="none", log_target=True).sum(1)
    cost = divergence + 5 * (images - views).square().mean((1, 2, 3))
    (gradient,) = torch.autograd.grad(cost.sum(), logits)
    originals = network.encoder(views)
    evaluation = refinement._evaluate(
        [network.encoder], refinement._CODE, views, originals, logits.detach(), temperature
    )
    torch.testing.assert_close(evaluation.cost, cost.detach())
    torch.testing.assert_close(evaluation.recognition, divergence.detach())
    expected = gradient / gradient.square().mean((1, 2, 3), keepdim=True).sqrt()
    torch.testing.assert_close(evaluation.slope, expected, atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("colors", [2, 5])
def test_with_guides_every_classifier_gives_the_answer_by_a_larger_margin(colors: int) -> None:
    network, guide, views = make_sensitive(1.0), make_sensitive(1.0).encoder, make_8bit_images(12)
    guide.head.load_state_dict({name: 2 * value for name, value in guide.head.state_dict().items()})
    plan = make_plan(network, views, colors)
    refined = refine_structure(network, views, plan, [guide])

    def margins(classifier: torch.nn.Module, of: Plan) -> Tensor:
        with torch.inference_mode():
            answers, outputs = network.encoder(views).argmax(1, keepdim=True), classifier(rendered(views, of))
            others = outputs.scatter(1, answers, -torch.inf).amax(1)
            lead: Tensor = outputs.gather(1, answers).squeeze(1) - others
            return lead

    for classifier in (network.encoder, guide):
        assert margins(classifier, refined).mean() > margins(classifier, plan).mean()


def test_an_image_with_the_margin_is_left_unchanged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refinement, "_MARGIN", -1000.0)
    network, views = make_sensitive(1.0), make_8bit_images(4)
    plan = make_plan(network, views, 3)
    refined = refine_structure(network, views, plan, [make_sensitive(1.0).encoder])
    torch.testing.assert_close(structure_of(refined), structure_of(plan))


def test_the_blur_keeps_the_mean_of_a_plane_and_spreads_a_cell() -> None:
    planes = torch.zeros(1, 2, 16, 16)
    planes[0, 1, 8, 8] = 1
    blurred = refinement._blurred(planes)
    torch.testing.assert_close(blurred.sum((2, 3)), planes.sum((2, 3)))
    torch.testing.assert_close(blurred[0, 1], blurred[0, 1].T)
    ratio = blurred[0, 1, 8, 9] / blurred[0, 1, 8, 8]
    assert float(ratio) == pytest.approx(math.exp(-0.5), rel=1e-5)
    torch.testing.assert_close(refinement._blurred(torch.ones(1, 1, 8, 8)), torch.ones(1, 1, 8, 8))


def test_the_quantizer_follows_its_guides_unless_the_image_is_a_code() -> None:
    network, guide = make_sensitive(0.0, 1.0), make_sensitive(1.0).encoder
    image = make_8bit_images(1).mul(255).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()[0]
    guided = LearnedQuantizer(network, CPU, guides=(guide,))
    code = LearnedQuantizer(network, CPU).for_method("colorcnn_refined").quantize(image, 3).render()
    assert (guided.for_method("colorcnn_refined").quantize(image, 3).render() != code).any()
    alone = guided.for_method("colorcnn_refined_code").quantize(image, 3)
    np.testing.assert_array_equal(alone.render(), code)


@pytest.mark.parametrize("scales", [(1.0,), (0.0, 1.0, 2.0)])
def test_with_guides_the_descent_begins_without_the_gain(scales: tuple[float, ...]) -> None:
    network, guide = make_sensitive(*scales), make_sensitive(1.0).encoder
    image = make_8bit_images(1).mul(255).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()[0]
    quantizer = LearnedQuantizer(network, CPU, guides=(guide,))
    refined, one_pass = map(quantizer.for_method, ("colorcnn_refined", "colorcnn_one_pass"))
    without = refined.quantize(image, 2).render(), one_pass.quantize(image, 2).render()
    network.config = replace(network.config, structure_gain=8.0)
    np.testing.assert_array_equal(refined.quantize(image, 2).render(), without[0])
    assert (one_pass.quantize(image, 2).render() != without[1]).any()


def test_it_descends_also_where_all_indices_are_equally_probable() -> None:
    network, views = make_sensitive(1.0), make_8bit_images(4)
    plan = make_plan(network, views, 2)._replace(structure=None)
    even = plan._replace(weights=0 * plan.weights, offsets=0 * plan.offsets)
    refined = refine_structure(network, views, even)
    assert structure_of(refined).isfinite().all()
    assert (costs(network, views, refined)[0] < costs(network, views, even)[0]).all()


@pytest.mark.parametrize("scale", [1, 3])
def test_the_quantizer_uses_the_refined_structure(scale: int) -> None:
    """The structure of a photo of another size is refined at the classifier's size."""
    blocks = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    image = blocks.repeat(scale, 0).repeat(scale, 1)
    network = make_sensitive(1.0)
    plain, refined = (
        LearnedQuantizer(network, CPU).for_method(method).quantize(image, 3)
        for method in ("colorcnn", "colorcnn_refined")
    )
    assert refined.colors == 3
    assert (refined.render() != plain.render()).any()
    assert not any(parameter.grad is not None for parameter in network.parameters())


def test_a_batch_is_quantized_as_its_images_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refinement, "_STEPS", 2)
    images = make_8bit_images(4).mul(255).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()
    quantizer = LearnedQuantizer(make_sensitive(0.0, 1.0), CPU).for_method("colorcnn_refined")
    for image, several in zip(images, quantizer.quantize_batch(images, 3), strict=True):
        np.testing.assert_array_equal(quantizer.quantize(image, 3).render(), several.render())
