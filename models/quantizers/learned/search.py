"""Search for the structure of an image: analysis by synthesis with the frozen classifier.

Training fixes one scale for all images: how far structure may move a pixel from its nearest color. For a single image,
more or less structure may be better, and the network's encoder is a classifier that can measure it. The search
therefore quantizes a small copy of the image at one scale after the other. It selects the first scale whose classifier
output names the class of the original with a safe margin.

The few images without such a scale go on. The network sees them shifted by some pixels, and mirrored, which gives each
of them other structures, equally good by training. Without a safe one among these, the one of least cost is selected
among those that keep the class, or among all if none does.
"""

from collections.abc import Sequence
from typing import NamedTuple, Protocol, cast

import torch
from torch import Tensor
from torch.nn import functional as F

from models.errors import NotFinite
from models.networks.colorcnn import Description
from models.networks.palette import hard_palette, render_hard
from models.networks.plan import Plan
from models.pauses import pause
from models.quantizers.learned.shifts import Shift, towards_corners

_ERROR_WEIGHT = 100.0  # a squared error of 20 dB costs as much as a divergence of 1 nat
_FLOOR = 0.05  # least weight of the squared error: it separates scales with equal classifier outputs
_BATCH = 64  # quantized copies at a time, or one for each image of a larger batch
# Selected on the held-out part of train.
_MARGIN = 0.5  # nats between the two most probable classes, from which on a class is safe
_MARGIN_SHARE = 0.5  # a class is safe also from this share of the original's margin on
_LOST = 1e3  # cost of another class: more than a structure costs, and small enough to keep the digits of its cost
_FIRST = 1.0  # the search begins at the scale of training, which other classifiers read best


class Reader(Protocol):
    """The classifier that measures how well an image is recognized, and the decoder of its features.

    Arguments are (B, 3, s, s) float32 in [0, 1], multiples of 1 / 255.
    """

    def classify(self, view: Tensor, /) -> Tensor:
        """Compute logits, (B, classes) float32."""

    def describe(self, view: Tensor, /) -> Description:
        """Compute the feature vector of each pixel, and the logits."""


class Candidates(NamedTuple):
    """Structures to try for each image.

    scales: factors of its own structure, one or more.
    view_shifts: distances in pixels of the shifted views; none by default.
    view_scales: factors of the structure of a view, one or more.
    """

    scales: Sequence[float]
    view_shifts: Sequence[int] = ()
    view_scales: Sequence[float] = (1.0,)


def select_structure(
    reader: Reader,
    views: Tensor,
    logits: Tensor | None,
    plan: Plan,
    candidates: Candidates,
    fidelity: float = 0.0,
    *,
    stops_early: bool = True,
) -> Plan:
    """Return the plan with the selected structure of each image: its own at one of the scales, or that of another view.

    The cost of a structure is (1 - fidelity) D + 100 (fidelity + 0.05) E. D is the Kullback-Leibler divergence of the
    classifier's output in nats, and E is the mean squared error in [0, 1] units. On held-out images the 0.05 gained 1
    to 3 dB and lost no top-1.

    At fidelity 0 the search ends at the first structure for which the classifier's most probable class is that of the
    original and is more probable than any other class by 0.5 nats, or by half as many nats as for the original. It
    tries the scales in the order of `order_scales`, and then the views. Without a safe structure the least cost
    decides, among the structures that keep the class if there are any. At any other fidelity, and where the search must
    not stop early, it decides among all scales. The result for an image does not depend on the other images.

    Each structure costs one index map and one pass of the classifier at its native size, and each view also one pass of
    the decoder and one more of the classifier, for an image of any size. A single scale, or a plan without
    structure, costs nothing. Memory is the structure of 64 images, or of the whole batch where the batch is larger,
    and once more that of the whole batch.

    Args:
        reader: the network's classifier and decoder.
        views: (B, 3, s, s) float32 in [0, 1], the images at the encoder's size.
        logits: (B, classes) float32, the classifier's output for the views; None for a plan without structure.
        plan: plan of the images.
        candidates: structures to try; a single scale is applied without a search.
        fidelity: 0 to 1, weight of the squared error.
        stops_early: whether the search may end before it has tried all scales.

    Raises NotFinite if the plan holds a value that is not finite.
    """
    _require_finite(plan)
    scales = candidates.scales
    if len(scales) == 1 or plan.structure is None or logits is None:
        return plan.scale_structure(scales[0])
    targets = logits.log_softmax(1)
    if fidelity or not stops_early:
        factors = views.new_tensor(scales)
        groups = factors.split(max(1, _BATCH // len(views)))
        tried = (_scaled(plan, group) for group in groups)
        costs = torch.cat([_read(reader, views, targets, each, fidelity)[1] for each in tried])
        return plan.scale_structure(factors[costs.argmin(0)])
    search = _Search(reader, views, targets, plan)
    search.try_scales(order_scales(scales))
    search.try_shifted(towards_corners(candidates.view_shifts), candidates.view_scales)
    return search.selected()


def order_scales(scales: Sequence[float]) -> list[float]:
    """Return scales in the order in which the search tries them: from 1 up, then from 1 down."""
    return sorted(scales, key=lambda scale: (scale < _FIRST, abs(scale - _FIRST)))


def recognition_cost(divergence: Tensor, quantized: Tensor, views: Tensor, fidelity: float = 0.0) -> Tensor:
    """Compute the cost that `select_structure` minimizes, (B,) float32.

    divergence: (B,) float32, nats. quantized, views: (B, 3, s, s) float32 in [0, 1]. fidelity: 0 to 1.
    """
    error = (quantized - views).square().mean((1, 2, 3))
    return (1 - fidelity) * divergence + (fidelity + _FLOOR) * _ERROR_WEIGHT * error


def _compare(outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Return whether the most probable class is that of the original, and whether it is so by a margin, (B,) bool each.

    outputs, targets: (B, classes) float32, log probabilities for the quantized images and for the originals.
    """
    found, original = (each.topk(min(2, each.shape[1]), 1) for each in (outputs, targets))
    margin, wanted = (values[:, 0] - values[:, -1] for values in (found.values, original.values))
    kept: Tensor = found.indices[:, 0] == original.indices[:, 0]
    return kept, kept & (margin >= (_MARGIN_SHARE * wanted).clamp_max(_MARGIN))


def _require_finite(plan: Plan) -> None:
    parts: tuple[Tensor | None, ...] = plan
    # The sum is not finite where a value is not, and takes a tenth of the time of asking each value.
    if not all(bool(part.sum().isfinite()) or bool(part.isfinite().all()) for part in parts if part is not None):
        raise NotFinite("the quantizer computed a plan with values that are not finite")


def _scaled(plan: Plan, factors: Tensor) -> Plan:
    """Return the plan of all images at each of S scales, (S B, ...). factors: (S,) float32."""
    count = len(plan.offsets)
    return plan.repeat(len(factors)).scale_structure(factors.repeat_interleave(count))


def _see(reader: Reader, views: Tensor, shifts: Sequence[Shift]) -> Tensor:
    """Compute the features of each of V shifted views, at the places of the images' own pixels, (V, B, F, s, s)."""
    features = reader.describe(torch.cat([shift.of(views) for shift in shifts])).features
    parts = zip(shifts, features.split(len(views)), strict=True)
    return torch.stack([shift.undo(part) for shift, part in parts])


def _seen(plan: Plan, features: Tensor, scales: Sequence[float]) -> Plan:
    """Return the plan of all images with the structure of each of V views at each of S scales, (V S B, ...).

    features: (V, B, F, s, s) float32, of the views.
    """
    number, images = features.shape[:2]
    repeated = features.repeat_interleave(len(scales), 0).flatten(0, 1)
    factors = features.new_tensor(scales).repeat_interleave(images).repeat(number)
    return plan.repeat(number * len(scales)).see(repeated).scale_structure(factors)


def _read(reader: Reader, views: Tensor, targets: Tensor, tried: Plan, fidelity: float = 0.0) -> tuple[Tensor, Tensor]:
    """Compute the classifier's output and the cost of each of S structures for each image.

    targets: (B, classes) float32, log probabilities of the classes for the originals. tried: plans of all images, then
        of all of them again, (S B, ...).

    Returns:
        Log probabilities of the classes, (S B, classes) float32, and costs, (S, B) float32.
    """
    count = len(tried.offsets) // len(views)
    views, targets = views.repeat(count, 1, 1, 1), targets.repeat(count, 1)
    indices = tried.indices(views)
    quantized = render_hard(hard_palette(views, indices, tried.colors).palette, indices)
    outputs = reader.classify(quantized).log_softmax(1)
    divergence = F.kl_div(outputs, targets, reduction="none", log_target=True).sum(1)
    return outputs, recognition_cost(divergence, quantized, views, fidelity).view(count, -1)


class _Search:
    """The images without a safe structure so far, and the best structure of every image."""

    def __init__(self, reader: Reader, views: Tensor, targets: Tensor, plan: Plan) -> None:
        self._reader = reader
        self._whole = plan
        self._best = cast(Tensor, plan.structure).clone()
        self._least = views.new_full((len(views),), torch.inf)
        self._left = torch.arange(len(views), device=views.device)
        self._views, self._targets, self._plan = views, targets, plan

    def try_scales(self, scales: Sequence[float]) -> None:
        """Try one scale after the other."""
        for scale in scales:
            if len(self._left):
                self._try(self._plan.scale_structure(scale))

    def try_shifted(self, shifts: Sequence[Shift], scales: Sequence[float]) -> None:
        """Try all scales of one shifted view after the other, as many structures at a time as a batch has room for."""
        while shifts and len(self._left):
            room = max(1, _BATCH // len(self._left))
            count = max(1, room // len(scales))
            features = _see(self._reader, self._views, shifts[:count])
            for first in range(0, len(scales), room):
                if len(self._left):
                    left = self._try(_seen(self._plan, features, scales[first : first + room]))
                    features = features[:, left]
            shifts = shifts[count:]

    def selected(self) -> Plan:
        """Return the plan of all images with the best structures so far."""
        return self._whole._replace(structure=self._best)

    def _try(self, tried: Plan) -> Tensor:
        """Read S structures of each image that is left, (S B, ...); of several safe ones, the first counts.

        Returns which of these images are still left, (B,) bool.
        """
        count = len(self._left)
        outputs, costs = _read(self._reader, self._views, self._targets, tried)
        kept, safe = (each.view_as(costs) for each in _compare(outputs, self._targets.repeat(len(costs), 1)))
        costs = costs + _LOST * ~kept
        found = safe.any(0)
        choice = torch.where(found, safe.int().argmax(0), costs.argmin(0))
        places = torch.arange(count, device=choice.device)
        cost = costs[choice, places]
        better = found | (cost < self._least[self._left])
        rows = self._left[better]
        self._least[rows] = cost[better]
        self._best[rows] = cast(Tensor, tried.structure)[(choice * count + places)[better]]
        left = ~found
        if found.any():
            self._views, self._targets, self._left = self._views[left], self._targets[left], self._left[left]
            self._plan = self._plan.part(left)
        pause()
        return left
