"""training/evaluate/attack.py, against the classifier of stripes."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from models.zoo.registry import Registry
from tests.training.workshop import Workshop
from training.data.datasets import load
from training.evaluate.attack import Attack, Backward, Target, fool, push
from training.evaluate.attacked_paths import BitDepth, Plain

ATTACK = Attack(steps=5)
BACKWARD: tuple[Backward, ...] = ("identity", "soft", "joint")


class Brightness(nn.Module):
    """Classifier of two classes: dark, and bright from a mean of 0.5 on."""

    def forward(self, images: Tensor) -> Tensor:
        mean = images.mean((1, 2, 3))
        return torch.stack([0.5 - mean, mean - 0.5], 1)


@pytest.fixture(scope="module")
def classifier(workshop: Workshop) -> nn.Module:
    return Registry.open(workshop.models).load("stripes", torch.device("cpu")).requires_grad_(False)


@pytest.fixture(scope="module")
def samples(workshop: Workshop) -> tuple[Tensor, Tensor]:
    """Images of every class, all of which the classifier recognizes, and their labels."""
    data = load(workshop.data, "test", size=16)
    return data.images[::4], data.labels[::4]


def resisting(target: Target, samples: tuple[Tensor, Tensor], radius: int, backward: Backward, attack: Attack) -> int:
    """Return how many images are recognized after the attack."""
    images, labels = samples
    return int(target.right(fool(target, images, labels, radius, backward, attack), labels).sum())


@pytest.mark.parametrize("backward", BACKWARD)
def test_no_value_leaves_the_ball(classifier: nn.Module, samples: tuple[Tensor, Tensor], backward: Backward) -> None:
    dark_and_bright = samples[0].clone()
    dark_and_bright[::2, :, :4], dark_and_bright[1::2, :, 4:] = 0, 255  # where a step would leave 0..255
    for path in (Plain(), BitDepth(2)):
        found = fool(Target(path, classifier), dark_and_bright, samples[1], 3, backward, ATTACK)
        difference = (found.short() - dark_and_bright.short()).abs()
        assert found.dtype == torch.uint8 and 0 < difference.max() <= 3


def test_images_that_are_pushed_stay_in_the_ball(classifier: nn.Module, samples: tuple[Tensor, Tensor]) -> None:
    images, labels = samples
    pushed = push(Target(Plain(), classifier), images, labels, 3, ATTACK)
    assert (pushed.short() - images.short()).abs().max() == 3


def test_accuracy_falls_with_the_radius(classifier: nn.Module, samples: tuple[Tensor, Tensor]) -> None:
    for path in (Plain(), BitDepth(3)):
        target = Target(path, classifier)
        left = [resisting(target, samples, radius, "identity", ATTACK) for radius in (1, 8, 40)]
        assert left == sorted(left, reverse=True) and left[0] > left[-1]


def test_accuracy_does_not_rise_with_steps_and_restarts(classifier: nn.Module, samples: tuple[Tensor, Tensor]) -> None:
    target = Target(BitDepth(3), classifier)
    attacks = [Attack(steps=1), Attack(steps=20), Attack(steps=20, restarts=3)]
    left = [resisting(target, samples, 12, "identity", attack) for attack in attacks]
    assert left == sorted(left, reverse=True) and left[0] > left[-1]


@pytest.mark.parametrize("backward", BACKWARD)
def test_an_attack_through_the_quantizer_beats_one_that_does_not_know_it(
    classifier: nn.Module, samples: tuple[Tensor, Tensor], backward: Backward
) -> None:
    images, labels = samples
    target, attack = Target(BitDepth(2), classifier), replace(ATTACK, steps=10)
    pushed = push(Target(Plain(), classifier), images, labels, 24, attack)
    assert resisting(target, samples, 24, backward, attack) < int(target.right(pushed, labels).sum())


@pytest.mark.parametrize("backward", BACKWARD)
def test_the_attack_finds_the_smallest_change_of_a_linear_classifier(backward: Backward) -> None:
    images = torch.full((1, 3, 4, 4), 123, dtype=torch.uint8)  # of 127.5, where bright begins
    labels = torch.zeros(1, dtype=torch.int64)
    target = Target(Plain(), Brightness())
    assert resisting(target, (images, labels), 4, backward, ATTACK) == 1
    assert resisting(target, (images, labels), 5, backward, ATTACK) == 0


def test_an_image_that_resists_is_returned_unchanged() -> None:
    images = torch.tensor([10, 126], dtype=torch.uint8).view(2, 1, 1, 1).repeat(1, 3, 4, 4)
    labels = torch.zeros(2, dtype=torch.int64)
    found = fool(Target(Plain(), Brightness()), images, labels, 8, "identity", ATTACK)
    assert torch.equal(found[0], images[0]) and not torch.equal(found[1], images[1])


def test_an_attack_depends_on_its_seed_alone(classifier: nn.Module, samples: tuple[Tensor, Tensor]) -> None:
    target = Target(Plain(), classifier)
    first, again, other = (push(target, *samples, 4, Attack(steps=2, seed=seed)) for seed in (0, 0, 1))
    assert torch.equal(first, again) and not torch.equal(first, other)
