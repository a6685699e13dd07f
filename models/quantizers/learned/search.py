"""Search for the scale of an image's structure: analysis by synthesis with the frozen classifier.

Training fixes one scale for all images: how far structure may move a pixel from its nearest color. For a single image,
more or less structure may be better, and the network's encoder is a classifier that can measure it. The search
therefore quantizes a small copy of the image at each scale. It selects the scale whose classifier output is closest to
the output for the original.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from models.errors import NotFinite
from models.networks.colorcnn import ColorCNN
from models.networks.palette import hard_palette, render_hard
from models.networks.plan import Plan

_ERROR_WEIGHT = 100.0  # a squared error of 20 dB costs as much as a divergence of 1 nat
_FLOOR = 0.05  # least weight of the squared error: it separates scales with equal classifier outputs
_BATCH = 64  # quantized copies at a time: all scales of an image pass through the classifier at once


def select_structure_scale(
    network: ColorCNN, views: Tensor, plan: Plan, scales: Sequence[float], fidelity: float = 0.0
) -> Plan:
    """Return the plan with the structure of each image multiplied by the scale of least cost.

    The cost of a scale is (1 - fidelity) D + 100 (fidelity + 0.05) E. D is the Kullback-Leibler divergence of the
    classifier's output in nats, and E is the mean squared error in [0, 1] units. On held-out images the 0.05 gained 1
    to 3 dB and lost no top-1.

    Each scale costs one index map and one pass of the classifier at its native size, for an image of any size. A single
    scale, or a plan without structure, costs nothing. Memory is the structure of 64 images, or of the whole batch where
    the batch is larger.

    Args:
        network: in eval mode.
        views: (B, 3, s, s) float32 in [0, 1], the images at the encoder's size.
        plan: plan of the images.
        scales: factors of the structure, one or more.
        fidelity: 0 to 1, weight of the squared error.

    Raises NotFinite if the plan holds a value that is not finite.
    """
    _require_finite(plan)
    if len(scales) == 1 or plan.structure is None:
        return plan.scale_structure(scales[0])
    targets = network.encoder(views).float().log_softmax(1)
    factors = views.new_tensor(scales)
    groups = factors.split(max(1, _BATCH // len(views)))
    costs = torch.cat([_costs(network, views, targets, plan, group, fidelity) for group in groups])
    return plan.scale_structure(factors[costs.argmin(0)])


def recognition_cost(divergence: Tensor, quantized: Tensor, views: Tensor, fidelity: float = 0.0) -> Tensor:
    """Compute the cost that `select_structure_scale` minimizes, (B,) float32.

    divergence: (B,) float32, nats. quantized, views: (B, 3, s, s) float32 in [0, 1]. fidelity: 0 to 1.
    """
    error = (quantized - views).square().mean((1, 2, 3))
    return (1 - fidelity) * divergence + (fidelity + _FLOOR) * _ERROR_WEIGHT * error


def _require_finite(plan: Plan) -> None:
    parts: tuple[Tensor | None, ...] = plan
    if not all(bool(part.isfinite().all()) for part in parts if part is not None):
        raise NotFinite("the quantizer computed a plan with values that are not finite")


def _costs(network: ColorCNN, views: Tensor, targets: Tensor, plan: Plan, factors: Tensor, fidelity: float) -> Tensor:
    """Compute the cost of each of S scales for each image, (S, B) float32.

    targets: (B, classes) float32, log probabilities of the classes for the originals. factors: (S,) float32.
    """
    scales, count = len(factors), len(views)
    views, targets = views.repeat(scales, 1, 1, 1), targets.repeat(scales, 1)
    indices = plan.repeat(scales).scale_structure(factors.repeat_interleave(count)).indices(views)
    quantized = render_hard(hard_palette(views, indices, plan.offsets.shape[1]).palette, indices)
    outputs = network.encoder(quantized).float().log_softmax(1)
    divergence = F.kl_div(outputs, targets, reduction="none", log_target=True).sum(1)
    return recognition_cost(divergence, quantized, views, fidelity).view(scales, count)
