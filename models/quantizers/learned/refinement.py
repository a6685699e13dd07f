"""Refinement of an index map for classifiers: gradient descent on the structure of one image.

The search selects a single number for an image. The refinement changes the structure itself, cell by cell, in at most
20 steps. It continues the training objective of ColorCNN on this one image, without a label. The gradient passes
straight through the arg max (Bengio, Leonard and Courville, arXiv 1308.3432, 2013) to the index probabilities of
equation 2 of the paper.

There are two forms. The first one follows the network's own classifier alone, towards its output for the original. The
result is a code for this classifier, which another one may not recognize.

The second form also follows other classifiers, the guides, so that classifiers that took no part recognize the image
(Liu et al., "Delving into transferable adversarial examples", ICLR 2017). All of them should give the own classifier's
answer for the original, by a margin: an image that is barely recognized does not transfer (Zhao, Liu and Larson, "On
success and simplicity", NeurIPS 2021). Each step is blurred, because fine patterns serve one classifier alone (Dong et
al., "Evading defenses to transferable adversarial examples by translation-invariant attacks", CVPR 2019).
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from models.networks.classifiers import Classifier
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
_MARGIN = 5.0  # how far the logit of the answer should be above all others
_BLUR = 1.0  # standard deviation of the blur of a step, in cells of the structure
_BATCH = 64  # images at a time
_BATCH_LOGITS = 1 << 22  # 16 MiB of logits at a time


class _Aim(NamedTuple):
    """What a descent is for.

    cost: function of the logits of quantized images and of the own classifier's logits of the originals, each
        (B, classes) float32, with values of (B,) float32. close_enough: cost, in nats, at which an image is left as it
        is. blurred: whether steps are blurred.
    """

    cost: Callable[[Tensor, Tensor], Tensor]
    close_enough: float
    blurred: bool


def _divergence(outputs: Tensor, originals: Tensor) -> Tensor:
    """Return the Kullback-Leibler divergence from the output for the original, in nats."""
    targets = originals.log_softmax(1)
    return F.kl_div(outputs.log_softmax(1), targets, reduction="none", log_target=True).sum(1)


def _lack_of_margin(outputs: Tensor, originals: Tensor) -> Tensor:
    """Return the softplus of what the answer for the original lacks to a margin above all other classes."""
    answers = originals.argmax(1, keepdim=True)
    others = outputs.scatter(1, answers, -torch.inf).amax(1)
    return F.softplus(_MARGIN + others - outputs.gather(1, answers).squeeze(1))


_CODE = _Aim(_divergence, close_enough=0.02, blurred=False)
# 0.69 is the softplus of 0: where all classifiers have just the margin.
_TRANSFER = _Aim(_lack_of_margin, close_enough=0.7, blurred=True)


def refine_structure(network: ColorCNN, views: Tensor, plan: Plan, guides: Sequence[Classifier] = ()) -> Plan:
    """Return the plan with the structure of least cost on each image's descent.

    An image of any size costs up to 21 forward and backward passes of each classifier at its native size, or one pass
    where the first output is close enough. Memory is a dozen tensors of logits, at most 16 MiB each, and the
    activations that the classifiers keep for the gradient of 64 images.

    Args:
        network: in eval mode.
        views: (B, 3, s, s) float32 in [0, 1], the images at the encoder's size.
        plan: plan of the images, finite. Without a structure, the descent starts from zeros.
        guides: frozen classifiers of the encoder's classes and size, in eval mode, that the images are refined for
            beside the encoder; without any, the images are a code for the encoder alone.
    """
    structure = plan.structure
    if structure is None:
        structure = views.new_zeros(len(views), plan.offsets.shape[1], *views.shape[2:])
    size = max(1, min(_BATCH, _BATCH_LOGITS // structure[0].numel()))
    classifiers = (network.encoder, *guides)
    groups = zip(*(part.split(size) for part in (views, structure, plan.weights, plan.offsets)), strict=True)
    return plan._replace(structure=torch.cat([_descend(classifiers, *group) for group in groups]))


def _descend(
    classifiers: Sequence[Classifier], views: Tensor, structure: Tensor, weights: Tensor, offsets: Tensor
) -> Tensor:
    """Return the refined structure of a few images, (B, K, s, s) float32, from the parts of their plan."""
    aim = _TRANSFER if len(classifiers) > 1 else _CODE
    start = Plan(structure, weights, offsets).index_logits(views)
    originals = classifiers[0](views).float()
    largest, second = start.topk(2, 1).values.unbind(1)
    margin = (largest - second).mean((1, 2)).clamp_min(_LEAST_MARGIN).view(-1, 1, 1, 1)
    logits, best = start, start.clone()
    least = views.new_full((len(views),), torch.inf)
    active = torch.arange(len(views), device=views.device)
    for step in range(_STEPS + 1):
        evaluation = _evaluate(classifiers, aim, views, originals, logits, _TEMPERATURE * margin)
        better = evaluation.cost < least[active]
        least[active[better]], best[active[better]] = evaluation.cost[better], logits[better]
        far = evaluation.recognition > aim.close_enough
        if step == _STEPS or not far.any():
            break
        logits = (logits - _RATE * _DECAY**step * margin * evaluation.slope)[far]
        views, originals, margin, active = (each[far] for each in (views, originals, margin, active))
        pause()
    return structure + (best - start)


class _Evaluation(NamedTuple):
    """Cost of hard images, and its gradient with respect to their index logits."""

    cost: Tensor  # (B,) float32, see `recognition_cost`
    recognition: Tensor  # (B,) float32, the part of the cost that is the aim's, nats
    slope: Tensor  # (B, K, s, s) float32, gradient of the cost, scaled to a mean square of 1 for each image


def _evaluate(
    classifiers: Sequence[Classifier], aim: _Aim, views: Tensor, originals: Tensor, logits: Tensor, temperature: Tensor
) -> _Evaluation:
    """Evaluate the hard images of some index logits.

    originals: (B, classes) float32, logits of the classes for the originals. logits: (B, K, s, s) float32.
    temperature: (B, 1, 1, 1) float32, divisor of the logits in the index probabilities.
    """
    indices = logits.argmax(1)
    palette = hard_palette(views, indices, logits.shape[1]).palette
    quantized = render_hard(palette, indices)
    # Tensors made in inference mode cannot require a gradient; copies made outside of this mode can.
    with torch.inference_mode(False), torch.enable_grad():
        images, views, originals = quantized.clone().requires_grad_(), views.clone(), originals.clone()
        costs = [aim.cost(classifier(images).float(), originals) for classifier in classifiers]
        recognition = torch.stack(costs).mean(0)
        cost = recognition_cost(recognition, images, views)
        (gradient,) = torch.autograd.grad(cost.sum(), images)
    gains = torch.einsum("bchw,bkc->bkhw", gradient, palette)  # gradient with respect to the index probabilities
    probabilities = (logits / temperature).softmax(1)
    slope = probabilities * (gains - (probabilities * gains).sum(1, keepdim=True))
    if aim.blurred:
        slope = _blurred(slope)
    size = slope.square().mean((1, 2, 3), keepdim=True).sqrt()
    return _Evaluation(cost.detach(), recognition.detach(), slope / size.clamp_min(torch.finfo(size.dtype).tiny))


def _blurred(planes: Tensor) -> Tensor:
    """Convolve each plane of (B, K, s, s) with a Gaussian; the border is filled by repetition."""
    radius = round(3 * _BLUR)
    offsets = torch.arange(-radius, radius + 1, device=planes.device)
    kernel = (-(offsets**2) / (2 * _BLUR**2)).exp().to(planes.dtype)
    kernel = kernel / kernel.sum()
    padded = F.pad(planes.flatten(0, 1).unsqueeze(1), (radius,) * 4, mode="replicate")
    with torch.autocast(planes.device.type, enabled=False):
        rows = F.conv2d(padded, kernel.view(1, 1, -1, 1))
        return F.conv2d(rows, kernel.view(1, 1, 1, -1)).view_as(planes)
