"""Attacked paths of an image to a classifier: none, fewer bits per channel, classical and learned quantizers."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from models.networks.palette import render_soft, soft_palette
from models.networks.plan import Plan
from models.quantizers.base import Quantizer
from models.quantizers.learned.colorcnn import LearnedQuantizer
from models.quantizers.learned.search import Candidates, select_structure
from training.data.workers import Images
from training.engines.quantized_blocks import Map

_PART = 8  # images that a process quantizes at a time
_EMPTY = 1e3  # value of entries that fill up a palette, far from every pixel
_SMALLEST_SPREAD = 1e-6  # squared distance in [0, 1] units, a divisor, also for an image of few colors


@dataclass(frozen=True)
class Plain:
    """No quantizer: the classifier sees the image itself."""

    def seen(self, images: Tensor) -> Tensor:
        """See `Path.seen`."""
        return images

    def soft(self, images: Tensor, seen: Tensor) -> Tensor:
        """See `Path.soft`."""
        return images


@dataclass(frozen=True)
class BitDepth:
    """Fewer bits per channel, the feature squeezing of Xu, Evans and Qi (NDSS 2018).

    A value x in [0, 1] becomes round(x (2^bits - 1)) / (2^bits - 1), here rounded to 8 bits. bits: 1 to 8.
    """

    bits: int

    def seen(self, images: Tensor) -> Tensor:
        """See `Path.seen`."""
        steps = 2**self.bits - 1
        return images.float().mul(steps / 255).round().mul(255 / steps).round().to(torch.uint8)

    def soft(self, images: Tensor, seen: Tensor) -> Tensor:
        """See `Path.soft`: each value is a mixture of the levels, with more weight for nearer ones."""
        levels = torch.linspace(0, 1, 2**self.bits, device=images.device)
        values = images.flatten(1).unsqueeze(2)
        mixed = soft_nearest(values, levels.view(1, -1, 1).expand(len(images), -1, -1))
        return mixed.squeeze(2).view_as(images)


@dataclass(frozen=True, eq=False)
class Classical:
    """A classical quantizer with a palette of `colors` entries. run: `map` of a pool, or the function `map`."""

    quantizer: Quantizer
    colors: int
    run: Map

    def seen(self, images: Tensor) -> Tensor:
        """See `Path.seen`."""
        pixels = images.permute(0, 2, 3, 1).cpu().numpy()
        parts = [pixels[start : start + _PART] for start in range(0, len(pixels), _PART)]
        quantized = self.run(_Quantize(self.quantizer, self.colors), parts)
        return torch.from_numpy(np.concatenate(list(quantized))).permute(0, 3, 1, 2).to(images.device)

    def soft(self, images: Tensor, seen: Tensor) -> Tensor:
        """See `Path.soft`: each pixel is a mixture of the entries of the palette, with more weight for nearer ones."""
        pixels = images.flatten(2).mT
        return soft_nearest(pixels, _palettes(seen)).mT.reshape(images.shape)


@dataclass(frozen=True)
class _Quantize:
    """Quantization of a part of the images; runs in the processes of a pool."""

    quantizer: Quantizer
    colors: int

    def __call__(self, images: Images) -> Images:
        return np.stack([self.quantizer.quantize(image, self.colors).render() for image in images])


@dataclass(frozen=True, eq=False)
class Learned:
    """A learned quantizer, with its search where it has one."""

    learned: LearnedQuantizer
    colors: int

    def seen(self, images: Tensor) -> Tensor:
        """See `Path.seen`."""
        quantized = self.learned.quantize_batch(images.permute(0, 2, 3, 1).cpu().numpy(), self.colors)
        pixels = np.stack([each.render() for each in quantized])
        return torch.from_numpy(pixels).permute(0, 3, 1, 2).to(images.device)

    def soft(self, images: Tensor, seen: Tensor) -> Tensor:
        """See `Path.soft`: equations 1 and 2 of the ColorCNN paper, with the structure scales of the real path.

        An image that takes the structure of a shifted view keeps its own here, scaled to the size of that one.
        """
        network = self.learned.network
        plan = network.plan(images, images.flatten(2).mT, self.colors)
        if self.learned.search:
            plan = plan.scale_structure(self._scales(images.detach(), plan))
        probabilities = plan.index_logits(images).softmax(1)
        return render_soft(soft_palette(images, probabilities), probabilities)

    @torch.no_grad()
    def _scales(self, images: Tensor, plan: Plan) -> Tensor | float:
        """Return the structure scale that the search selects for each image, (B,) float32."""
        network, logits = self.learned.network, self.learned.network.classify(images)
        config = network.config
        candidates = Candidates(config.structure_scales, config.view_shifts, config.view_scales)
        chosen = select_structure(network, images, logits, plan, candidates, self.learned.fidelity)
        if plan.structure is None or chosen.structure is None:
            return 1.0
        return chosen.structure.square().mean((1, 2, 3)).sqrt() / plan.structure.square().mean((1, 2, 3)).sqrt()


def soft_nearest(points: Tensor, entries: Tensor) -> Tensor:
    """Return for each point a mixture of entries with weights exp(-d^2 / t); differentiable in the points.

    d is the distance to the entry, t the mean squared distance of the points of a set to their nearest entries.

    Args:
        points: (B, N, C) float32.
        entries: (B, K, C) float32.
    """
    distances = torch.cdist(points, entries).square()
    spread = distances.detach().amin(2).mean(1).clamp_min(_SMALLEST_SPREAD).view(-1, 1, 1)
    return (-distances / spread).softmax(2) @ entries


def _palettes(seen: Tensor) -> Tensor:
    """Return the colors of each image, (B, K, 3) float32 in [0, 1]; K is the largest number of colors of an image."""
    pixels = seen.flatten(2).mT
    colors = [each.unique(dim=0).float().div(255) for each in pixels]
    return pad_sequence(colors, batch_first=True, padding_value=_EMPTY)
