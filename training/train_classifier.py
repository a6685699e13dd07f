"""Train an image classifier on original images; the quantizer is then trained against it, frozen.

A half-width ResNet9 on CIFAR-10 passes 90 % top-1 in 12 epochs (about 25 minutes on 2 CPU cores):

    python -m training.train_classifier --data DATA/cifar10 --out runs/resnet9

SGD with Nesterov momentum, learning rate up over the first fifth and then down to zero, random crop, flip and cutout,
label smoothing: the DAWNBench recipe (Page, 2018). The held-out part of train is scored after each epoch; the last
epoch is what counts, so nothing is selected on any set.
"""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.names import ModelKind
from models.networks.classifiers import Classifier, ClassifierConfig, build_classifier
from training.cli import arguments, numbers
from training.cli.arguments import command, require_data
from training.data import augment
from training.data.datasets import LabelledImages, load
from training.loop import fit
from training.loop.log import Log
from training.loop.scoring import evaluate


@dataclass(frozen=True)
class TrainingConfig:
    """Hyper-parameters; lr per batch mean, weight_decay per step times lr, crop and cutout in pixels.

    half_size: part of the epochs, in [0, 1], that see images of half the side, at a quarter of the cost; the others
    follow at full size (as progressive learning in EfficientNetV2, Tan and Le, 2021).
    """

    dataset: str
    epochs: int
    batch: int
    lr: float
    weight_decay: float
    momentum: float
    label_smoothing: float
    crop: int
    cutout: int
    half_size: float
    held_out: int
    train: int | None
    seed: int
    bf16: bool


@dataclass(frozen=True)
class Result:
    """The trained network and its top-1, in [0, 1], on the held-out part of train."""

    network: Classifier
    top1: float


def main(argv: Sequence[str] | None = None) -> Result:
    """Parse flags, train, and leave log.jsonl and state.pt in --out."""
    args = arguments.parse(_parser(), argv)
    device = arguments.begin(args)
    data = load(require_data(args), "train", size=args.size)
    mean, std = _pixel_statistics(data.images)
    network_config = ClassifierConfig(
        architecture=args.architecture, classes=len(data.classes), size=args.size, width=args.width, mean=mean, std=std
    )
    config = arguments.configuration(TrainingConfig, args)
    part, held_out = data.hold_out(config.held_out, keep=config.train)
    network = build_classifier(network_config)
    return train(network, config, part, held_out, device, arguments.open_log(args), resume=arguments.resumes(args))


def train(
    network: Classifier,
    config: TrainingConfig,
    part: LabelledImages,
    held_out: LabelledImages,
    device: torch.device,
    log: Log,
    *,
    resume: bool = False,
) -> Result:
    """Train on `part` from the weights as they are, or from the state in the log's folder."""
    part, held_out = part.to(device), held_out.to(device)
    network.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.SGD(
        network.parameters(), lr=config.lr, momentum=config.momentum, weight_decay=config.weight_decay, nesterov=True
    )
    steps = config.epochs * fit.steps_per_epoch(len(part), config.batch, log.workers)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, _triangle(steps))
    scores = fit.fit(
        config.epochs,
        lambda epoch: _train_epoch(network, optimizer, scheduler, part, config, epoch, log),
        lambda: {"held_out_top1": evaluate(network, held_out)},
        parts={"weights": network, "optimizer": optimizer, "scheduler": scheduler},
        config={
            "kind": ModelKind.CLASSIFIER.value,
            "network": network.config.to_json(),
            "training": asdict(config),
            "classes": list(part.classes),
        },
        log=log,
        resume=resume,
    )
    return Result(network.eval(), scores["held_out_top1"])


def _train_epoch(
    network: Classifier,
    optimizer: torch.optim.Optimizer,
    scheduler: torch.optim.lr_scheduler.LRScheduler,
    data: LabelledImages,
    config: TrainingConfig,
    epoch: int,
    log: Log,
) -> dict[str, float]:
    network.train()
    device = data.labels.device
    generator = fit.epoch_generator(config.seed, epoch, device)
    # Dropout draws from torch's global generator, so that one too must depend on the epoch alone.
    torch.manual_seed(generator.initial_seed())
    rows = list(fit.batches(len(data), config.batch, generator, log.workers))
    criterion = nn.CrossEntropyLoss(label_smoothing=config.label_smoothing)
    parameters = list(network.parameters())
    total = torch.zeros((), device=device)
    for chosen in log.track(rows, f"epoch {epoch + 1}/{config.epochs}"):
        images = _augmented(data.images[chosen], config, generator)
        if epoch < config.half_size * config.epochs:
            images = F.avg_pool2d(images, 2)
        with fit.autocast(device, enabled=config.bf16):
            loss = criterion(network(images), data.labels[chosen])
        optimizer.zero_grad()
        loss.backward()
        log.workers.average_gradients(parameters)
        optimizer.step()
        scheduler.step()
        total += loss.detach()
    return {"loss": float(total) / len(rows)}


def _augmented(images: Tensor, config: TrainingConfig, generator: torch.Generator) -> Tensor:
    images = augment.crop(augment.flip(images, generator), config.crop, generator).float().div(255)
    return augment.cutout(images, config.cutout, generator) if config.cutout else images


def _triangle(steps: int) -> Callable[[int], float]:
    """Factor of the learning rate: linear up over the first fifth of the steps, linear down to zero."""
    peak = max(1, steps // 5)
    return lambda step: min((step + 1) / peak, max(0.0, (steps - step) / max(1, steps - peak)))


def _pixel_statistics(images: Tensor) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    """Mean and standard deviation of each channel over the training images, in [0, 1] units, to 4 digits."""
    values = torch.stack([torch.stack([c.float().mean(), c.float().std()]) for c in images.unbind(1)]) / 255
    mean, std = ([round(float(v), 4) for v in column] for column in values.unbind(1))
    return (mean[0], mean[1], mean[2]), (std[0], std[1], std[2])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m training.train_classifier", description="Train an image classifier on original images."
    )
    arguments.add_training_flags(parser, epochs=12, batch=256)
    arguments.add_split_flags(parser)
    parser.add_argument(
        "--architecture", choices=("resnet9", "resnet18", "alexnet"), default="resnet9", help="network (%(default)s)"
    )
    parser.add_argument(
        "--width", type=numbers.COUNT, default=32, help="channels of the first stage, 64 as published (%(default)s)"
    )
    parser.add_argument(
        "--size", type=numbers.COUNT, default=32, help="images are resized to this many pixels (%(default)s)"
    )
    add_optimizer_flags(parser, lr=0.2, label_smoothing=0.1, cutout=8)
    return parser


def add_optimizer_flags(parser: argparse.ArgumentParser, *, lr: float, label_smoothing: float, cutout: int) -> None:
    """How `train` trains; crop as it is for 32x32."""
    parser.add_argument("--lr", type=numbers.WEIGHT, default=lr, help="peak learning rate (%(default)s)")
    parser.add_argument(
        "--weight-decay", type=numbers.WEIGHT, default=5e-4, help="pull of the weights to zero (%(default)s)"
    )
    parser.add_argument("--momentum", type=numbers.SHARE, default=0.9, help="of SGD, Nesterov's (%(default)s)")
    parser.add_argument(
        "--label-smoothing",
        type=numbers.SHARE,
        default=label_smoothing,
        help="share of the target spread over all classes (%(default)s)",
    )
    parser.add_argument("--crop", type=numbers.FROM_ZERO, default=4, help="random shift in pixels (%(default)s)")
    parser.add_argument(
        "--cutout", type=numbers.FROM_ZERO, default=cutout, help="side of the blanked square in pixels (%(default)s)"
    )
    parser.add_argument(
        "--half-size",
        type=numbers.SHARE,
        default=0.0,
        metavar="PART",
        help="part of the epochs, the first ones, on images of half the side (%(default)s)",
    )


if __name__ == "__main__":
    command(main)
