"""Descent on a picture before it is mapped to few colors, so that recognizers keep their answers on the mapped picture.

What is varied is a smooth change of the picture, not the index of each pixel. The mapping to the palette is computed
exactly in each step; its gradient passes straight through (Bengio, Leonard and Courville, arXiv 1308.3432, 2013). With
error diffusion the pattern of dots differs in each step, so that the descent cannot rely on single dots.

Steps alternate between recognizers, and each one looks at a random view: what survives another crop, another scale and
another network is structure that more recognizers share (Liu et al., "Delving into Transferable Adversarial Examples",
ICLR 2017; Xie et al., "Improving Transferability of Adversarial Examples with Input Diversity", CVPR 2019; the momentum
of Dong et al., "Boosting Adversarial Attacks with Momentum", CVPR 2018). Those papers change the answer; here the same
means keep it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from models.pauses import pause
from models.quantizers.learned.mapping import Mapping
from models.quantizers.learned.random_views import Region, random_region
from models.recognizer import Recognizer
from models.rgb import Pixels

_SHARPNESS = 3.0  # factor of the log probabilities on the original, so that the answer gains a margin
_SEED = 0
_BAND = 1 << 18  # pixels at a time


@dataclass(frozen=True)
class Steps:
    """Steps of a descent.

    count: number of steps, each one forward and one backward pass of one recognizer. rate: mean change of a step, in
    levels of 255. momentum: factor of the direction of the earlier steps, 0 to 1. error_weight: nats for a mean squared
    error of 1 in the view.
    """

    count: int
    rate: float
    momentum: float
    error_weight: float


def descend(
    pixels: Pixels, mapping: Mapping, recognizers: Sequence[Recognizer], steps: Steps, cell: int
) -> NDArray[np.float32]:
    """Return the change of a picture after which recognizers answer for the mapped picture as for the original.

    Args:
        pixels: (H, W, 3) uint8 sRGB.
        mapping: maps a changed picture to its palette.
        recognizers: at least one, all on one device.
        steps: of the descent.
        cell: side of the squares that change together, before interpolation, in pixels.

    Returns:
        The change of each cell, (ceil(H / cell), ceil(W / cell), 3) float32 in levels of 255.
    """
    random = np.random.default_rng(_SEED)
    device = recognizers[0].device
    original = _tensor(pixels).to(device)
    answers = [_sharp_answer(recognizer, pixels) for recognizer in recognizers]
    height, width = pixels.shape[:2]
    change = torch.zeros(1, 3, -(-height // cell), -(-width // cell))
    direction = torch.zeros_like(change)
    for step in range(steps.count):
        turn = step % len(recognizers)
        picture = changed(pixels, _array(change))
        mapped = _tensor(mapping.map(picture).render()).to(device)
        region = random_region(recognizers[turn].views, height, width, random)
        slope = _slope(recognizers[turn], answers[turn], mapped, original, region, steps.error_weight).cpu()
        mobility = mapping.mobility(picture)
        if mobility is not None:
            slope *= torch.from_numpy(mobility)
        pooled = F.avg_pool2d(slope, cell, ceil_mode=True, count_include_pad=False)
        direction = steps.momentum * direction + _normalized(pooled)
        change = change - steps.rate * _normalized(direction)
        pause()
    return _array(change)


def changed(pixels: Pixels, change: NDArray[np.float32]) -> Pixels:
    """Add a change of cells, interpolated to the size of the picture and rounded: (H, W, 3) uint8 -> (H, W, 3) uint8.

    change: (h, w, 3) float32 in levels of 255.
    """
    height, width = pixels.shape[:2]
    planes = [Image.fromarray(np.ascontiguousarray(plane)) for plane in change.transpose(2, 0, 1)]
    result = np.empty_like(pixels)
    rows = max(1, _BAND // width)
    for top in range(0, height, rows):
        bottom = min(height, top + rows)
        # Neighboring bands fit: Pillow reads beyond the box where the filter does.
        box = (0, top * change.shape[0] / height, change.shape[1], bottom * change.shape[0] / height)
        for channel, plane in enumerate(planes):
            part = plane.resize((width, bottom - top), Image.Resampling.BILINEAR, box=box)
            sums = pixels[top:bottom, :, channel] + np.asarray(part)
            result[top:bottom, :, channel] = np.rint(sums, out=sums).clip(0, 255, out=sums)
        pause()
    return result


def _slope(
    recognizer: Recognizer, answer: Tensor, mapped: Tensor, original: Tensor, region: Region, error_weight: float
) -> Tensor:
    """Return the gradient of the cost of a mapped picture, (1, 3, H, W), through the view of a region.

    The cost is the Kullback-Leibler divergence from the answer, and the weighted squared error in the view.
    """
    geometry = recognizer.views
    with torch.inference_mode(False), torch.enable_grad():
        picture = mapped.clone().requires_grad_()
        view = region.view(picture, geometry)
        with torch.no_grad():
            target = region.view(original, geometry)
        # A bicubic filter overshoots; no recognizer sees values outside 0..1.
        images = view.clamp(0, 1).contiguous(memory_format=torch.channels_last)
        output = recognizer.network(images).float().log_softmax(1)
        divergence = F.kl_div(output, answer, reduction="sum", log_target=True)
        cost = divergence + error_weight * (view - target).square().mean()
        (gradient,) = torch.autograd.grad(cost, picture)
    return gradient


@torch.no_grad()
def _sharp_answer(recognizer: Recognizer, pixels: Pixels) -> Tensor:
    """Return the log probabilities on the original's own view, (1, classes), raised to a power and normalized."""
    view = _tensor(recognizer.view(pixels)).to(recognizer.device)
    pause()
    logits = recognizer.network(view.contiguous(memory_format=torch.channels_last)).float()
    return (_SHARPNESS * logits).log_softmax(1)


def _normalized(values: Tensor) -> Tensor:
    """Scale to a mean absolute value of 1; zeros stay zeros."""
    return values / values.abs().mean().clamp_min(torch.finfo(values.dtype).tiny)


def _array(change: Tensor) -> NDArray[np.float32]:
    return np.asarray(change[0].permute(1, 2, 0).numpy())


def _tensor(pixels: NDArray[np.uint8]) -> Tensor:
    return torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None].float().div(255)
