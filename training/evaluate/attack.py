"""Projected gradient descent (Madry et al., ICLR 2018) through a quantizer, on images of 8 bits.

A quantizer has no useful gradient. The backward pass differentiable approximation (Athalye, Carlini and Wagner, ICML
2018) runs the quantizer in the forward pass, and a stand-in in the backward pass. The attack knows the whole path. At
every step the real quantizer and the real classifier see the image rounded to 8 bits.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, Protocol

import torch
from torch import Tensor
from torch.nn import functional as F

Backward = Literal["identity", "soft", "joint"]
"""Backward pass. identity: the quantizer counts as the identity. soft: through a soft quantizer. joint: the sum of the
gradient through the soft quantizer and of the gradient of the classifier for the image itself, each scaled to a mean
size of 1."""

_LENGTH = 2.5  # of all steps together, in radii of the ball, as Madry et al. choose it
_BATCH = 50  # images that are attacked at a time
_SMALLEST = 1e-30  # mean size of a gradient, a divisor


class Path(Protocol):
    """Treatment of an image before the classifier sees it. Equal arguments give equal results."""

    def seen(self, images: Tensor) -> Tensor:
        """Return what the classifier sees: (B, 3, s, s) uint8 -> (B, 3, s, s) uint8."""

    def soft(self, images: Tensor, seen: Tensor) -> Tensor:
        """Return a differentiable approximation of what the classifier sees, (B, 3, s, s) float32.

        images: (B, 3, s, s) float32 in [0, 1]. seen: the result of `seen` for these images, (B, 3, s, s) uint8.
        """


@dataclass(frozen=True, kw_only=True)
class Attack:
    """Strength of an attack.

    steps: of gradient ascent. restarts: attempts, each from another random point of the ball. seed: of these points.
    """

    steps: int = 20
    restarts: int = 1
    seed: int = 0


@dataclass(frozen=True, eq=False)
class Target:
    """Path of an image to a classifier. classifier: (B, 3, s, s) float32 in [0, 1] to logits, (B, classes)."""

    path: Path
    classifier: Callable[[Tensor], Tensor]

    @torch.no_grad()
    def right(self, images: Tensor, labels: Tensor) -> Tensor:
        """Return which images are recognized, (N,) bool. images: (N, 3, s, s) uint8. labels: (N,) int64."""
        parts = zip(images.split(_BATCH), labels.split(_BATCH), strict=True)
        return torch.cat([self.classifier(_unit(self.path.seen(part))).argmax(1) == truth for part, truth in parts])

    def ascend(self, points: Tensor, labels: Tensor, backward: Backward) -> tuple[Tensor, Tensor]:
        """Return the directions in which the loss rises, (B, 3, s, s) of -1, 0, 1, and which points are misread, (B,).

        The loss is the largest other logit minus the logit of the true class. Its gradient does not vanish where the
        classifier is certain.

        points: (B, 3, s, s) float32 in [0, 1]. labels: (B,) int64.
        """
        points = points.detach().requires_grad_()
        with torch.no_grad():
            seen = self.path.seen(_eight_bits(points))
        stand_in = points if backward == "identity" else self.path.soft(points, seen)
        logits = self.classifier(_unit(seen) + (stand_in - stand_in.detach())).float()
        gradient = _gradient(logits, labels, points)
        if backward == "joint":
            gradient = gradient + _gradient(self.classifier(points).float(), labels, points)
        return gradient.sign(), logits.detach().argmax(1) != labels


@dataclass(frozen=True, eq=False)
class _Ball:
    """All points whose values differ by at most `radius` levels from those of (B, 3, s, s) uint8 images."""

    images: Tensor
    radius: int

    def point(self, offsets: Tensor) -> Tensor:
        """Return points of the ball, (B, 3, s, s) float32 in [0, 1]; offsets: -1 to 1, in radii."""
        return (_unit(self.images) + offsets * (self.radius / 255)).clamp(0, 1)

    def move(self, points: Tensor, directions: Tensor, length: float, rows: Tensor) -> Tensor:
        """Return the points of the images `rows` after a step of `length` radii, projected into the ball."""
        centers, radius = _unit(self.images[rows]), self.radius / 255
        moved = points + length * radius * directions
        return torch.clamp(moved, centers - radius, centers + radius).clamp(0, 1)


def fool(target: Target, images: Tensor, labels: Tensor, radius: int, backward: Backward, attack: Attack) -> Tensor:
    """Return images of which as many are misread as the attack achieves, (N, 3, s, s) uint8.

    The attack on an image ends at the first step at which the image is misread. An image that resists is returned
    unchanged.

    Args:
        images: (N, 3, s, s) uint8, on the device of the classifier.
        labels: (N,) int64, the true classes.
        radius: largest change of a value, in levels of 8 bits.
    """
    found = images.clone()
    for rows, offsets in _batches(images, attack):
        ball = _Ball(images[rows], radius)
        left = torch.arange(len(rows), device=images.device)  # in the batch, those that are still recognized
        for first in offsets:
            points = ball.point(first)[left]
            for _ in range(attack.steps + 1):
                if not len(left):
                    break
                directions, misread = target.ascend(points, labels[rows][left], backward)
                found[rows[left[misread]]] = _eight_bits(points[misread])
                left, points, directions = left[~misread], points[~misread], directions[~misread]
                points = ball.move(points, directions, _LENGTH / attack.steps, left)
    return found


def push(target: Target, images: Tensor, labels: Tensor, radius: int, attack: Attack) -> Tensor:
    """Return images after all steps of one attempt, which does not end at the first success, (N, 3, s, s) uint8.

    Such images transfer better to another path. Arguments as for `fool`; the backward pass is the identity.
    """
    results = []
    for rows, offsets in _batches(images, attack):
        ball, every = _Ball(images[rows], radius), torch.arange(len(rows), device=images.device)
        points = ball.point(offsets[0])
        for _ in range(attack.steps):
            directions, _ = target.ascend(points, labels[rows], "identity")
            points = ball.move(points, directions, _LENGTH / attack.steps, every)
        results.append(_eight_bits(points))
    return torch.cat(results)


def _batches(images: Tensor, attack: Attack) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield the numbers of the images of a batch, (B,) int64, and the offsets of its first points in radii.

    The offsets are (restarts, B, 3, s, s) float32, uniform in [-1, 1].
    """
    generator = torch.Generator().manual_seed(attack.seed)
    for rows in torch.arange(len(images), device=images.device).split(_BATCH):
        offsets = 2 * torch.rand(attack.restarts, len(rows), *images.shape[1:], generator=generator) - 1
        yield rows, offsets.to(images.device)


def _gradient(logits: Tensor, labels: Tensor, points: Tensor) -> Tensor:
    """Return the gradient of the loss at the points, scaled to a mean size of 1 for each image."""
    truth = F.one_hot(labels, logits.shape[1]).bool()
    loss = logits.masked_fill(truth, -torch.inf).amax(1) - logits[truth]
    (gradient,) = torch.autograd.grad(loss.sum(), points)
    return gradient / gradient.abs().mean((1, 2, 3), keepdim=True).clamp_min(_SMALLEST)


def _unit(images: Tensor) -> Tensor:
    """Convert uint8 to float32 in [0, 1]."""
    return images.float().div(255)


def _eight_bits(points: Tensor) -> Tensor:
    """Round float32 in [0, 1] to uint8."""
    return points.detach().mul(255).round().to(torch.uint8)
