"""Train ColorCNN as published, one network for one number of colors, against a frozen classifier.

    python -m training.train_published --data DATA/cifar10 --classifier cifar10-resnet9 --colors 2 --out runs/published

The reproduction that the served network is compared with. All options have the values of the authors' code
(hou-yz/color_distillation): SGD, cosine with warm restarts stepped by the batch, random crop and flip, cross-entropy
of the frozen classifier on soft images plus the regularizer R. What is ours: the classifier and its normalization, the
held-out part of train, which is scored after each epoch and selects nothing, the seed, crops that are filled by
reflection instead of zeros, and bfloat16 unless --fp32 is given.
"""

import argparse
import copy
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from models.names import ModelKind
from models.networks.classifiers import Classifier
from models.networks.folding import fold_batch_norm
from models.networks.published import PublishedColorCNN, PublishedConfig
from training.cli import arguments, numbers
from training.cli.arguments import add_models_flag, classifier_and_data, command
from training.data import augment
from training.data.datasets import LabelledImages
from training.loop import fit
from training.loop.log import Log
from training.loop.losses import regularizer
from training.loop.scoring import score


@dataclass(frozen=True)
class TrainingConfig:
    """Hyper-parameters; restart in epochs, regularisation is alpha of the authors' code, crop and size in pixels."""

    dataset: str
    classifier: str
    size: int
    epochs: int
    batch: int
    lr: float
    momentum: float
    weight_decay: float
    restart: int
    regularisation: float
    crop: int
    held_out: int
    train: int | None
    seed: int
    bf16: bool


@dataclass(frozen=True)
class Result:
    """The trained network and its top-1 in [0, 1] on the held-out part of train."""

    network: PublishedColorCNN
    top1: float


def main(argv: Sequence[str] | None = None) -> Result:
    """Parse flags, train, and leave log.jsonl and state.pt in --out."""
    args = arguments.parse(_parser(), argv)
    device = arguments.begin(args)
    classifier, data = classifier_and_data(args)
    mean, std = classifier.config.mean, classifier.config.std
    network = PublishedColorCNN(
        PublishedConfig(colors=args.colors, width=args.width, color_norm=args.color_norm, mean=mean, std=std)
    )
    config = arguments.configuration(TrainingConfig, args, size=classifier.config.size)
    return train(network, classifier, config, data, device, arguments.open_log(args), resume=arguments.resumes(args))


def train(
    network: PublishedColorCNN,
    classifier: Classifier,
    config: TrainingConfig,
    data: LabelledImages,
    device: torch.device,
    log: Log,
    *,
    resume: bool = False,
) -> Result:
    """Train the network, or go on from the state in the log's folder."""
    part, held_out = (images.to(device) for images in data.hold_out(config.held_out, keep=config.train))
    network.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    frozen = fold_batch_norm(copy.deepcopy(classifier)).to(device).requires_grad_(False)
    optimizer = torch.optim.SGD(
        network.parameters(), lr=config.lr, momentum=config.momentum, weight_decay=config.weight_decay
    )
    steps = fit.steps_per_epoch(len(part), config.batch, log.workers)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(optimizer, config.restart * steps)
    colors = network.config.colors
    scores = fit.fit(
        config.epochs,
        lambda epoch: _train_epoch(network, frozen, optimizer, scheduler, part, config, epoch, log),
        lambda: score(lambda images, _: network.eval().hard(images), frozen, held_out, [colors], bf16=config.bf16),
        parts={"weights": network, "optimizer": optimizer, "scheduler": scheduler},
        config={
            "kind": ModelKind.COLORCNN_PUBLISHED.value,
            "network": network.config.to_json(),
            "training": asdict(config),
            "classes": list(data.classes),
        },
        log=log,
        resume=resume,
    )
    return Result(network.eval(), scores[f"held_out_top1_{colors}"])


def _train_epoch(
    network: PublishedColorCNN,
    classifier: Classifier,
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
    rows = list(fit.batches(len(data), config.batch, generator, log.workers))
    parameters = list(network.parameters())
    losses, right = [], []
    for chosen in log.track(rows, f"epoch {epoch + 1}/{config.epochs}"):
        images = augment.crop(augment.flip(data.images[chosen], generator), config.crop, generator).float().div(255)
        labels = data.labels[chosen]
        with fit.autocast(device, enabled=config.bf16):
            result = network.soft(images, generator)
            logits = classifier(result.images).float()
            loss = F.cross_entropy(logits, labels) + config.regularisation * regularizer(result.probabilities)
        optimizer.zero_grad()
        loss.backward()
        log.workers.average_gradients(parameters)
        optimizer.step()
        scheduler.step()
        losses.append(loss.detach())
        right.append((logits.detach().argmax(1) == labels).float().mean())
    return {"loss": _mean(losses), "train_top1": _mean(right)}


def _mean(values: Sequence[Tensor]) -> float:
    return float(torch.stack(list(values)).mean())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m training.train_published",
        description="Train ColorCNN as published, one network for one number of colors, against a frozen classifier.",
    )
    arguments.add_training_flags(parser, epochs=60, batch=128)
    arguments.add_split_flags(parser)
    add_models_flag(parser)
    parser.add_argument("--classifier", required=True, help="published classifier to train against")
    parser.add_argument("--colors", type=numbers.COLORS, required=True, help="K, the number of colors, 2 to 256")
    parser.add_argument(
        "--width", type=numbers.COUNT, default=64, help="channels of the U-Net's finest level (%(default)s)"
    )
    parser.add_argument(
        "--color-norm",
        type=numbers.POSITIVE,
        default=4.0,
        help="soft images: what contrast is divided by; the authors: 1 for AlexNet on others than CIFAR (%(default)s)",
    )
    parser.add_argument("--lr", type=numbers.WEIGHT, default=0.01, help="learning rate of SGD (%(default)s)")
    parser.add_argument("--momentum", type=numbers.SHARE, default=0.5, help="of SGD (%(default)s)")
    parser.add_argument(
        "--weight-decay", type=numbers.WEIGHT, default=5e-4, help="pull of the weights to zero (%(default)s)"
    )
    parser.add_argument("--restart", type=numbers.COUNT, default=20, help="epochs of one cosine cycle (%(default)s)")
    parser.add_argument(
        "--regularisation", type=numbers.WEIGHT, default=1.0, help="weight of the paper's R (%(default)s)"
    )
    parser.add_argument("--crop", type=numbers.FROM_ZERO, default=4, help="random shift in pixels (%(default)s)")
    return parser


if __name__ == "__main__":
    command(main)
