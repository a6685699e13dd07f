"""Fine-tune a published classifier on a quantized dataset: images in few colors, coded as BPG, or both.

    python -m training.finetune --data runs/cache/k2-qp31 --classifier cifar10-resnet9 --out runs/resnet9-k2-qp31

training.quantize_dataset writes the dataset. Its "train" split is trained on. Its "held_out" split, which neither the
classifier nor the quantizer was trained on, is scored. All layers are trained as in training.train_classifier,
but at a low learning rate.
"""

import hashlib
from collections.abc import Sequence
from typing import Any

from models.zoo.registry import Registry
from training.cli import command_line
from training.cli.options import TrainerOptions
from training.cli.session import begin
from training.data.datasets import DatasetError, load
from training.loop.scoring import frozen_classifier
from training.options import Count, CountOrZero, Fraction, Weight
from training.quantize_dataset import read_header
from training.train_classifier import ClassifierHyperparameters, Result, train


class FinetuningHyperparameters(ClassifierHyperparameters):
    """Hyper-parameters of fine-tuning; the defaults suit weights that were trained on the originals."""

    epochs: Count = 3
    """Passes over the training images."""
    batch: Count = 128
    """Images per batch, or all training images where there are fewer."""
    lr: Weight = 0.003
    """Peak learning rate of SGD, for the mean loss of a batch."""
    label_smoothing: Fraction = 0.0
    """Fraction of the target that is spread over all classes."""
    cutout: CountOrZero = 0
    """Side of the blanked square in pixels."""


class FinetuningOptions(FinetuningHyperparameters, TrainerOptions):
    """Fine-tune a published classifier on a quantized dataset."""

    classifier: str
    """Published classifier to start from."""


class FinetuningConfig(FinetuningHyperparameters):
    """Hyper-parameters of a run, and hashes that prevent a run from resuming with other weights or images.

    start: name of the published classifier. sha256: SHA-256 of its checkpoint. images: SHA-256 of the header of the
    quantized dataset.
    """

    start: str
    sha256: str
    images: str

    def recorded(self) -> dict[str, Any]:
        """Return the configuration as the state of a run holds it."""
        return self.only(FinetuningConfig)


def main(argv: Sequence[str] | None = None) -> Result:
    """Run the training of a command line; writes log.jsonl and state.pt to --out."""
    options = command_line.parse(FinetuningOptions, "training.finetune", argv).located()
    registry = Registry.open(options.models)
    network = frozen_classifier(registry, options.classifier).requires_grad_(True)
    entry = registry.entry(options.classifier)
    header = read_header(options.folder)
    if header is None:
        raise DatasetError(f"{options.folder} was not written by training.quantize_dataset")
    part, held_out = (load(options.folder, split, size=network.config.size) for split in ("train", "held_out"))
    part.require_classes(entry.classes)
    config = FinetuningConfig(
        **options.only(FinetuningHyperparameters) | {"held_out": len(held_out), "train": len(part)},
        start=options.classifier,
        sha256=entry.sha256,
        images=hashlib.sha256(header).hexdigest(),
    )
    session = begin(options)
    return train(network, config.with_batch(len(part), session.log), part, held_out, session)


if __name__ == "__main__":
    command_line.run(main)
