"""Train the served quantizer against a frozen classifier, all numbers of colours in one run.

    python -m training.train_colorcnn --data DATA/cifar10 --classifier cifar10-resnet9 --out runs/colorcnn

Each batch draws K, the number of colours, two the most often. At small K the images that the classifier sees are soft
at first (equations 1 and 2 of the paper), pressed to be hard as in the paper by a low contrast and a random brightness;
then, and from the start at large K where soft and hard hardly differ, they are hard, and the gradient passes straight
through (Bengio et al., 2013): forward the arg max image with its 8-bit palette, backward the soft one.

The loss asks the classifier to say of the painted image what it says of the original (distillation, Hinton et al.,
2015) and what the label says; the regulariser of the paper asks every colour to be used; at large K, where there is
room for it, a squared error keeps the image close to the original. The held-out part of train is scored after each
epoch, and the last epoch is what counts, so nothing is selected on any set.
"""

import argparse
import copy
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from models.networks.centres import ROUNDS
from models.networks.classifiers import Classifier
from models.networks.colorcnn import DECODER_WIDTHS, ColorCNN, ColorCNNConfig, build_colorcnn
from models.networks.folding import fold_batch_norm
from models.networks.palette import SoftResult, hard_palette, paint_hard
from models.quantizers.base import check_colors
from models.registry import Registry
from training import augment, run, start
from training.datasets import LabelledImages
from training.losses import disagreement, regulariser, total_variation
from training.painting import classifier_and_data, frozen_classifier, score

SCORED_COLORS = (2, 4, 8, 16, 32, 64)
_DRAWS = "2:8 3:1 4:4 6:1 8:3 12:1 16:3 32:2 64:1 128:0.2 256:0.2"
_FLATTEST = 1e-3  # total variation of a batch without any edges, so that it can be divided by
_FULL_BATCH_COLORS = 64  # above it a batch shrinks, so that index probabilities keep their size


@dataclass(frozen=True)
class TrainingConfig:
    """Hyper-parameters.

    classifier: name of the frozen one.
    colors, weights: what K is drawn from, and how often. soft: fraction of the run in which K below `hard_colors` is
    painted soft. contrast: what the contrast of soft images is divided by up to four colours, half that at eight, and
    so on down to 1. jitter: standard deviation of their brightness shift at two colours, in standard deviations of the
    pixels; it falls as 1 / log2 K. distillation: share of the loss that comes from the
    classifier's own answer instead of the label. regularisation, error: weights of R and of the squared error.
    rate: weight of what files pay for, the disagreement between neighbours (PNG) and the total variation over that of
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
class Result:
    """The trained network and its top-1 in [0, 1] on the held-out part of train, as "held_out_top1_K" for each K."""

    network: ColorCNN
    scores: Mapping[str, float]


def main(argv: Sequence[str] | None = None) -> Result:
    """Parse flags, train, and leave log.jsonl and state.pt in --out."""
    args = start.parse(_parser(), argv)
    device = start.begin(args)
    classifier, data = classifier_and_data(args)
    registry = Registry.open(args.models)
    judges = [classifier, *(frozen_classifier(registry, name) for name in args.also)]
    for name in args.also:
        data.require_classes(registry.entry(name).classes)
    encoder = frozen_classifier(registry, args.encoder) if args.encoder else classifier
    network = started_from(registry, args.start) if args.start else around(encoder, args.rounds)
    config = start.configuration(TrainingConfig, args, also=tuple(args.also), **drawn_colors(args))
    return train(network, judges, config, data, device, start.open_log(args), resume=start.resumes(args))


def around(classifier: Classifier, rounds: int = ROUNDS) -> ColorCNN:
    """A fresh network whose encoder is a copy of `classifier`; torch's global generator draws the other weights.

    rounds: of the k-means that finds the colour centres.
    """
    widths = DECODER_WIDTHS[: len(classifier.channels)]
    network = build_colorcnn(ColorCNNConfig(encoder=classifier.config, widths=widths, rounds=rounds))
    network.encoder.load_state_dict(classifier.state_dict())
    return network


def started_from(registry: Registry, name: str) -> ColorCNN:
    """A copy of a published quantizer, with all of its structure at every K; SystemExit for another kind of model."""
    published = registry.load(name, torch.device("cpu"))
    if not isinstance(published, ColorCNN):
        raise SystemExit(f"{name} is not a quantizer that is served")
    network = build_colorcnn(replace(published.config, fade=None, strengths=(1.0,)))
    network.load_state_dict(published.state_dict())
    return network


def train(
    network: ColorCNN,
    judges: Sequence[Classifier],
    config: TrainingConfig,
    data: LabelledImages,
    device: torch.device,
    log: run.Log,
    *,
    resume: bool = False,
) -> Result:
    """Train the network, or go on from the state in the log's folder.

    judges: frozen classifiers that read what it paints; the first is the one that scores are of.
    """
    part, held_out = (
        images.to(device) for images in data.hold_out(config.held_out, seed=config.seed, keep=config.train)
    )
    folded = [fold_batch_norm(copy.deepcopy(judge)) for judge in judges]
    for module in (network, *folded):
        module.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=config.lr, betas=(0.9, 0.99), weight_decay=config.weight_decay)
    steps = config.epochs * run.steps_per_epoch(len(part), config.batch, log.workers)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, warm_cosine(steps))
    objective = Objective(network, folded, config)
    scores = run.fit(
        config.epochs,
        lambda epoch: train_epoch(objective, optimizer, scheduler, part, epoch, log),
        lambda: score(network.eval().hard, folded[0], held_out, SCORED_COLORS, bf16=config.bf16),
        parts={"weights": network, "optimizer": optimizer, "scheduler": scheduler},
        config={
            "kind": "colorcnn",
            "network": network.config.to_json(),
            "training": asdict(config),
            "classes": list(data.classes),
        },
        log=log,
        resume=resume,
    )
    return Result(network.eval(), scores)


@dataclass(frozen=True)
class Objective:
    """What is minimised: the loss of a batch painted with K colours.

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
        loss = recognition + config.regularisation * regulariser(result.probabilities) + config.error * room * error
        if config.rate:
            painted = result.images if soft else shown  # not pressed, which would make edges cheap
            edges = total_variation(painted) / total_variation(images).clamp_min(_FLATTEST)
            # Two colours have few edges, and each of them tells much; the more colours, the more edges are noise.
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
        """The paper's contrast norm and colour jitter, one shift for the whole batch; both fade as K grows."""
        bits = math.log2(result.palette.shape[1])
        contrast = max(1.0, self.config.contrast * 2 ** min(0.0, 2 - bits))
        mean, std = self.judges[0].mean, self.judges[0].std
        shift = torch.randn((), generator=generator, device=mean.device) * (self.config.jitter / bits)
        return mean + (result.images - mean) / contrast + shift * std


def _straight_through(images: Tensor, result: SoftResult) -> Tensor:
    """The hard image going forward, the soft one going backward."""
    indices = result.probabilities.argmax(1)
    hard = paint_hard(hard_palette(images, indices, result.palette.shape[1]).palette, indices)
    return (hard - result.images).detach() + result.images


def train_epoch(
    objective: Objective,
    optimizer: torch.optim.Optimizer,
    scheduler: torch.optim.lr_scheduler.LRScheduler,
    data: LabelledImages,
    epoch: int,
    log: run.Log,
) -> dict[str, float]:
    """Train for one epoch, numbered from 0; mean losses to log."""
    config, device = objective.config, data.labels.device
    objective.network.train()
    generator = run.epoch_generator(config.seed, epoch, device)
    rows = list(run.batches(len(data), config.batch, generator, log.workers))
    drawn = torch.multinomial(torch.tensor(config.weights), len(rows), True, generator=_cpu_twin(generator)).tolist()
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    means = _Means(config.colors)
    for step, chosen in enumerate(log.track(rows, f"epoch {epoch + 1}/{config.epochs}")):
        colors = config.colors[drawn[step]]
        chosen = chosen[: max(1, config.batch * _FULL_BATCH_COLORS // max(colors, _FULL_BATCH_COLORS))]
        images = augment.crop(augment.flip(data.images[chosen], generator), config.crop, generator).float().div(255)
        soft = colors < config.hard_colors and epoch * len(rows) + step < config.soft * config.epochs * len(rows)
        with run.autocast(device, enabled=config.bf16):
            loss, right = objective(images, data.labels[chosen], colors, soft=soft, generator=generator)
        optimizer.zero_grad()
        loss.backward()
        log.workers.average_gradients(parameters)
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        scheduler.step()
        means.add(colors, loss.detach(), right)
    return means.values()


class _Means:
    """Mean loss of an epoch, and the share of images that the classifier got right at each K, in training."""

    def __init__(self, colors: Sequence[int]) -> None:
        self._loss: list[Tensor] = []
        self._right: dict[int, list[Tensor]] = {k: [] for k in colors}

    def add(self, colors: int, loss: Tensor, right: Tensor) -> None:
        self._loss.append(loss)
        self._right[colors].append(right.float().mean())

    def values(self) -> dict[str, float]:
        means = {f"train_top1_{k}": float(torch.stack(values).mean()) for k, values in self._right.items() if values}
        return {"loss": float(torch.stack(self._loss).mean()), **means}


def warm_cosine(steps: int) -> Callable[[int], float]:
    """Factor of the learning rate: linear up over the first twentieth of the steps, half a cosine down to zero."""
    warm = max(1, steps // 20)
    return lambda step: min((step + 1) / warm, 0.5 + 0.5 * math.cos(math.pi * min(1.0, step / max(1, steps))))


def _cpu_twin(generator: torch.Generator) -> torch.Generator:
    """A CPU generator with the same seed: what is drawn by it steers Python, so it should not wait for a device."""
    return torch.Generator().manual_seed(generator.initial_seed())


def drawn_colors(args: argparse.Namespace) -> dict[str, Any]:
    """What K is drawn from, and how often, as fields of a configuration."""
    draws = dict(sorted(args.colors))
    return {"colors": tuple(draws), "weights": tuple(draws.values())}


def _draw(text: str) -> tuple[int, float]:
    colors, _, weight = text.partition(":")
    check_colors(int(colors))
    return int(colors), float(weight or 1)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m training.train_colorcnn",
        description="Train the served quantizer against a frozen classifier, all numbers of colours in one run.",
    )
    start.add_training_flags(parser, epochs=20, batch=128)
    start.add_split_flags(parser)
    run.add_models_flag(parser)
    parser.add_argument("--classifier", required=True, help="published classifier to train against and to build upon")
    parser.add_argument(
        "--also", nargs="+", default=(), metavar="NAME", help="other classifiers that shall read it too"
    )
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="of k-means for the colour centres (%(default)s)")
    parser.add_argument("--encoder", help="published classifier to build upon instead")
    add_objective_flags(parser)
    return parser


def add_objective_flags(parser: argparse.ArgumentParser) -> None:
    """What is minimised, how, and from where."""
    parser.add_argument(
        "--start", help="published quantizer to start from, which also is built upon its own classifier"
    )
    parser.add_argument("--lr", type=float, default=2e-3, help="peak learning rate of AdamW (%(default)s)")
    parser.add_argument("--weight-decay", type=float, default=1e-4, help="of AdamW (%(default)s)")
    parser.add_argument(
        "--colors",
        type=_draw,
        nargs="+",
        metavar="K:WEIGHT",
        default=[_draw(text) for text in _DRAWS.split()],
        help=f"numbers of colours and how often a batch gets each ({_DRAWS})",
    )
    parser.add_argument("--soft", type=float, default=0.8, help="part of the run with soft images (%(default)s)")
    parser.add_argument("--hard-colors", type=int, default=16, help="from this K on images are hard (%(default)s)")
    parser.add_argument(
        "--contrast", type=float, default=4.0, help="soft images: what contrast is divided by (%(default)s)"
    )
    parser.add_argument("--jitter", type=float, default=1.0, help="soft images: brightness shift, in std (%(default)s)")
    parser.add_argument(
        "--distillation",
        type=float,
        default=0.5,
        help="0: learn from labels, 1: from the classifier's answer to the original (%(default)s)",
    )
    parser.add_argument("--regularisation", type=float, default=1.0, help="weight of the paper's R (%(default)s)")
    parser.add_argument("--error", type=float, default=1.0, help="weight of the squared error at large K (%(default)s)")
    parser.add_argument(
        "--rate", type=float, default=0.0, help="weight of unequal neighbours and of edges (%(default)s)"
    )
    parser.add_argument("--crop", type=int, default=4, help="random shift in pixels (%(default)s)")


if __name__ == "__main__":
    run.command(main)
