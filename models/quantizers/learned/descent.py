"""Descent on a picture before it is mapped to few colors, so that recognizers keep their answers on the mapped picture.

What is varied is a smooth change of the picture, not the index of each pixel. The mapping to the palette is computed
exactly in each step; its gradient passes straight through (Bengio, Leonard and Courville, arXiv 1308.3432, 2013). With
error diffusion the pattern of dots differs in each step, so that the descent cannot rely on single dots.

In each step every recognizer looks at a random view: what survives another crop, another scale and another network is
structure that more recognizers share (Liu et al., "Delving into Transferable Adversarial Examples",
ICLR 2017; Xie et al., "Improving Transferability of Adversarial Examples with Input Diversity", CVPR 2019; the momentum
of Dong et al., "Boosting Adversarial Attacks with Momentum", CVPR 2018). Those papers change the answer; here the same
means keep it.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from models.networks.recognition import sharp_answers
from models.pauses import pause
from models.quantizers.base import Backdrop
from models.quantizers.learned.mapping import Mapping
from models.quantizers.learned.random_views import Region, enclosing, random_region
from models.quantizers.learned.team import limit_threads
from models.recognizer import Recognizer
from models.rgb import Pixels

_SEED = 0
_BAND = 1 << 18  # pixels at a time
_MARGIN = 16  # pixels around a region, in which error diffusion settles


@dataclass(frozen=True)
class Steps:
    """Passes of a descent, each one forward and backward through one recognizer.

    A step takes one pass through each recognizer, all from the same picture.

    count: number of passes; where it is no multiple of the number of recognizers, the last step is complete. rate: mean
    change for each pass, in levels of 255. momentum: factor of the direction of the earlier passes, 0 to 1.
    error_weight: nats for a mean squared error of 1 in the view.
    """

    count: int
    rate: float
    momentum: float
    error_weight: float


def descend(
    pixels: Pixels,
    mapping: Mapping,
    recognizers: Sequence[Recognizer],
    steps: Steps,
    cell: int,
    backdrop: Backdrop | None = None,
) -> NDArray[np.float32]:
    """Return the change of a picture after which recognizers answer for the mapped picture as for the original.

    Each recognizer computes in a thread of its own, with half of the threads that torch has: at one image at a time,
    more threads gain little and slow down concurrent work. Of the picture, a step maps what its views show, and a
    margin. The descent pauses after each step.

    Args:
        pixels: (H, W, 3) uint8 sRGB.
        mapping: maps a changed picture to its palette.
        recognizers: at least one, all on one device.
        steps: of the descent.
        cell: side of the squares that change together, before interpolation, in pixels.
        backdrop: what is seen of a picture of (H, W) with transparent parts; None for an opaque picture.

    Returns:
        The change of each cell, (ceil(H / cell), ceil(W / cell), 3) float32 in levels of 255.
    """
    random = np.random.default_rng(_SEED)
    height, width = pixels.shape[:2]
    team = len(recognizers)
    change = torch.zeros(3, -(-height // cell), -(-width // cell))
    direction = torch.zeros_like(change)
    original = pixels if backdrop is None else backdrop.behind(pixels)
    visible = torch.ones(()) if backdrop is None else _cell_shares(backdrop.alpha, cell)
    with ThreadPoolExecutor(team, initializer=partial(limit_threads, 2)) as threads:
        answers = list(threads.map(partial(_sharp_answer, original), recognizers))
        for _ in range(-(-steps.count // team)):
            regions = [random_region(recognizer.views, height, width, random) for recognizer in recognizers]
            part = enclosing(regions).grown(_MARGIN, height, width)
            picture = changed(pixels, _array(change), part)
            mapped = mapping.map(picture).render()
            if backdrop is not None:
                mapped = replace(backdrop, alpha=part.of(backdrop.alpha)).behind(mapped)
            shown = _Shown(original, part, mapped, mapping.mobility(picture), cell)
            look = partial(_slope, shown, steps.error_weight)
            for slope in threads.map(look, recognizers, answers, regions):
                direction = steps.momentum * direction + _normalized(slope * visible)
            change = change - team * steps.rate * _normalized(direction)
            pause()
    return _array(change)


def changed(pixels: Pixels, change: NDArray[np.float32], part: Region | None = None) -> Pixels:
    """Add a change of cells, interpolated to the size of the picture and rounded: (H, W, 3) uint8 -> (H, W, 3) uint8.

    change: (h, w, 3) float32 in levels of 255. part: the part of the picture that is returned; None for all of it.
    """
    height, width = pixels.shape[:2]
    part = part or Region(0, 0, height, width)
    planes = [Image.fromarray(np.ascontiguousarray(plane)) for plane in change.transpose(2, 0, 1)]
    tall, wide = change.shape[0] / height, change.shape[1] / width  # cells for each pixel
    left, right = part.left * wide, (part.left + part.width) * wide
    original = part.of(pixels)
    result = np.empty_like(original)
    rows = max(1, _BAND // part.width)
    for top in range(0, part.height, rows):
        bottom = min(part.height, top + rows)
        # Neighboring bands fit: Pillow reads beyond the box where the filter does.
        box = (left, (part.top + top) * tall, right, (part.top + bottom) * tall)
        for channel, plane in enumerate(planes):
            added = plane.resize((part.width, bottom - top), Image.Resampling.BILINEAR, box=box)
            sums = original[top:bottom, :, channel] + np.asarray(added)
            result[top:bottom, :, channel] = np.rint(sums, out=sums).clip(0, 255, out=sums)
        pause()
    return result


class _Shown(NamedTuple):
    """What the recognizers see in a step.

    pixels: the original as it is seen. part: the part of it that is mapped. mapped: this part with its change, mapped,
    as it is seen. mobility: see `Mapping.mobility`. cell: see `descend`.
    """

    pixels: Pixels
    part: Region
    mapped: Pixels
    mobility: NDArray[np.float32] | None
    cell: int


def _slope(shown: _Shown, error_weight: float, recognizer: Recognizer, answer: Tensor, region: Region) -> Tensor:
    """Return the gradient of the cost with respect to the change, through a region's view, (3, h, w)."""
    geometry = recognizer.views
    height, width = shown.pixels.shape[:2]
    inner = region.within(shown.part)
    view, target = inner.view_of(shown.mapped, geometry), region.view_of(shown.pixels, geometry)
    gradient = _gradient(recognizer, answer, view, target, error_weight)
    if shown.mobility is None:
        return region.mean_slope(gradient, geometry, shown.cell, height, width)
    slope = region.slope(gradient, geometry) * torch.from_numpy(inner.of(shown.mobility))
    return F.avg_pool2d(region.padded(slope, height, width), shown.cell, ceil_mode=True, count_include_pad=False)


def _gradient(recognizer: Recognizer, answer: Tensor, view: Tensor, target: Tensor, error_weight: float) -> Tensor:
    """Return the gradient of the cost of a mapped picture's view, (3, size, size) on the CPU.

    The cost is the Kullback-Leibler divergence from the answer, and the weighted squared error in the view.

    view, target: (1, 3, size, size) uint8, views of the mapped picture and of the original.
    """
    images, targets = (each.to(recognizer.device).float().div(255) for each in (view, target))
    images.requires_grad_()
    output = recognizer.network(images.contiguous(memory_format=torch.channels_last)).float().log_softmax(1)
    divergence = F.kl_div(output, answer, reduction="sum", log_target=True)
    cost = divergence + error_weight * (images - targets).square().mean()
    (gradient,) = torch.autograd.grad(cost, images)
    return gradient[0].cpu()


@torch.no_grad()
def _sharp_answer(pixels: Pixels, recognizer: Recognizer) -> Tensor:
    """Return the answer for the original's own view, (1, classes)."""
    return sharp_answers(recognizer.logits(recognizer.view(pixels)))


def _cell_shares(alpha: NDArray[np.uint8], cell: int) -> Tensor:
    """Return the mean alpha of each cell, (1, ceil(H / cell), ceil(W / cell)) in 0..1."""
    shares = torch.from_numpy(alpha.astype(np.float32) / 255)
    return F.avg_pool2d(shares[None], cell, ceil_mode=True, count_include_pad=False)


def _normalized(values: Tensor) -> Tensor:
    """Scale to a mean absolute value of 1; zeros stay zeros."""
    return values / values.abs().mean().clamp_min(torch.finfo(values.dtype).tiny)


def _array(change: Tensor) -> NDArray[np.float32]:
    return np.asarray(change.permute(1, 2, 0).numpy())
