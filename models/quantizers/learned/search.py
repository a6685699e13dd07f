"""The search for the strength of an image's structure: analysis by synthesis, with the frozen classifier as the judge.

What the network learned says for all images alike how far structure may leave the nearest color. For one image, more
or less of it may be better, and at hand is who can tell: the classifier that is the network's encoder. So the image is
painted with each strength, small, and takes the one that is read most like the original.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from models.errors import NotFinite
from models.networks.colorcnn import ColorCNN, Plan
from models.networks.palette import hard_palette, render_hard

_ERROR_WEIGHT = 100.0  # makes a squared error of 20 dB as bad as a divergence of 1 nat
_FLOOR = 0.05  # of fidelity: strengths that are read equally well are not equally good
_TOGETHER = 64  # small paintings at a time: one image's strengths go through the classifier at once


def strengthened(
    network: ColorCNN, views: Tensor, plan: Plan, strengths: Sequence[float], fidelity: float = 0.0
) -> Plan:
    """The plan at the best of some strengths for each image.

    Costs one index map and one pass of the classifier for each strength, at the classifier's size, whatever the size of
    the image; nothing where there is only one, or no structure. Memory: that of the structure of 64 images, or of the
    batch where it is larger.

    Args:
        network: in eval mode.
        views: (B, 3, s, s) float32 in [0, 1], what the classifier sees of the images.
        plan: of the images.
        strengths: what the structure that was learned is multiplied by, at least one.
        fidelity: 0 to 1. What is smallest at the best strength is (1 - fidelity) times the Kullback-Leibler divergence
            of the classifier's answers in nats, plus 100 (fidelity + 0.05) times the mean squared error in units of 1.
            The 0.05 cost no top-1 on held-out images and gave 1 to 3 dB.

    Raises NotFinite for a plan that holds other values: all that is painted by it would be garbage.
    """
    _require_finite(plan)
    if len(strengths) == 1 or plan.structure is None:
        return plan.times(strengths[0])
    answers = network.encoder(views).float().log_softmax(1)
    factors = views.new_tensor(strengths)
    groups = factors.split(max(1, _TOGETHER // len(views)))
    costs = torch.cat([_costs(network, views, answers, plan, group, fidelity) for group in groups])
    return plan.times(factors[costs.argmin(0)])


def _require_finite(plan: Plan) -> None:
    parts: tuple[Tensor | None, ...] = plan
    if not all(bool(part.isfinite().all()) for part in parts if part is not None):
        raise NotFinite("the quantizer planned with values that are not finite")


def _costs(network: ColorCNN, views: Tensor, answers: Tensor, plan: Plan, factors: Tensor, fidelity: float) -> Tensor:
    """(S, B) float32, of each of S strengths for each image.

    answers: (B, classes) float32, log probabilities of the classes in the originals. factors: (S,) float32.
    """
    strengths, count = len(factors), len(views)
    views, answers = views.repeat(strengths, 1, 1, 1), answers.repeat(strengths, 1)
    plans = plan.repeated(strengths).times(factors.repeat_interleave(count))
    indices = network.indices(views, plans)
    painted = render_hard(hard_palette(views, indices, plan.offsets.shape[1]).palette, indices)
    read = network.encoder(painted).float().log_softmax(1)
    divergence = F.kl_div(read, answers, reduction="none", log_target=True).sum(1)
    return reading_cost(divergence, painted, views, fidelity).view(strengths, count)


def reading_cost(divergence: Tensor, painted: Tensor, views: Tensor, fidelity: float = 0.0) -> Tensor:
    """What is smallest for the best painting, (B,) float32; see `strengthened`.

    divergence: (B,) float32, nats. painted, views: (B, 3, s, s) float32 in [0, 1]. fidelity: 0 to 1.
    """
    error = (painted - views).square().mean((1, 2, 3))
    return (1 - fidelity) * divergence + (fidelity + _FLOOR) * _ERROR_WEIGHT * error
