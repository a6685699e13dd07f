"""Training of ColorCNN as published, one network for one number of colors, against a frozen classifier.

    python -m training.train_published --data DATA/cifar10 --classifier cifar10-resnet9 --colors 2 --out runs/published

The result is the reproduction to which the served network is compared. All options default to the values of the
authors' code (hou-yz/color_distillation): SGD, a cosine with warm restarts that advances by the batch, random crop and
flip, cross-entropy of the frozen classifier on soft images plus the regularizer R.

The training differs from the authors' code in five respects. The classifier and its normalization are ours. A held-out
part of train is scored for the log, and nothing is selected on it. There is a seed. Crops are filled by reflection
instead of zeros. The networks compute in bfloat16 unless --fp32 is given.
"""

import copy
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from models.names import ModelKind
from models.networks.classifiers import Classifier
from models.networks.folding import fold_batch_norm
from models.networks.published import PublishedColorCNN, PublishedConfig
from training.cli import command_line
from training.cli.options import TrainerOptions
from training.cli.session import begin, classifier_and_data
from training.data import augment
from training.data.datasets import LabeledImages
from training.loop.batches import batches, epoch_generator, steps_per_epoch
from training.loop.fit import Run, Session, fit, run_config
from training.loop.hyperparameters import Hyperparameters
from training.loop.losses import regularizer
from training.loop.scoring import score
from training.options import Colors, Count, CountOrZero, Fraction, Positive, Weight


class PublishedHyperparameters(Hyperparameters):
    """Hyper-parameters of the network as published."""

    classifier: str
    """Published classifier to train against."""
    epochs: Count = 60
    """Passes over the training images."""
    lr: Weight = 0.01
    """Learning rate of SGD."""
    momentum: Fraction = 0.5
    """Momentum of SGD."""
    weight_decay: Weight = 5e-4
    """Weight decay of SGD."""
    restart: Count = 20
    """Epochs of one cosine cycle of the learning rate."""
    regularization: Weight = 1.0
    """Weight of R, the regularizer of the paper; alpha of the authors' code."""
    crop: CountOrZero = 4
    """Largest random shift in pixels."""


class PublishedOptions(PublishedHyperparameters, TrainerOptions):
    """Train ColorCNN as published, one network for one number of colors, against a frozen classifier."""

    colors: Colors
    """K, the number of colors, 2 to 256."""
    width: Count = 64
    """Channels of the finest level of the U-Net."""
    color_norm: Positive = 4.0
    """Divisor of the contrast of soft images; the authors use 1 for AlexNet on datasets other than CIFAR."""


@dataclass(frozen=True)
class Result:
    """The trained network and its top-1 in [0, 1] on the held-out part of train."""

    network: PublishedColorCNN
    top1: float


def main(argv: Sequence[str] | None = None) -> Result:
    """Run the training of a command line; writes log.jsonl and state.pt to --out."""
    options = command_line.parse(PublishedOptions, "training.train_published", argv).located()
    torch.manual_seed(options.seed)  # draws the fresh weights
    classifier, data = classifier_and_data(options, options.classifier)
    mean, std = classifier.config.mean, classifier.config.std
    network = PublishedColorCNN(
        PublishedConfig(colors=options.colors, width=options.width, color_norm=options.color_norm, mean=mean, std=std)
    )
    session = begin(options)
    return train(network, classifier, options.fitted(data, session.log), data, session)


def train(
    network: PublishedColorCNN,
    classifier: Classifier,
    config: PublishedHyperparameters,
    data: LabeledImages,
    session: Session,
) -> Result:
    """Train the network, or resume."""
    part, held_out = (images.to(session.device) for images in data.hold_out(config.held_out, keep=config.train))
    network.to(device=session.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    frozen = fold_batch_norm(copy.deepcopy(classifier)).to(session.device).requires_grad_(False)
    optimizer = torch.optim.SGD(
        network.parameters(), lr=config.lr, momentum=config.momentum, weight_decay=config.weight_decay
    )
    steps = steps_per_epoch(len(part), config.batch, session.log.workers)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(optimizer, config.restart * steps)
    colors = network.config.colors
    recorded = config.only(PublishedHyperparameters) | {"size": classifier.config.size, "bf16": session.bf16}
    run = Run(
        config.epochs,
        run_config(ModelKind.COLORCNN_PUBLISHED, network.config, recorded, data.classes),
        {"weights": network, "optimizer": optimizer, "scheduler": scheduler},
        train_epoch=lambda epoch: _train_epoch(network, frozen, optimizer, scheduler, part, config, epoch, session),
        score=lambda: score(lambda images, _: network.eval().hard(images), frozen, held_out, [colors], session),
    )
    scores = fit(run, session)
    return Result(network.eval(), scores[f"held_out_top1_{colors}"])


def _train_epoch(
    network: PublishedColorCNN,
    classifier: Classifier,
    optimizer: torch.optim.Optimizer,
    scheduler: torch.optim.lr_scheduler.LRScheduler,
    data: LabeledImages,
    config: PublishedHyperparameters,
    epoch: int,
    session: Session,
) -> dict[str, float]:
    network.train()
    device = data.labels.device
    generator = epoch_generator(config.seed, epoch, device)
    order = list(batches(len(data), config.batch, generator, session.log.workers))
    parameters = list(network.parameters())
    losses, right = [], []
    for rows in session.log.track(order, f"epoch {epoch + 1}/{config.epochs}"):
        images = augment.crop(augment.flip(data.images[rows], generator), config.crop, generator).float().div(255)
        labels = data.labels[rows]
        with session.autocast():
            result = network.soft(images, generator)
            logits = classifier(result.images).float()
            loss = F.cross_entropy(logits, labels) + config.regularization * regularizer(result.probabilities)
        optimizer.zero_grad()
        loss.backward()
        session.log.workers.average_gradients(parameters)
        optimizer.step()
        scheduler.step()
        losses.append(loss.detach())
        right.append((logits.detach().argmax(1) == labels).float().mean())
    return {"loss": _mean(losses), "train_top1": _mean(right)}


def _mean(values: Sequence[Tensor]) -> float:
    return float(torch.stack(list(values)).mean())


if __name__ == "__main__":
    command_line.run(main)
