"""Fine-tune a published classifier on the images that it will be shown: painted, coded as BPG, or both.

    python -m training.finetune --data runs/cache/k2-qp31 --classifier cifar10-resnet9 --out runs/resnet9-k2-qp31

The dataset is one that training.quantize_dataset wrote: its "train" is learned from, its "held_out", which neither the classifier
nor the quantizer has seen, is scored. All layers learn, as training.train_classifier trains them but at a small rate.
"""

import argparse
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from models.zoo.registry import Registry
from training.cli import arguments
from training.cli.arguments import add_models_flag, command, require_data
from training.data.datasets import DatasetError, load
from training.loop.scoring import frozen_classifier
from training.quantize_dataset import HEADER_FILE
from training.train_classifier import Result, TrainingConfig, add_optimizer_flags, train


@dataclass(frozen=True)
class FinetuningConfig(TrainingConfig):
    """As of a classifier.

    start: the published one whose weights training starts from. sha256: of its checkpoint. images: SHA-256 of the
    header of the painted dataset. So no run goes on with weights or images that have the name alone in common.
    """

    start: str
    sha256: str
    images: str


def main(argv: Sequence[str] | None = None) -> Result:
    """Parse flags, train, and leave log.jsonl and state.pt in --out."""
    args = arguments.parse(_parser(), argv)
    device = arguments.begin(args)
    registry = Registry.open(args.models)
    network = frozen_classifier(registry, args.classifier).requires_grad_(True)
    folder = require_data(args)
    if not (folder / HEADER_FILE).exists():
        raise DatasetError(f"{folder} has no {HEADER_FILE}: give a folder that training.quantize_dataset wrote")
    part, held_out = (load(folder, split, size=network.config.size) for split in ("train", "held_out"))
    part.require_classes(registry.entry(args.classifier).classes)
    config = arguments.configuration(
        FinetuningConfig,
        args,
        held_out=len(held_out),
        train=len(part),
        start=args.classifier,
        sha256=registry.entry(args.classifier).sha256,
        images=hashlib.sha256((folder / HEADER_FILE).read_bytes()).hexdigest(),
    )
    return train(network, config, part, held_out, device, arguments.open_log(args), resume=arguments.resumes(args))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m training.finetune", description="Fine-tune a published classifier on a painted dataset."
    )
    arguments.add_training_flags(parser, epochs=3, batch=128)
    add_models_flag(parser)
    parser.add_argument("--classifier", required=True, help="published classifier to start from")
    add_tuning_flags(parser)
    return parser


def add_tuning_flags(parser: argparse.ArgumentParser) -> None:
    """How to learn, with defaults for weights that know the originals already."""
    add_optimizer_flags(parser, lr=0.003, label_smoothing=0.0, cutout=0)


if __name__ == "__main__":
    command(main)
