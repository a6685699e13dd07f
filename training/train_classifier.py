"""Training of an image classifier on original images. Quantizers later train against the frozen classifier.

ResNet9 of half width exceeds 90 % top-1 on CIFAR-10 within 12 epochs, about 25 minutes on 2 CPU cores:

    python -m training.train_classifier --data DATA/cifar10 --out runs/resnet9

The recipe is that of DAWNBench (Page, 2018): SGD with Nesterov momentum, a learning rate that rises over the first
fifth of the steps and falls to zero, random crop, flip and cutout, label smoothing. The held-out part of train is
scored for the log alone. The last epoch is published, so no data selects an epoch.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.names import ModelKind
from models.networks.classifiers import Classifier, ClassifierConfig, build_classifier
from models.zoo.registry import Registry
from training.cli import command_line
from training.cli.options import TrainerOptions
from training.cli.session import begin
from training.data import augment
from training.data.datasets import LabeledImages, load
from training.loop.batches import batches, epoch_generator, steps_per_epoch
from training.loop.fit import Run, Session, fit, run_config
from training.loop.hyperparameters import Hyperparameters
from training.loop.scoring import evaluate, frozen_classifier
from training.options import Count, CountOrZero, Fraction, Weight


class ClassifierHyperparameters(Hyperparameters):
    """Hyper-parameters of a classifier."""

    epochs: Count = 12
    """Passes over the training images."""
    batch: Count = 256
    """Images per batch, or all training images where there are fewer."""
    optimizer: Literal["sgd", "adamw"] = "sgd"
    """SGD with Nesterov momentum, or AdamW, which transformers need."""
    lr: Weight = 0.2
    """Peak learning rate, for the mean loss of a batch."""
    weight_decay: Weight = 5e-4
    """Weight decay, per step and times the learning rate."""
    momentum: Fraction = 0.9
    """Nesterov momentum of SGD."""
    label_smoothing: Fraction = 0.1
    """Fraction of the target that is spread over all classes."""
    crop: CountOrZero = 4
    """Largest random shift in pixels."""
    cutout: CountOrZero = 8
    """Side of the blanked square in pixels."""
    noise: Weight = 0.0
    """Largest standard deviation of Gaussian noise on the pixels, drawn for each image, in [0, 1] units. The gradients
    of a classifier that learns from noisy images follow what is visible (Kaur, Cohen and Lipton, 2019)."""
    half_size: Fraction = 0.0
    """Fraction of the epochs, from the start, on images of half the side at a quarter of the cost (progressive
    learning, EfficientNetV2, Tan and Le, 2021)."""

    def recorded(self) -> dict[str, Any]:
        """Return the hyper-parameters as the state of a run holds them."""
        return self.only(ClassifierHyperparameters)

    def build_optimizer(self, parameters: Sequence[nn.Parameter]) -> torch.optim.Optimizer:
        """Return the optimizer of these hyper-parameters."""
        if self.optimizer == "adamw":
            return torch.optim.AdamW(parameters, lr=self.lr, weight_decay=self.weight_decay)
        return torch.optim.SGD(
            parameters, lr=self.lr, momentum=self.momentum, weight_decay=self.weight_decay, nesterov=True
        )


class ClassifierOptions(ClassifierHyperparameters, TrainerOptions):
    """Train an image classifier on original images."""

    architecture: Literal["resnet9", "resnet18", "alexnet", "vgg", "all_conv", "vit"] = "resnet9"
    """Network."""
    width: Count = 32
    """Channels of the first stage; 64 as published."""
    size: Count = 32
    """Side in pixels that images are resized to."""
    start: str | None = None
    """Published classifier to start from: its stages stay as they are, and only a new last layer is trained, which
    suits few images."""

    def recorded(self) -> dict[str, Any]:
        """Return the hyper-parameters as the state of a run holds them."""
        return super().recorded() | ({"start": self.start} if self.start else {})


@dataclass(frozen=True)
class Result:
    """The trained network and its top-1, in [0, 1], on the held-out part of train."""

    network: Classifier
    top1: float


def main(argv: Sequence[str] | None = None) -> Result:
    """Run the training of a command line; writes log.jsonl and state.pt to --out."""
    options = command_line.parse(ClassifierOptions, "training.train_classifier", argv).located()
    torch.manual_seed(options.seed)  # draws the fresh weights
    if options.size <= max(options.crop, options.cutout):
        raise SystemExit("--size: must be larger than --crop and --cutout")
    data = load(options.folder, "train", size=options.size)
    network = _started(options, data) if options.start else _fresh(options, data)
    if options.size < network.strides[-1]:
        raise SystemExit(f"--size: must be at least {network.strides[-1]} for {network.config.architecture}")
    session = begin(options)
    config = options.fitted(data, session.log)
    part, held_out = data.hold_out(config.held_out, keep=config.train)
    return train(network, config, part, held_out, session)


def _fresh(options: ClassifierOptions, data: LabeledImages) -> Classifier:
    mean, std = _pixel_statistics(data.images)
    return build_classifier(
        ClassifierConfig(
            architecture=options.architecture,
            classes=len(data.classes),
            size=options.size,
            width=options.width,
            mean=mean,
            std=std,
        )
    )


def _started(options: ClassifierOptions, data: LabeledImages) -> Classifier:
    """Return the frozen stages of the published classifier under a fresh last layer."""
    published = frozen_classifier(Registry.open(options.models), str(options.start))
    network = build_classifier(replace(published.config, classes=len(data.classes), size=options.size))
    network.stages.load_state_dict(published.stages.state_dict())
    network.stages.requires_grad_(False)
    return network


def train(
    network: Classifier,
    config: ClassifierHyperparameters,
    part: LabeledImages,
    held_out: LabeledImages,
    session: Session,
) -> Result:
    """Train the parameters that need a gradient on `part` from the present weights, or resume."""
    part, held_out = part.to(session.device), held_out.to(session.device)
    network.to(device=session.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    optimizer = config.build_optimizer(trained)
    steps = config.epochs * steps_per_epoch(len(part), config.batch, session.log.workers)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, _triangle(steps))
    run = Run(
        config.epochs,
        run_config(ModelKind.CLASSIFIER, network.config, config.recorded() | {"bf16": session.bf16}, part.classes),
        {"weights": network, "optimizer": optimizer, "scheduler": scheduler},
        train_epoch=lambda epoch: _train_epoch(network, optimizer, scheduler, part, config, epoch, session),
        score=lambda: {"held_out_top1": evaluate(network, held_out)},
    )
    scores = fit(run, session)
    return Result(network.eval(), scores["held_out_top1"])


def _train_epoch(
    network: Classifier,
    optimizer: torch.optim.Optimizer,
    scheduler: torch.optim.lr_scheduler.LRScheduler,
    data: LabeledImages,
    config: ClassifierHyperparameters,
    epoch: int,
    session: Session,
) -> dict[str, float]:
    network.train()
    if not any(parameter.requires_grad for parameter in network.stages.parameters()):
        network.stages.eval()  # frozen batch norm keeps its statistics too
    device = data.labels.device
    generator = epoch_generator(config.seed, epoch, device)
    # Dropout draws from torch's global generator, so its seed must depend on the epoch alone as well.
    torch.manual_seed(generator.initial_seed())
    order = list(batches(len(data), config.batch, generator, session.log.workers))
    criterion = nn.CrossEntropyLoss(label_smoothing=config.label_smoothing)
    parameters = list(network.parameters())
    total = torch.zeros((), device=device)
    for rows in session.log.track(order, f"epoch {epoch + 1}/{config.epochs}"):
        images = _augmented(data.images[rows], config, generator)
        if epoch < config.half_size * config.epochs:
            images = F.avg_pool2d(images, 2)
        with session.autocast():
            loss = criterion(network(images), data.labels[rows])
        optimizer.zero_grad()
        loss.backward()
        session.log.workers.average_gradients(parameters)
        optimizer.step()
        scheduler.step()
        total += loss.detach()
    return {"loss": float(total) / len(order)}


def _augmented(images: Tensor, config: ClassifierHyperparameters, generator: torch.Generator) -> Tensor:
    images = augment.crop(augment.flip(images, generator), config.crop, generator).float().div(255)
    if config.noise:
        images = augment.add_noise(images, config.noise, generator)
    return augment.cutout(images, config.cutout, generator) if config.cutout else images


def _triangle(steps: int) -> Callable[[int], float]:
    """Return the factor of the learning rate by step: linear up over the first fifth, then linear down to zero."""
    peak = max(1, steps // 5)
    return lambda step: min((step + 1) / peak, max(0.0, (steps - step) / max(1, steps - peak)))


def _pixel_statistics(images: Tensor) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    """Return mean and standard deviation of each channel over the images, in [0, 1], rounded to 4 digits."""
    values = torch.stack([torch.stack([c.float().mean(), c.float().std()]) for c in images.unbind(1)]) / 255
    mean, std = ([round(float(v), 4) for v in column] for column in values.unbind(1))
    return (mean[0], mean[1], mean[2]), (std[0], std[1], std[2])


if __name__ == "__main__":
    command_line.run(main)
