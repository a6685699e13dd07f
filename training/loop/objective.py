"""What the served quantizer learns from: the loss of a batch that is painted with K colors, and its flags.

At small K the images that the classifier sees are soft at first (equations 1 and 2 of the paper), pressed to be hard as
in the paper by a low contrast and a random brightness; then, and from the start at large K where soft and hard hardly
differ, they are hard, and the gradient passes straight through (Bengio et al., 2013): forward the arg max image with
its 8-bit palette, backward the soft one.

The loss asks the classifier to say of the painted image what it says of the original (distillation, Hinton et al.,
2015) and what the label says; the regularizer of the paper asks every color to be used; at large K, where there is
room for it, a squared error keeps the image close to the original.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional as F

from models.networks.classifiers import Classifier
from models.networks.colorcnn import ColorCNN
from models.networks.palette import SoftResult, hard_palette, render_hard
from training.loop.losses import disagreement, regularizer, total_variation

_FLATTEST = 1e-3  # total variation of a batch without any edges, so that it can be divided by


@dataclass(frozen=True)
class TrainingConfig:
    """Hyper-parameters.

    classifier: name of the frozen one.
    colors, weights: what K is drawn from, and how often. soft: fraction of the run in which K below `hard_colors` is
    painted soft. contrast: what the contrast of soft images is divided by up to four colors, half that at eight, and
    so on down to 1. jitter: standard deviation of their brightness shift at two colors, in standard deviations of the
    pixels; it falls as 1 / log2 K. distillation: share of the loss that comes from the
    classifier's own answer instead of the label. regularisation, error: weights of R and of the squared error.
    rate: weight of what files pay for, the disagreement between neighbors (PNG) and the total variation over that of
    the original (BPG), times (log2 K)^2 - 1. also: other frozen classifiers whose answers count as much. encoder: the
    classifier that is built upon, if not `classifier`. start: published quantizer whose weights training starts from.
    """

    dataset: str
    classifier: str
    epochs: int
    batch: int
    lr: float
    weight_decay: float
    colors: tuple[int, ...]
    weights: tuple[float, ...]
    soft: float
    hard_colors: int
    contrast: float
    jitter: float
    distillation: float
    regularisation: float
    error: float
    rate: float
    crop: int
    also: tuple[str, ...]
    encoder: str | None
    start: str | None
    held_out: int
    train: int | None
    seed: int
    bf16: bool


@dataclass(frozen=True)
class Objective:
    """What is minimized: the loss of a batch painted with K colors.

    judges: read what is painted. teachers: those whose answers to the originals the judges shall give, one for each;
    None: the judges themselves.
    """

    network: ColorCNN
    judges: Sequence[Classifier]
    config: TrainingConfig
    teachers: Sequence[Classifier] | None = None

    def __call__(
        self, images: Tensor, labels: Tensor, colors: int, *, soft: bool, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Loss (), and which images the first classifier got right, (B,) bool.

        images: (B, 3, s, s) float32 in [0, 1]. labels: (B,) int64. soft: they see soft images, else hard.
        """
        config = self.config
        result = self.network.soft(images, colors)
        shown = self._pressed(result, generator) if soft else _straight_through(images, result)
        answers = [judge(shown).float() for judge in self.judges]
        teachers = self.teachers or self.judges
        recognition = sum(map(partial(self._misread, images, labels), teachers, answers)) / len(answers)
        # From none at K = 2 to all of it at K = 256; half at 16, as ColorCNN+ weighs its own pixel loss.
        room = 1 / (1 + math.exp(4 - math.log2(colors)))
        error = ((result.images - images) / self.judges[0].std).square().mean()
        loss = recognition + config.regularisation * regularizer(result.probabilities) + config.error * room * error
        if config.rate:
            painted = result.images if soft else shown  # not pressed, which would make edges cheap
            edges = total_variation(painted) / total_variation(images).clamp_min(_FLATTEST)
            # Two colors have few edges, and each of them tells much; the more colors, the more edges are noise.
            weight = config.rate * (math.log2(colors) ** 2 - 1)
            loss = loss + weight * (disagreement(result.probabilities) + edges)
        return loss, answers[0].detach().argmax(1) == labels

    def _misread(self, images: Tensor, labels: Tensor, teacher: Classifier, answer: Tensor) -> Tensor:
        """What is wrong with the logits of a painted batch: by the labels, and by the answer to the originals."""
        with torch.no_grad():
            said = teacher(images).float().softmax(1)
        return torch.lerp(
            F.cross_entropy(answer, labels),
            F.kl_div(answer.log_softmax(1), said, reduction="batchmean"),
            self.config.distillation,
        )

    def _pressed(self, result: SoftResult, generator: torch.Generator) -> Tensor:
        """The paper's contrast norm and color jitter, one shift for the whole batch; both fade as K grows."""
        bits = math.log2(result.palette.shape[1])
        contrast = max(1.0, self.config.contrast * 2 ** min(0.0, 2 - bits))
        mean, std = self.judges[0].mean, self.judges[0].std
        shift = torch.randn((), generator=generator, device=mean.device) * (self.config.jitter / bits)
        return mean + (result.images - mean) / contrast + shift * std


def _straight_through(images: Tensor, result: SoftResult) -> Tensor:
    """The hard image going forward, the soft one going backward."""
    indices = result.probabilities.argmax(1)
    hard = render_hard(hard_palette(images, indices, result.palette.shape[1]).palette, indices)
    return (hard - result.images).detach() + result.images
