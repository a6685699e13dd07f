"""Training of the served quantizer against a frozen classifier, with all numbers of colors in one run.

    python -m training.train_colorcnn --data DATA/cifar10 --classifier cifar10-resnet9 --out runs/colorcnn

Each batch draws K, the number of colors; K = 2 is the most frequent. training.loop.objective defines the loss and the
epochs with soft images. The held-out part of train is scored for the log alone. The last epoch is published, so no data
selects an epoch.
"""

import copy
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from models.names import ModelKind
from models.networks.centers import ROUNDS
from models.networks.classifiers import Classifier
from models.networks.colorcnn import DECODER_WIDTHS, ColorCNN, ColorCNNConfig, build_colorcnn
from models.networks.folding import fold_batch_norm
from models.zoo.registry import Registry
from training.cli import command_line
from training.cli.options import TrainerOptions
from training.cli.session import begin, classifier_and_data
from training.data import augment
from training.data.datasets import LabeledImages
from training.loop.batches import batches, epoch_generator, steps_per_epoch
from training.loop.fit import Run, Session, fit, run_config
from training.loop.objective import Objective, QuantizerHyperparameters
from training.loop.scoring import frozen_classifier, score
from training.options import CountOrZero

SCORED_COLORS = (2, 4, 8, 16, 32, 64)
_FULL_BATCH_COLORS = 64  # above this K a batch shrinks, so that index probabilities take bounded memory


class ColorCNNHyperparameters(QuantizerHyperparameters):
    """Hyper-parameters of a quantizer that is trained against frozen classifiers."""

    also: tuple[str, ...] = ()
    """Other published classifiers that the quantized images are trained for, with equal weight."""
    encoder: str | None = None
    """Published classifier to use as the encoder instead of --classifier."""

    def recorded(self) -> dict[str, Any]:
        """Return the hyper-parameters as the state of a run holds them."""
        return {**super().recorded(), "also": self.also, "encoder": self.encoder}


class ColorCNNOptions(ColorCNNHyperparameters, TrainerOptions):
    """Train the served quantizer against a frozen classifier, all numbers of colors in one run."""

    rounds: CountOrZero = ROUNDS
    """Iterations of the k-means that finds the color centers."""
    subpixel: CountOrZero = 0
    """Channels of a sub-pixel branch to add to the decoder, for an encoder whose finest stage is coarser than the
    pixels."""


@dataclass(frozen=True)
class Result:
    """The trained network and its top-1 in [0, 1] on the held-out part of train, as "held_out_top1_K" for each K."""

    network: ColorCNN
    scores: Mapping[str, float]


def main(argv: Sequence[str] | None = None) -> Result:
    """Run the training of a command line; writes log.jsonl and state.pt to --out."""
    options = command_line.parse(ColorCNNOptions, "training.train_colorcnn", argv).located()
    torch.manual_seed(options.seed)  # draws the fresh weights
    classifier, data = classifier_and_data(options, options.classifier)
    registry = Registry.open(options.models)
    classifiers = [classifier, *(frozen_classifier(registry, name) for name in options.also)]
    for name in options.also:
        data.require_classes(registry.entry(name).classes)
    encoder = frozen_classifier(registry, options.encoder) if options.encoder else classifier
    network = _first_network(options, registry, encoder)
    session = begin(options)
    return train(network, classifiers, options.fitted(data, session.log), data, session)


def _first_network(options: ColorCNNOptions, registry: Registry, encoder: Classifier) -> ColorCNN:
    try:
        if options.start:
            return started_from(registry, options.start, options.subpixel)
        return around(encoder, options.rounds, options.subpixel)
    except ValueError as error:
        raise SystemExit(f"--subpixel: {error}") from None


def around(classifier: Classifier, rounds: int = ROUNDS, subpixel: int = 0) -> ColorCNN:
    """Return a fresh network whose encoder is a copy of `classifier`; torch's global generator draws the other weights.

    rounds: iterations of the k-means that finds the color centers. subpixel: channels of the sub-pixel branch.
    """
    levels = len(classifier.channels)
    widths = (*DECODER_WIDTHS, *DECODER_WIDTHS[-1:] * levels)[:levels]  # the coarsest levels have the same width
    network = build_colorcnn(ColorCNNConfig(encoder=classifier.config, widths=widths, rounds=rounds, subpixel=subpixel))
    network.encoder.load_state_dict(classifier.state_dict())
    return network


def started_from(registry: Registry, name: str, subpixel: int = 0) -> ColorCNN:
    """Return a copy of a published quantizer, without the options that only its use has.

    subpixel: channels of a fresh sub-pixel branch, which torch's global generator draws; 0 for the branch of the
    published network, if any.

    Raises SystemExit for another kind of model, and for a second branch.
    """
    published = registry.load(name, torch.device("cpu"))
    if not isinstance(published, ColorCNN):
        raise SystemExit(f"{name} is not a served quantizer")
    if subpixel and published.config.subpixel:
        raise SystemExit(f"{name} has a sub-pixel branch already: leave out --subpixel")
    config = published.config
    network = build_colorcnn(
        ColorCNNConfig(
            encoder=config.encoder,
            widths=config.widths,
            subpixel=subpixel or config.subpixel,
            features=config.features,
            hidden=config.hidden,
            rounds=config.rounds,
        )
    )
    network.load_state_dict(network.state_dict() | published.state_dict())  # a fresh branch keeps its own weights
    return network


def train(
    network: ColorCNN,
    classifiers: Sequence[Classifier],
    config: ColorCNNHyperparameters,
    data: LabeledImages,
    session: Session,
) -> Result:
    """Train the network, or resume.

    classifiers: frozen networks that see the quantized images; the first one is scored.
    """
    part, held_out = (images.to(session.device) for images in data.hold_out(config.held_out, keep=config.train))
    folded = [fold_batch_norm(copy.deepcopy(classifier)) for classifier in classifiers]
    for module in (network, *folded):
        module.to(device=session.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = adamw([{"params": trainable(network), "lr": config.lr}], config.weight_decay)
    steps = config.epochs * steps_per_epoch(len(part), config.batch, session.log.workers)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, warm_cosine(steps))
    objective = Objective(network, folded, config)
    recorded = config.recorded() | {"bf16": session.bf16}
    run = Run(
        config.epochs,
        run_config(ModelKind.COLORCNN, network.config, recorded, data.classes),
        {"weights": network, "optimizer": optimizer, "scheduler": scheduler},
        train_epoch=lambda epoch: train_epoch(objective, optimizer, scheduler, part, epoch, session),
        score=lambda: score(network.eval().hard, folded[0], held_out, SCORED_COLORS, session),
    )
    scores = fit(run, session)
    return Result(network.eval(), scores)


def trainable(network: nn.Module) -> list[torch.nn.Parameter]:
    """Return the parameters outside the frozen encoder."""
    return [parameter for parameter in network.parameters() if parameter.requires_grad]


def adamw(groups: list[dict[str, Any]], weight_decay: float) -> torch.optim.AdamW:
    """Return the optimizer of quantizers for groups of parameters, each with its own peak learning rate."""
    return torch.optim.AdamW(groups, betas=(0.9, 0.99), weight_decay=weight_decay)


def train_epoch(
    objective: Objective,
    optimizer: torch.optim.Optimizer,
    scheduler: torch.optim.lr_scheduler.LRScheduler,
    data: LabeledImages,
    epoch: int,
    session: Session,
) -> dict[str, float]:
    """Train one epoch, numbered from 0; returns mean losses for the log."""
    config, device = objective.config, data.labels.device
    objective.network.train()
    generator = epoch_generator(config.seed, epoch, device)
    order = list(batches(len(data), config.batch, generator, session.log.workers))
    drawn = _draw_colors(config, len(order), generator)
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    means = _Means(config.draws)
    for step, batch in enumerate(session.log.track(order, f"epoch {epoch + 1}/{config.epochs}")):
        colors = drawn[step]
        rows = batch[: max(1, config.batch * _FULL_BATCH_COLORS // max(colors, _FULL_BATCH_COLORS))]
        images = augment.crop(augment.flip(data.images[rows], generator), config.crop, generator).float().div(255)
        soft = colors < config.hard_colors and epoch * len(order) + step < config.soft * config.epochs * len(order)
        with session.autocast():
            loss, right = objective(images, data.labels[rows], colors, soft=soft, generator=generator)
        optimizer.zero_grad()
        loss.backward()
        session.log.workers.average_gradients(parameters)
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        scheduler.step()
        means.add(colors, loss.detach(), right)
    return means.values()


def _draw_colors(config: QuantizerHyperparameters, count: int, generator: torch.Generator) -> list[int]:
    """Return a number of colors for each of `count` batches."""
    # Python needs the numbers, so a CPU generator with the same seed avoids waiting for the device.
    twin = torch.Generator().manual_seed(generator.initial_seed())
    colors, weights = zip(*config.draws.items(), strict=True)
    return [colors[row] for row in torch.multinomial(torch.tensor(weights), count, True, generator=twin).tolist()]


class _Means:
    """Mean loss of an epoch, and top-1 of the classifier on training images at each K."""

    def __init__(self, colors: Iterable[int]) -> None:
        self._loss: list[Tensor] = []
        self._right: dict[int, list[Tensor]] = {k: [] for k in colors}

    def add(self, colors: int, loss: Tensor, right: Tensor) -> None:
        self._loss.append(loss)
        self._right[colors].append(right.float().mean())

    def values(self) -> dict[str, float]:
        means = {f"train_top1_{k}": float(torch.stack(values).mean()) for k, values in self._right.items() if values}
        return {"loss": float(torch.stack(self._loss).mean()), **means}


def warm_cosine(steps: int) -> Callable[[int], float]:
    """Return the factor of the learning rate by step: linear up over the first twentieth, then a cosine to zero."""
    warm = max(1, steps // 20)
    return lambda step: min((step + 1) / warm, 0.5 + 0.5 * math.cos(math.pi * min(1.0, step / max(1, steps))))


if __name__ == "__main__":
    command_line.run(main)
