"""The refinement of an index map for the classifier that will read it: gradient descent on one image's structure.

The search has a single number to choose for an image. Here the structure itself is improved, place by place, until the
frozen classifier reads the painting as it reads the original: what ColorCNN is trained to do for all images is gone on
with for this one, without its label. The gradient of the classifier's answer passes straight through the arg max
(Bengio, Leonard and Courville, arXiv 1308.3432, 2013) into the index probabilities of equation 2 of the paper.

What it finds is written for that classifier's eye: another one may read it worse than without.
"""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from models.networks.colorcnn import ColorCNN, Plan
from models.networks.palette import hard_palette, render_hard
from models.quantizers.learned.search import reading_cost

# Chosen on the held-out part of train.
_STEPS = 20
_RATE = 0.04  # of the first step, in mean distances between the two largest logits of a pixel
_DECAY = 0.95  # of the rate from step to step
_TEMPERATURE = 0.6  # of the index probabilities, in the same unit
_LEAST_MARGIN = 1e-6  # where all indices are as likely at every pixel, and nothing could be divided by their distance
_ENOUGH = 0.02  # nats; what is read as much like the original is left as it is
_TOGETHER = 64  # images at a time
_LOGITS_TOGETHER = 1 << 22  # 16 MiB of them


def refined(network: ColorCNN, views: Tensor, plan: Plan) -> Plan:
    """The plan with the structure at which the classifier's reading costs least, of those on the way down.

    Costs up to 21 passes of the classifier forwards and backwards, at its own size, whatever the size of the image;
    one where the first is read well enough. Memory: a tensor of logits a dozen times over, of at most 16 MiB each, and
    what the classifier keeps for the gradient of 64 images.

    Args:
        network: in eval mode.
        views: (B, 3, s, s) float32 in [0, 1], what the classifier sees of the images.
        plan: of the images; finite. Where structure has faded out, it starts from none.
    """
    structure = plan.structure
    if structure is None:
        structure = views.new_zeros(len(views), plan.offsets.shape[1], *views.shape[2:])
    together = max(1, min(_TOGETHER, _LOGITS_TOGETHER // structure[0].numel()))
    groups = zip(*(part.split(together) for part in (views, structure, plan.weights, plan.offsets)), strict=True)
    return plan._replace(structure=torch.cat([_descended(network, *group) for group in groups]))


def _descended(network: ColorCNN, views: Tensor, structure: Tensor, weights: Tensor, offsets: Tensor) -> Tensor:
    """The structure of a few images, (B, K, s, s) float32, from the parts of their plan."""
    start = network.index_logits(views, Plan(structure, weights, offsets))
    answers = network.encoder(views).float().log_softmax(1)
    largest, second = start.topk(2, 1).values.unbind(1)
    margin = (largest - second).mean((1, 2)).clamp_min(_LEAST_MARGIN).view(-1, 1, 1, 1)
    logits, best = start, start.clone()
    least = views.new_full((len(views),), torch.inf)
    left = torch.arange(len(views), device=views.device)
    for step in range(_STEPS + 1):
        reading = _read(network, views, answers, logits, _TEMPERATURE * margin)
        better = reading.cost < least[left]
        least[left[better]], best[left[better]] = reading.cost[better], logits[better]
        unlike = reading.divergence > _ENOUGH
        if step == _STEPS or not unlike.any():
            break
        logits = (logits - _RATE * _DECAY**step * margin * reading.slope)[unlike]
        views, answers, margin, left = (each[unlike] for each in (views, answers, margin, left))
    return structure + (best - start)


class _Reading(NamedTuple):
    """What the classifier makes of hard images."""

    cost: Tensor  # (B,) float32, see `reading_cost`
    divergence: Tensor  # (B,) float32, nats
    slope: Tensor  # (B, K, s, s) float32, of the cost over the index logits; the mean square of an image's is 1


def _read(network: ColorCNN, views: Tensor, answers: Tensor, logits: Tensor, temperature: Tensor) -> _Reading:
    """answers: (B, classes) float32, log probabilities of the classes in the originals."""
    indices = logits.argmax(1)
    palette = hard_palette(views, indices, logits.shape[1]).palette
    painted = render_hard(palette, indices)
    # What was made in inference mode cannot take part in a gradient; copies made outside of it can.
    with torch.inference_mode(False), torch.enable_grad():
        shown, views, answers = painted.clone().requires_grad_(), views.clone(), answers.clone()
        read = network.encoder(shown).float().log_softmax(1)
        divergence = F.kl_div(read, answers, reduction="none", log_target=True).sum(1)
        cost = reading_cost(divergence, shown, views)
        (gradient,) = torch.autograd.grad(cost.sum(), shown)
    gains = torch.einsum("bchw,bkc->bkhw", gradient, palette)  # of the cost over the index probabilities
    probabilities = (logits / temperature).softmax(1)
    slope = probabilities * (gains - (probabilities * gains).sum(1, keepdim=True))
    size = slope.square().mean((1, 2, 3), keepdim=True).sqrt()
    return _Reading(cost.detach(), divergence.detach(), slope / size.clamp_min(torch.finfo(size.dtype).tiny))
