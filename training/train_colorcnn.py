"""Train the served quantizer against a frozen classifier, all numbers of colors in one run.

    python -m training.train_colorcnn --data DATA/cifar10 --classifier cifar10-resnet9 --out runs/colorcnn

Each batch draws K, the number of colors, two the most often; what its loss is, and when images are soft, says
training.loop.objective. The held-out part of train is scored after each epoch, and the last epoch is what counts, so nothing
is selected on any set.
"""

import argparse
import copy
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace

import torch
from torch import Tensor

from models.names import ModelKind
from models.networks.centers import ROUNDS
from models.networks.classifiers import Classifier
from models.networks.colorcnn import DECODER_WIDTHS, ColorCNN, ColorCNNConfig, build_colorcnn
from models.networks.folding import fold_batch_norm
from models.zoo.registry import Registry
from training.cli import arguments, numbers
from training.cli.arguments import add_models_flag, classifier_and_data, command
from training.cli.objective_flags import add_objective_flags, drawn_colors
from training.data import augment
from training.data.datasets import LabelledImages
from training.loop import fit
from training.loop.log import Log
from training.loop.objective import Objective, TrainingConfig
from training.loop.scoring import frozen_classifier, score

SCORED_COLORS = (2, 4, 8, 16, 32, 64)
_FULL_BATCH_COLORS = 64  # above it a batch shrinks, so that index probabilities keep their size


@dataclass(frozen=True)
class Result:
    """The trained network and its top-1 in [0, 1] on the held-out part of train, as "held_out_top1_K" for each K."""

    network: ColorCNN
    scores: Mapping[str, float]


def main(argv: Sequence[str] | None = None) -> Result:
    """Parse flags, train, and leave log.jsonl and state.pt in --out."""
    args = arguments.parse(_parser(), argv)
    device = arguments.begin(args)
    classifier, data = classifier_and_data(args)
    registry = Registry.open(args.models)
    judges = [classifier, *(frozen_classifier(registry, name) for name in args.also)]
    for name in args.also:
        data.require_classes(registry.entry(name).classes)
    encoder = frozen_classifier(registry, args.encoder) if args.encoder else classifier
    network = started_from(registry, args.start) if args.start else around(encoder, args.rounds)
    config = arguments.configuration(TrainingConfig, args, also=tuple(args.also), **drawn_colors(args))
    return train(network, judges, config, data, device, arguments.open_log(args), resume=arguments.resumes(args))


def around(classifier: Classifier, rounds: int = ROUNDS) -> ColorCNN:
    """A fresh network whose encoder is a copy of `classifier`; torch's global generator draws the other weights.

    rounds: of the k-means that finds the color centers.
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
    network = build_colorcnn(replace(published.config, structure_cutoff=None, structure_scales=(1.0,)))
    network.load_state_dict(published.state_dict())
    return network


def train(
    network: ColorCNN,
    judges: Sequence[Classifier],
    config: TrainingConfig,
    data: LabelledImages,
    device: torch.device,
    log: Log,
    *,
    resume: bool = False,
) -> Result:
    """Train the network, or go on from the state in the log's folder.

    judges: frozen classifiers that read what it paints; the first is the one that scores are of.
    """
    part, held_out = (images.to(device) for images in data.hold_out(config.held_out, keep=config.train))
    folded = [fold_batch_norm(copy.deepcopy(judge)) for judge in judges]
    for module in (network, *folded):
        module.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=config.lr, betas=(0.9, 0.99), weight_decay=config.weight_decay)
    steps = config.epochs * fit.steps_per_epoch(len(part), config.batch, log.workers)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, warm_cosine(steps))
    objective = Objective(network, folded, config)
    scores = fit.fit(
        config.epochs,
        lambda epoch: train_epoch(objective, optimizer, scheduler, part, epoch, log),
        lambda: score(network.eval().hard, folded[0], held_out, SCORED_COLORS, bf16=config.bf16),
        parts={"weights": network, "optimizer": optimizer, "scheduler": scheduler},
        config={
            "kind": ModelKind.COLORCNN.value,
            "network": network.config.to_json(),
            "training": asdict(config),
            "classes": list(data.classes),
        },
        log=log,
        resume=resume,
    )
    return Result(network.eval(), scores)


def train_epoch(
    objective: Objective,
    optimizer: torch.optim.Optimizer,
    scheduler: torch.optim.lr_scheduler.LRScheduler,
    data: LabelledImages,
    epoch: int,
    log: Log,
) -> dict[str, float]:
    """Train for one epoch, numbered from 0; mean losses to log."""
    config, device = objective.config, data.labels.device
    objective.network.train()
    generator = fit.epoch_generator(config.seed, epoch, device)
    rows = list(fit.batches(len(data), config.batch, generator, log.workers))
    drawn = torch.multinomial(torch.tensor(config.weights), len(rows), True, generator=_cpu_twin(generator)).tolist()
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    means = _Means(config.colors)
    for step, chosen in enumerate(log.track(rows, f"epoch {epoch + 1}/{config.epochs}")):
        colors = config.colors[drawn[step]]
        chosen = chosen[: max(1, config.batch * _FULL_BATCH_COLORS // max(colors, _FULL_BATCH_COLORS))]
        images = augment.crop(augment.flip(data.images[chosen], generator), config.crop, generator).float().div(255)
        soft = colors < config.hard_colors and epoch * len(rows) + step < config.soft * config.epochs * len(rows)
        with fit.autocast(device, enabled=config.bf16):
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


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m training.train_colorcnn",
        description="Train the served quantizer against a frozen classifier, all numbers of colors in one run.",
    )
    arguments.add_training_flags(parser, epochs=20, batch=128)
    arguments.add_split_flags(parser)
    add_models_flag(parser)
    parser.add_argument("--classifier", required=True, help="published classifier to train against and to build upon")
    parser.add_argument(
        "--also", nargs="+", default=(), metavar="NAME", help="other classifiers that shall read it too"
    )
    parser.add_argument(
        "--rounds", type=numbers.FROM_ZERO, default=ROUNDS, help="of k-means for the color centers (%(default)s)"
    )
    parser.add_argument("--encoder", help="published classifier to build upon instead")
    add_objective_flags(parser)
    return parser


if __name__ == "__main__":
    command(main)
