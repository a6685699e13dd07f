"""Search for the scale of an image's structure: analysis by synthesis with the frozen classifier.

Training fixes one scale for all images: how far structure may move a pixel from its nearest color. For a single image,
more or less structure may be better, and the network's encoder is a classifier that can measure it. The search
therefore quantizes a small copy of the image at one scale after the other. It selects the first scale whose classifier
output names the class of the original with a safe margin, and without such a scale the one of least cost.
"""

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional as F

from models.errors import NotFinite
from models.networks.palette import hard_palette, render_hard
from models.networks.plan import Plan
from models.pauses import pause

_ERROR_WEIGHT = 100.0  # a squared error of 20 dB costs as much as a divergence of 1 nat
_FLOOR = 0.05  # least weight of the squared error: it separates scales with equal classifier outputs
_BATCH = 64  # quantized copies at a time, or one for each image of a larger batch
# Selected on the held-out part of train.
_MARGIN = 0.5  # nats between the two most probable classes, from which on a class is safe
_MARGIN_SHARE = 0.5  # a class is safe also from this share of the original's margin on
_FIRST = 1.0  # the search begins at the scale of training, which other classifiers read best


class Reader(Protocol):
    """The classifier that measures how well an image is recognized."""

    def classify(self, view: Tensor, /) -> Tensor:
        """Compute logits, (B, classes) float32, of (B, 3, s, s) float32 in [0, 1], multiples of 1 / 255."""


def select_structure_scale(
    reader: Reader,
    views: Tensor,
    logits: Tensor | None,
    plan: Plan,
    scales: Sequence[float],
    fidelity: float = 0.0,
    *,
    stops_early: bool = True,
) -> Plan:
    """Return the plan with the structure of each image multiplied by the selected scale.

    The cost of a scale is (1 - fidelity) D + 100 (fidelity + 0.05) E. D is the Kullback-Leibler divergence of the
    classifier's output in nats, and E is the mean squared error in [0, 1] units. On held-out images the 0.05 gained 1
    to 3 dB and lost no top-1.

    At fidelity 0 the search ends at the first scale at which the classifier's most probable class is that of the
    original and is more probable than any other class by 0.5 nats, or by half as many nats as for the original;
    `order_scales` gives the order. Without such a scale, at any other fidelity, and where the search must not stop
    early, the least cost of all scales decides. The result for an image does not depend on the other images.

    Each tried scale costs one index map and one pass of the classifier at its native size, for an image of any size. A
    single scale, or a plan without structure, costs nothing. Memory is the structure of 64 images, or of the whole
    batch where the batch is larger.

    Args:
        reader: the network's classifier.
        views: (B, 3, s, s) float32 in [0, 1], the images at the encoder's size.
        logits: (B, classes) float32, the classifier's output for the views; None for a plan without structure.
        plan: plan of the images.
        scales: factors of the structure, one or more.
        fidelity: 0 to 1, weight of the squared error.
        stops_early: whether the search may end before it has tried all scales.

    Raises NotFinite if the plan holds a value that is not finite.
    """
    _require_finite(plan)
    if len(scales) == 1 or plan.structure is None or logits is None:
        return plan.scale_structure(scales[0])
    targets = logits.log_softmax(1)
    if fidelity or not stops_early:
        factors = views.new_tensor(scales)
        groups = factors.split(max(1, _BATCH // len(views)))
        costs = torch.cat([_try(reader, views, targets, plan, group, fidelity)[1] for group in groups])
        return plan.scale_structure(factors[costs.argmin(0)])
    return plan.scale_structure(_first_safe(reader, views, targets, plan, order_scales(scales)))


def order_scales(scales: Sequence[float]) -> list[float]:
    """Return scales in the order in which the search tries them: from 1 up, then from 1 down."""
    return sorted(scales, key=lambda scale: (scale < _FIRST, abs(scale - _FIRST)))


def recognition_cost(divergence: Tensor, quantized: Tensor, views: Tensor, fidelity: float = 0.0) -> Tensor:
    """Compute the cost that `select_structure_scale` minimizes, (B,) float32.

    divergence: (B,) float32, nats. quantized, views: (B, 3, s, s) float32 in [0, 1]. fidelity: 0 to 1.
    """
    error = (quantized - views).square().mean((1, 2, 3))
    return (1 - fidelity) * divergence + (fidelity + _FLOOR) * _ERROR_WEIGHT * error


def _first_safe(reader: Reader, views: Tensor, targets: Tensor, plan: Plan, scales: Sequence[float]) -> Tensor:
    """Return each image's first scale that is safe, or else its scale of least cost, (B,) float32."""
    best = views.new_full((len(views),), scales[0])
    least = views.new_full((len(views),), torch.inf)
    active = torch.arange(len(views), device=views.device)
    for scale in scales:
        outputs, costs = _try(reader, views, targets, plan, views.new_tensor([scale]))
        safe = _is_safe(outputs, targets)
        better = safe | (costs[0] < least[active])
        best[active[better]], least[active[better]] = scale, costs[0][better]
        if safe.all():
            break
        if safe.any():
            views, targets, active, plan = views[~safe], targets[~safe], active[~safe], plan.part(~safe)
        pause()
    return best


def _is_safe(outputs: Tensor, targets: Tensor) -> Tensor:
    """Return whether the most probable class is that of the original by a margin, (B,) bool.

    outputs, targets: (B, classes) float32, log probabilities for the quantized images and for the originals.
    """
    if outputs.shape[1] == 1:
        return torch.ones_like(outputs[:, 0], dtype=torch.bool)
    found, original = outputs.topk(2, 1), targets.topk(2, 1)
    margin, wanted = (values[:, 0] - values[:, 1] for values in (found.values, original.values))
    same: Tensor = found.indices[:, 0] == original.indices[:, 0]
    return same & (margin >= (_MARGIN_SHARE * wanted).clamp_max(_MARGIN))


def _require_finite(plan: Plan) -> None:
    parts: tuple[Tensor | None, ...] = plan
    # The sum is not finite where a value is not, and takes a tenth of the time of asking each value.
    if not all(bool(part.sum().isfinite()) or bool(part.isfinite().all()) for part in parts if part is not None):
        raise NotFinite("the quantizer computed a plan with values that are not finite")


def _try(
    reader: Reader, views: Tensor, targets: Tensor, plan: Plan, factors: Tensor, fidelity: float = 0.0
) -> tuple[Tensor, Tensor]:
    """Compute the classifier's output and the cost of each of S scales for each image.

    targets: (B, classes) float32, log probabilities of the classes for the originals. factors: (S,) float32.

    Returns:
        Log probabilities of the classes, (S B, classes) float32, and costs, (S, B) float32.
    """
    scales, count = len(factors), len(views)
    views, targets = views.repeat(scales, 1, 1, 1), targets.repeat(scales, 1)
    indices = plan.repeat(scales).scale_structure(factors.repeat_interleave(count)).indices(views)
    quantized = render_hard(hard_palette(views, indices, plan.colors).palette, indices)
    outputs = reader.classify(quantized).log_softmax(1)
    divergence = F.kl_div(outputs, targets, reduction="none", log_target=True).sum(1)
    return outputs, recognition_cost(divergence, quantized, views, fidelity).view(scales, count)
