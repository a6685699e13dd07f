"""Cost of a prefilter for a batch of photographs that one classifier looks at, and its hyper-parameters.

The targets are the answers of the classifier for the original (distillation, Hinton et al., 2015), as in
`models.quantizers.learned.descent`. The mapping is exact; its gradient passes straight through, up to the gamut of the
palette.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from models.networks.prefilter import Prefilter
from models.networks.recognition import sharp_answers
from models.quantizers.classical.gamut import Gamut
from models.quantizers.learned.mapping import Diffusion, Mapping
from models.quantizers.learned.random_views import Region
from models.recognizer import Recognizer
from models.rgb import Pixels
from training.data.photograph_samples import PhotographSample
from training.loop.hyperparameters import Hyperparameters
from training.loop.objective import Draw
from training.options import Count, Fraction, Weight

_COLORS = ("2:8", "3:1", "4:5", "6:1", "8:2", "16:3", "32:1", "64:0.3", "256:0.1")


class PrefilterHyperparameters(Hyperparameters):
    """Hyper-parameters of the prefilter."""

    classifier: str
    """Published classifier whose stages are the encoder; also the first classifier that looks at the pictures."""
    also: tuple[str, ...] = ()
    """Further classifiers that look at the pictures."""
    turns: tuple[Weight, ...] = ()
    """Relative frequencies of batches for --classifier and each of --also; equal by default."""
    photographs: Count = 2000
    """Photographs of an epoch, drawn without repetition."""
    lr: Weight = 2e-4
    """Peak learning rate of AdamW."""
    weight_decay: Weight = 1e-4
    """Weight decay of AdamW."""
    colors: Annotated[tuple[Draw, ...], Field(min_length=1)] = _COLORS
    """Numbers of colors and their relative frequencies among pictures, as K:WEIGHT."""
    large: Fraction = 1.0
    """Part of the batches with pictures of twice the view, mapped with error diffusion."""
    change: Weight = 90.0
    """Nats for a mean squared change of 1 in the view of a picture of twice the view, where 1 is white."""
    small_change: Weight = 50.0
    """The same of a picture of the view's size."""


@dataclass(frozen=True, eq=False)
class Objective:
    """Cost of a batch for one recognizer, which looks at a random view of the mapped pictures."""

    network: Prefilter
    config: PrefilterHyperparameters

    def __call__(self, batch: "Batch", recognizer: Recognizer, region: Region) -> tuple[Tensor, Tensor]:
        """Return the cost, and which pictures the recognizer recognizes: (), (B,) bool."""
        picture, mapped = batch.changed(self.network)
        shown = mapped + batch.mobility(picture) * (picture - picture.detach())
        view = region.view(shown, recognizer.views)
        with torch.no_grad():
            answers = recognizer.network(whole(batch.originals).view(batch.originals, recognizer.views)).float()
        output = recognizer.network(view.clamp(0, 1).contiguous(memory_format=torch.channels_last)).float()
        divergence = F.kl_div(output.log_softmax(1), sharp_answers(answers), reduction="batchmean", log_target=True)
        # Not the error of the mapped picture: no change removes what the palette lacks, but the gradient asks for one.
        change = region.view(picture - batch.reachable, recognizer.views)
        weight = self.config.change if batch.diffused else self.config.small_change
        return divergence + weight * change.square().mean(), output.argmax(1) == answers.argmax(1)


class Batch:
    """Pictures of one size, which are all mapped with error diffusion or all without.

    Args:
        samples: the pictures.
        size: side of the prefilter's input, in pixels.
        device: of the prefilter and of the recognizers.

    Attributes:
        originals, mapped: the pictures and their mapping without a change, (B, 3, side, side) float32 in [0, 1].
        reachable: the pictures in the gamuts of their palettes, if errors are diffused.
    """

    def __init__(self, samples: Sequence[PhotographSample], size: int, device: torch.device) -> None:
        self.samples = samples
        self.diffused = samples[0].draw.diffused
        self._size = size
        self._device = device
        self.originals = self._tensor([sample.pixels for sample in samples])
        self.mapped = self._tensor([sample.mapped for sample in samples])
        self.reachable = self._within(self.originals)

    def changed(self, network: Prefilter) -> tuple[Tensor, Tensor]:
        """Return the changed pictures, with their gradient, and their mapping, (B, 3, side, side) both."""
        colors = torch.tensor([sample.draw.colors for sample in self.samples], device=self._device)
        diffused = torch.full((len(self.samples),), float(self.diffused), device=self._device)
        change = network(self._scaled(self.originals), self._scaled(self.mapped), colors, diffused)
        change = F.interpolate(change, self.originals.shape[2:], mode="bilinear", align_corners=False)
        picture = self._within(self.originals + change)
        return picture, self._tensor([sample.mapping.map(one).render() for sample, one in self._rounded(picture)])

    def mobility(self, picture: Tensor) -> Tensor:
        """Return how far each pixel follows its gradient, (B, 1, side, side) or a single 1."""
        values = [sample.mapping.mobility(pixels) for sample, pixels in self._rounded(picture)]
        known = [value for value in values if value is not None]
        return torch.from_numpy(np.stack(known))[:, None].to(self._device) if known else torch.ones(())

    def _within(self, pictures: Tensor) -> Tensor:
        pairs = zip(pictures, self.samples, strict=True)
        return torch.stack([_within(picture, sample.mapping) for picture, sample in pairs])

    def _rounded(self, picture: Tensor) -> Iterator[tuple[PhotographSample, Pixels]]:
        rounded = picture.detach().mul(255).round_().clamp_(0, 255).byte().permute(0, 2, 3, 1).contiguous()
        return zip(self.samples, rounded.cpu().numpy(), strict=True)

    def _scaled(self, images: Tensor) -> Tensor:
        if images.shape[-1] == self._size:
            return images
        size = (self._size, self._size)
        return F.interpolate(images, size, mode="bicubic", antialias=True, align_corners=False).clamp(0, 1)

    def _tensor(self, images: Sequence[Pixels]) -> Tensor:
        stacked = torch.from_numpy(np.stack(images)).to(self._device).permute(0, 3, 1, 2).float().div(255)
        return stacked.contiguous(memory_format=torch.channels_last)


def whole(images: Tensor) -> Region:
    """Return the region of all of (B, 3, H, W) images."""
    return Region(0, 0, *images.shape[2:])


def _within(picture: Tensor, mapping: Mapping) -> Tensor:
    """Move each pixel of a (3, H, W) picture to where the mapping moves it before errors are diffused, with gradients.

    It is what `Gamut.nearest` does; a mapping to the nearest entries moves none.
    """
    if not isinstance(mapping, Diffusion):
        return picture
    gamut = Gamut.of(mapping.palette)
    parts = (gamut.center, gamut.axes, gamut.low, gamut.high)
    center, axes, low, high = (torch.from_numpy(part).to(picture.device) for part in parts)
    places = (255 * picture.permute(1, 2, 0) - center) @ axes.T
    return ((places.clamp(low, high) @ axes + center) / 255).permute(2, 0, 1)
