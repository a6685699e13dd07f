"""training/loop/objective.py: the parts of the loss, each against its definition."""

import math
from typing import Any

import pytest
import torch

from models.networks.classifiers import Classifier, build_classifier
from models.networks.palette import SoftResult, hard_palette, render_hard
from tests.training.synthetic import stripes
from tests.training.workshop import Workshop
from training.loop import objective
from training.loop.losses import disagreement, total_variation
from training.loop.objective import Objective, QuantizerHyperparameters
from training.train_colorcnn import around


def make_config(**changes: Any) -> QuantizerHyperparameters:
    return QuantizerHyperparameters(classifier="stripes", colors=("2",), **changes)


def frozen(workshop: Workshop) -> Classifier:
    return workshop.classifier.network


def test_straight_through_uses_hard_values_and_soft_gradients(workshop: Workshop) -> None:
    images = stripes(4).images.float().div(255)
    network = around(frozen(workshop)).train()
    result = network.soft(images, 3)
    indices = result.probabilities.argmax(1)
    shown = objective._straight_through(images, result)
    torch.testing.assert_close(shown.detach(), render_hard(hard_palette(images, indices, 3).palette, indices))
    ours, soft = (
        torch.autograd.grad((image * images).sum(), network.decoder.out.weight, retain_graph=True)[0]
        for image in (shown, result.images)
    )
    assert float(soft.abs().sum()) > 0
    torch.testing.assert_close(ours, soft)


def test_the_temperature_changes_the_gradient_of_hard_images_alone(workshop: Workshop) -> None:
    data, network = stripes(4), around(frozen(workshop)).train()
    images = data.images.float().div(255)

    def loss_and_slope(temperature: float, soft: bool) -> tuple[torch.Tensor, torch.Tensor]:
        config = make_config(temperature=temperature, regularization=0.0, error=0.0)
        generator = torch.Generator().manual_seed(0)
        loss, _ = Objective(network, [frozen(workshop)], config)(images, data.labels, 2, soft=soft, generator=generator)
        return loss.detach(), torch.autograd.grad(loss, network.decoder.out.weight)[0]

    for soft in (True, False):
        (loss, slope), (sharp_loss, sharp_slope) = loss_and_slope(1.0, soft), loss_and_slope(0.1, soft)
        torch.testing.assert_close(sharp_loss, loss)
        assert torch.allclose(sharp_slope, slope) == soft


def test_contrast_and_jitter_decrease_as_colors_grow(workshop: Workshop) -> None:
    classifier = frozen(workshop)
    result = SoftResult(torch.full((1, 3, 16, 16), 0.9), torch.zeros(1, 2, 3), torch.zeros(1, 2, 16, 16))
    generator = torch.Generator()

    def shown(colors: int, jitter: float) -> float:
        loss_of = Objective(around(classifier), [classifier], make_config(jitter=jitter))
        image = loss_of._with_low_contrast(result._replace(palette=torch.zeros(1, colors, 3)), generator.manual_seed(0))
        return float((image - classifier.mean)[0, 0, 0, 0])

    full = 0.9 - float(classifier.mean[0, 0])
    assert [shown(k, 0.0) / full for k in (2, 4, 8, 16, 64)] == pytest.approx([0.25, 0.25, 0.5, 1, 1], rel=1e-4)
    shifts = [shown(k, 1.0) - shown(k, 0.0) for k in (2, 4, 16)]
    assert [math.fabs(shifts[0] / shift) for shift in shifts] == pytest.approx([1, 2, 4], rel=1e-3)


def test_distillation_weights_label_and_teacher_output(workshop: Workshop) -> None:
    classifier = frozen(workshop)
    data = stripes(8)
    images = data.images.float().div(255)
    network = around(workshop.quantizer.network.encoder).eval()
    wrong = (data.labels + 1) % 3

    def loss(labels: torch.Tensor, distillation: float) -> float:
        config = make_config(distillation=distillation, regularization=0.0, error=0.0)
        generator = torch.Generator().manual_seed(0)
        value, _ = Objective(network, [classifier], config)(images, labels, 64, soft=False, generator=generator)
        return float(value.detach())

    assert loss(wrong, 0.0) > loss(data.labels, 0.0) + 1
    assert loss(wrong, 1.0) == pytest.approx(loss(data.labels, 1.0))


def test_further_classifiers_have_equal_weight(workshop: Workshop) -> None:
    first, second = frozen(workshop), build_classifier(frozen(workshop).config).eval()
    data, network = stripes(8), around(frozen(workshop)).eval()
    images, config = data.images.float().div(255), make_config(regularization=0.0, error=0.0)

    def loss(*classifiers: Classifier) -> torch.Tensor:
        generator = torch.Generator().manual_seed(0)
        objective = Objective(network, classifiers, config, teacher=first)
        value, _ = objective(images, data.labels, 4, soft=False, generator=generator)
        return value.detach()

    torch.testing.assert_close(loss(first, second), (loss(first) + loss(second)) / 2)
    by_default, _ = Objective(network, [first, second], config)(
        images, data.labels, 4, soft=False, generator=torch.Generator().manual_seed(0)
    )
    torch.testing.assert_close(by_default.detach(), loss(first, second))


@pytest.mark.parametrize("soft", [True, False])
def test_the_rate_counts_neighbors_that_differ_and_edges(workshop: Workshop, soft: bool) -> None:
    data, network = stripes(8), around(frozen(workshop)).eval()
    images = data.images.float().div(255)

    def loss(rate: float) -> torch.Tensor:
        generator = torch.Generator().manual_seed(0)
        loss_of = Objective(network, [frozen(workshop)], make_config(rate=rate))
        return loss_of(images, data.labels, 4, soft=soft, generator=generator)[0].detach()

    result, hard = network.soft(images, 4), network.hard(images, 4)
    quantized = result.images if soft else render_hard(hard.palette, hard.indices)
    paid = disagreement(result.probabilities) + total_variation(quantized) / total_variation(images)
    torch.testing.assert_close(loss(0.5) - loss(0.0), 0.5 * (2**2 - 1) * paid.detach())  # of four colors
