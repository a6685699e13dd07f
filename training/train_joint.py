"""Train the quantizer and the classifier that reads it together: protocol B, as CQFormer is trained.

    python -m training.train_joint --data DATA/cifar10 --classifier cifar10-resnet9 --out runs/joint

As training.train_colorcnn, but the classifier that reads the painted images, the reader, starts as a copy of the
published one and learns with the quantizer, from the same loss. The published one stays as it is: the quantizer is
built upon it, and it says what was to be seen in the originals. training.publish --reader publishes both.

The reader's batch norms keep the statistics of the originals: those of a batch would be of one number of colors, those
that are kept of a mixture of all, and in use it reads every number of colors with the same weights.
"""

import argparse
import copy
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import torch

from models.names import ModelKind
from models.networks.classifiers import Classifier
from models.networks.colorcnn import ColorCNN
from models.networks.folding import fold_batch_norm
from models.zoo.registry import Registry
from training.cli import arguments, numbers
from training.cli.arguments import add_models_flag, classifier_and_data, command
from training.cli.objective_flags import add_objective_flags, drawn_colors
from training.data.datasets import LabelledImages
from training.loop import fit
from training.loop.log import Log
from training.loop.objective import Objective, TrainingConfig
from training.loop.scoring import score
from training.train_colorcnn import SCORED_COLORS, Result, around, started_from, train_epoch, warm_cosine


@dataclass(frozen=True)
class JointConfig(TrainingConfig):
    """As of a quantizer; classifier is what the reader starts from. reader_lr: the reader's peak learning rate."""

    reader_lr: float


def main(argv: Sequence[str] | None = None) -> Result:
    """Parse flags, train, and leave log.jsonl and state.pt in --out."""
    args = arguments.parse(_parser(), argv)
    device = arguments.begin(args)
    classifier, data = classifier_and_data(args)
    network = started_from(Registry.open(args.models), args.start) if args.start else around(classifier)
    config = arguments.configuration(JointConfig, args, also=(), encoder=None, **drawn_colors(args))
    return train(network, classifier, config, data, device, arguments.open_log(args), resume=arguments.resumes(args))


def train(
    network: ColorCNN,
    classifier: Classifier,
    config: JointConfig,
    data: LabelledImages,
    device: torch.device,
    log: Log,
    *,
    resume: bool = False,
) -> Result:
    """Train both, or go on from the state in the log's folder; scores are the reader's."""
    part, held_out = (images.to(device) for images in data.hold_out(config.held_out, keep=config.train))
    reader = copy.deepcopy(classifier).requires_grad_(True).eval()
    teacher = fold_batch_norm(copy.deepcopy(classifier))
    for module in (network, reader, teacher):
        module.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    groups = [
        {"params": [parameter for parameter in network.parameters() if parameter.requires_grad], "lr": config.lr},
        {"params": list(reader.parameters()), "lr": config.reader_lr},
    ]
    optimizer = torch.optim.AdamW(groups, betas=(0.9, 0.99), weight_decay=config.weight_decay)
    steps = config.epochs * fit.steps_per_epoch(len(part), config.batch, log.workers)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, warm_cosine(steps))
    objective = Objective(network, [reader], config, teachers=[teacher])
    scores = fit.fit(
        config.epochs,
        lambda epoch: train_epoch(objective, optimizer, scheduler, part, epoch, log),
        lambda: score(network.eval().hard, reader, held_out, SCORED_COLORS, bf16=config.bf16),
        parts={"weights": network, "reader": reader, "optimizer": optimizer, "scheduler": scheduler},
        config={
            "kind": ModelKind.COLORCNN.value,
            "network": network.config.to_json(),
            "reader": reader.config.to_json(),
            "training": asdict(config),
            "classes": list(data.classes),
        },
        log=log,
        resume=resume,
    )
    return Result(network.eval(), scores)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m training.train_joint",
        description="Train the quantizer and the classifier that reads it together, all numbers of colors in one run.",
    )
    arguments.add_training_flags(parser, epochs=20, batch=128)
    arguments.add_split_flags(parser)
    add_models_flag(parser)
    parser.add_argument(
        "--classifier", required=True, help="published classifier to build upon, and to start the reader from"
    )
    parser.add_argument(
        "--reader-lr", type=numbers.WEIGHT, default=3e-4, help="the reader's peak learning rate (%(default)s)"
    )
    add_objective_flags(parser)
    return parser


if __name__ == "__main__":
    command(main)
