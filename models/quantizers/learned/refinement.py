"""Refinement of an index map for the network's classifier: gradient descent on the structure of one image.

The search selects a single number for an image. The refinement changes the structure itself, cell by cell. It stops
after 20 steps, or when the frozen classifier's output for the quantized image is close to the output for the original.
It continues the training objective of ColorCNN on this one image, without a label. The gradient passes straight through
the arg max (Bengio, Leonard and Courville, arXiv 1308.3432, 2013) to the index probabilities of equation 2 of the
paper.

The result is tuned to this one classifier. Another classifier may recognize it less often than an unrefined image.
"""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from models.networks.colorcnn import ColorCNN
from models.networks.palette import hard_palette, render_hard
from models.networks.plan import Plan
from models.pauses import pause
from models.quantizers.learned.search import recognition_cost

# Selected on the held-out part of train.
_STEPS = 20
_RATE = 0.04  # rate of the first step, in mean distances between the two largest logits of a pixel
_DECAY = 0.95  # factor of the rate from one step to the next
_TEMPERATURE = 0.6  # temperature of the index probabilities, in the same unit as the rate
_LEAST_MARGIN = 1e-6  # keeps divisions safe where all indices are equally probable at every pixel
_CLOSE_ENOUGH = 0.02  # nats; an image at or below this divergence is left unchanged
_BATCH = 64  # images at a time
_BATCH_LOGITS = 1 << 22  # 16 MiB of logits at a time


def refine_structure(network: ColorCNN, views: Tensor, plan: Plan) -> Plan:
    """Return the plan with the structure of least cost on each image's descent.

    An image of any size costs up to 21 forward and backward passes of the classifier at its native size. It costs one
    pass where the first output is close enough. Memory is a dozen tensors of logits, at most 16 MiB each, and the
    activations that the classifier keeps for the gradient of 64 images.

    Args:
        network: in eval mode.
        views: (B, 3, s, s) float32 in [0, 1], the images at the encoder's size.
        plan: plan of the images, finite. Without a structure, the descent starts from zeros.
    """
    structure = plan.structure
    if structure is None:
        structure = views.new_zeros(len(views), plan.offsets.shape[1], *views.shape[2:])
    size = max(1, min(_BATCH, _BATCH_LOGITS // structure[0].numel()))
    groups = zip(*(part.split(size) for part in (views, structure, plan.weights, plan.offsets)), strict=True)
    return plan._replace(structure=torch.cat([_descend(network, *group) for group in groups]))


def _descend(network: ColorCNN, views: Tensor, structure: Tensor, weights: Tensor, offsets: Tensor) -> Tensor:
    """Return the refined structure of a few images, (B, K, s, s) float32, from the parts of their plan."""
    start = Plan(structure, weights, offsets).index_logits(views)
    targets = network.encoder(views).float().log_softmax(1)
    largest, second = start.topk(2, 1).values.unbind(1)
    margin = (largest - second).mean((1, 2)).clamp_min(_LEAST_MARGIN).view(-1, 1, 1, 1)
    logits, best = start, start.clone()
    least = views.new_full((len(views),), torch.inf)
    active = torch.arange(len(views), device=views.device)
    for step in range(_STEPS + 1):
        evaluation = _evaluate(network, views, targets, logits, _TEMPERATURE * margin)
        better = evaluation.cost < least[active]
        least[active[better]], best[active[better]] = evaluation.cost[better], logits[better]
        far = evaluation.divergence > _CLOSE_ENOUGH
        if step == _STEPS or not far.any():
            break
        logits = (logits - _RATE * _DECAY**step * margin * evaluation.slope)[far]
        views, targets, margin, active = (each[far] for each in (views, targets, margin, active))
        pause()
    return structure + (best - start)


class _Evaluation(NamedTuple):
    """Cost of hard images, and its gradient with respect to their index logits."""

    cost: Tensor  # (B,) float32, see `recognition_cost`
    divergence: Tensor  # (B,) float32, nats
    slope: Tensor  # (B, K, s, s) float32, gradient of the cost, scaled to a mean square of 1 for each image


def _evaluate(network: ColorCNN, views: Tensor, targets: Tensor, logits: Tensor, temperature: Tensor) -> _Evaluation:
    """Evaluate the hard images of some index logits.

    targets: (B, classes) float32, log probabilities of the classes for the originals. logits: (B, K, s, s) float32.
    temperature: (B, 1, 1, 1) float32, divisor of the logits in the index probabilities.
    """
    indices = logits.argmax(1)
    palette = hard_palette(views, indices, logits.shape[1]).palette
    quantized = render_hard(palette, indices)
    # Tensors made in inference mode cannot require a gradient; copies made outside of this mode can.
    with torch.inference_mode(False), torch.enable_grad():
        images, views, targets = quantized.clone().requires_grad_(), views.clone(), targets.clone()
        outputs = network.encoder(images).float().log_softmax(1)
        divergence = F.kl_div(outputs, targets, reduction="none", log_target=True).sum(1)
        cost = recognition_cost(divergence, images, views)
        (gradient,) = torch.autograd.grad(cost.sum(), images)
    gains = torch.einsum("bchw,bkc->bkhw", gradient, palette)  # gradient with respect to the index probabilities
    probabilities = (logits / temperature).softmax(1)
    slope = probabilities * (gains - (probabilities * gains).sum(1, keepdim=True))
    size = slope.square().mean((1, 2, 3), keepdim=True).sqrt()
    return _Evaluation(cost.detach(), divergence.detach(), slope / size.clamp_min(torch.finfo(size.dtype).tiny))
