"""Loss of the served quantizer for a batch that is quantized to K colors, and its hyper-parameters.

At small K the classifier first sees soft images (equations 1 and 2 of the paper). A low contrast and a random
brightness force the soft images to be nearly hard, as in the paper. Later, the classifier sees hard images. At large
K, where soft and hard hardly differ, the classifier sees hard images from the start. The gradient passes straight
through (Bengio et al., 2013). The forward pass uses the arg max image with its 8-bit palette, the backward pass the
soft image at a temperature. At a low one, only pixels that are about to change their index have a gradient.

The loss compares the classifier's output with its output for the original (distillation, Hinton et al., 2015), and
with the label. The regularizer of the paper penalizes unused colors. At large K a squared error keeps the image close
to the original.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import torch
from pydantic import AfterValidator, Field, TypeAdapter, ValidationError, field_serializer
from torch import Tensor
from torch.nn import functional as F

from models.networks.classifiers import Classifier
from models.networks.colorcnn import ColorCNN
from models.networks.palette import SoftResult, hard_palette, render_hard
from training.loop.hyperparameters import Hyperparameters
from training.loop.losses import disagreement, regularizer, total_variation
from training.options import Colors, Count, CountOrZero, Fraction, Positive, Weight

_FLATTEST = 1e-3  # lower bound of the total variation of a batch, a divisor
_COLORS = TypeAdapter[int](Colors)
_WEIGHT = TypeAdapter[float](Weight)


def parse_draw(text: str) -> tuple[int, float]:
    """Parse K:WEIGHT, or K alone for a weight of 1: the number of colors and the weight; raises ValueError."""
    colors, _, weight = text.partition(":")
    try:
        return _COLORS.validate_python(colors), _WEIGHT.validate_python(weight or "1")
    except ValidationError:
        raise ValueError("must be K:WEIGHT, with K from 2 to 256 and a weight of 0 or more") from None


def _check_draw(text: str) -> str:
    parse_draw(text)
    return text


_DRAWS = ("2:8", "3:1", "4:4", "6:1", "8:3", "12:1", "16:3", "32:2", "64:1", "128:0.2", "256:0.2")
Draw = Annotated[str, AfterValidator(_check_draw)]
"""K:WEIGHT, a number of colors and its relative frequency among batches."""


class QuantizerHyperparameters(Hyperparameters):
    """Hyper-parameters of the served quantizer."""

    classifier: str
    """Published classifier to train against and to use as the encoder."""
    start: str | None = None
    """Published quantizer to start from; the encoder is the classifier of that quantizer."""
    lr: Weight = 2e-3
    """Peak learning rate of AdamW."""
    weight_decay: Weight = 1e-4
    """Weight decay of AdamW."""
    colors: Annotated[tuple[Draw, ...], Field(min_length=1)] = _DRAWS
    """Numbers of colors and their relative frequencies among batches, as K:WEIGHT."""
    soft: Fraction = 0.8
    """Fraction of the run with soft images, from the start."""
    hard_colors: Count = 16
    """Smallest K with hard images from the start."""
    temperature: Positive = 1.0
    """Divisor of the index logits in batches of hard images, for their gradient and for the other terms of the loss."""
    contrast: Positive = 4.0
    """Divisor of the contrast of soft images up to four colors; halved at eight colors, and so on down to 1."""
    jitter: Weight = 1.0
    """Standard deviation of the brightness shift of soft images at two colors, in standard deviations of the pixels; it
    falls as 1 / log2 K."""
    distillation: Fraction = 0.5
    """Weight of the comparison of the classifier's outputs for the quantized image and the original; the label has the
    remaining weight."""
    regularization: Weight = 1.0
    """Weight of R, the regularizer of the paper."""
    error: Weight = 1.0
    """Weight of the squared error at large K."""
    rate: Weight = 0.0
    """Weight of the file size: disagreement of neighboring pixels (PNG), and total variation relative to the original
    (BPG), times (log2 K)^2 - 1."""
    crop: CountOrZero = 4
    """Largest random shift in pixels."""

    @field_serializer("colors")
    def _pairs(self, _: tuple[str, ...]) -> list[list[float]]:
        """Write the draws into logs as pairs of K and weight."""
        return [list(pair) for pair in self.draws.items()]

    @property
    def draws(self) -> dict[int, float]:
        """Relative frequency of each K among batches, in rising order of K."""
        return dict(sorted(map(parse_draw, self.colors)))

    def recorded(self) -> dict[str, Any]:
        """Return the hyper-parameters as the state of a run holds them.

        A temperature of 1 is left out, so that runs from before this option can be resumed.
        """
        draws = self.draws
        values = self.only(QuantizerHyperparameters) | {"colors": tuple(draws), "weights": tuple(draws.values())}
        return {name: value for name, value in values.items() if (name, value) != ("temperature", 1.0)}


@dataclass(frozen=True)
class Objective:
    """Loss of a batch that is quantized to K colors.

    classifiers: networks that see the quantized images. teacher: network whose outputs for the originals are the
    targets of all classifiers; by default the first classifier.
    """

    network: ColorCNN
    classifiers: Sequence[Classifier]
    config: QuantizerHyperparameters
    teacher: Classifier | None = None

    def __call__(
        self, images: Tensor, labels: Tensor, colors: int, *, soft: bool, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Return the loss, () float, and which images the first classifier recognizes, (B,) bool.

        images: (B, 3, s, s) float32 in [0, 1]. labels: (B,) int64. soft: whether the classifiers see soft images.
        """
        config = self.config
        result = self.network.soft(images, colors, 1.0 if soft else config.temperature)
        shown = self._with_low_contrast(result, generator) if soft else _straight_through(images, result)
        outputs = [classifier(shown).float() for classifier in self.classifiers]
        target = self._target(images)
        recognition = sum(self._recognition(labels, target, output) for output in outputs) / len(outputs)
        loss = recognition + config.regularization * regularizer(result.probabilities)
        loss = loss + config.error * self._error(images, result, colors)
        if config.rate:
            # The image of low contrast would have cheap edges.
            loss = loss + config.rate * _file_size(images, result, result.images if soft else shown, colors)
        return loss, outputs[0].detach().argmax(1) == labels

    @torch.no_grad()
    def _target(self, images: Tensor) -> Tensor:
        """Return the teacher's probabilities of the classes for originals, (B, classes) float32."""
        teacher = self.classifiers[0] if self.teacher is None else self.teacher
        probabilities: Tensor = teacher(images).float().softmax(1)
        return probabilities

    def _recognition(self, labels: Tensor, target: Tensor, output: Tensor) -> Tensor:
        """Return the loss of the logits of a quantized batch, against the labels and the teacher's probabilities."""
        return torch.lerp(
            F.cross_entropy(output, labels),
            F.kl_div(output.log_softmax(1), target, reduction="batchmean"),
            self.config.distillation,
        )

    def _error(self, images: Tensor, result: SoftResult, colors: int) -> Tensor:
        """Return the squared error of the soft images, weighted by K."""
        # Nearly 0 at K = 2, nearly 1 at K = 256, and half at 16, as ColorCNN+ weighs its own pixel loss.
        weight = 1 / (1 + math.exp(4 - math.log2(colors)))
        return weight * ((result.images - images) / self.classifiers[0].std).square().mean()

    def _with_low_contrast(self, result: SoftResult, generator: torch.Generator) -> Tensor:
        """Return soft images after the paper's contrast norm and color jitter, with one shift for the whole batch.

        Both decrease as K grows.
        """
        bits = math.log2(result.palette.shape[1])
        contrast = max(1.0, self.config.contrast * 2 ** min(0.0, 2 - bits))
        mean, std = self.classifiers[0].mean, self.classifiers[0].std
        shift = torch.randn((), generator=generator, device=mean.device) * (self.config.jitter / bits)
        return mean + (result.images - mean) / contrast + shift * std


def _file_size(images: Tensor, result: SoftResult, quantized: Tensor, colors: int) -> Tensor:
    """Return an estimate of the file size: disagreement of indices for PNG, relative total variation for BPG."""
    edges = total_variation(quantized) / total_variation(images).clamp_min(_FLATTEST)
    # Two colors have few edges, and each edge is informative; with more colors, more edges are noise.
    return (math.log2(colors) ** 2 - 1) * (disagreement(result.probabilities) + edges)


def _straight_through(images: Tensor, result: SoftResult) -> Tensor:
    """Return hard images whose gradient is the gradient of the soft images."""
    indices = result.probabilities.argmax(1)
    hard = render_hard(hard_palette(images, indices, result.palette.shape[1]).palette, indices)
    return (hard - result.images).detach() + result.images
