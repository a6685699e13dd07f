"""Joint training of the quantizer and the classifier of its images: protocol B, as for CQFormer.

    python -m training.train_joint --data DATA/cifar10 --classifier cifar10-resnet9 --out runs/joint

The command trains as training.train_colorcnn does, and also trains a copy of the published classifier with the same
loss. The published classifier stays frozen. It is the encoder of the quantizer, and its outputs for the originals are
the targets of distillation. training.publish --joint-classifier publishes both networks.

The batch norms of the joint classifier keep the statistics of the originals. A batch has images of one number of
colors, but in use the same weights recognize images of every number of colors.
"""

import copy
from collections.abc import Sequence
from typing import Any

import torch

from models.names import ModelKind
from models.networks.classifiers import Classifier
from models.networks.colorcnn import ColorCNN
from models.networks.folding import fold_batch_norm
from models.zoo.registry import Registry
from training.cli import command_line
from training.cli.options import TrainerOptions
from training.cli.session import begin, classifier_and_data
from training.data.datasets import LabeledImages
from training.loop.batches import steps_per_epoch
from training.loop.fit import Run, Session, fit, run_config
from training.loop.objective import Objective, QuantizerHyperparameters
from training.loop.scoring import score
from training.options import Weight
from training.train_colorcnn import (
    SCORED_COLORS,
    Result,
    adamw,
    around,
    started_from,
    train_epoch,
    trainable,
    warm_cosine,
)


class JointHyperparameters(QuantizerHyperparameters):
    """Hyper-parameters of a quantizer and a classifier that are trained jointly."""

    joint_lr: Weight = 3e-4
    """Peak learning rate of the joint classifier."""

    def recorded(self) -> dict[str, Any]:
        """Return the hyper-parameters as the state of a run holds them."""
        return {**super().recorded(), "joint_lr": self.joint_lr}


class JointOptions(JointHyperparameters, TrainerOptions):
    """Train the quantizer jointly with a classifier, all numbers of colors in one run."""


def main(argv: Sequence[str] | None = None) -> Result:
    """Run the training of a command line; writes log.jsonl and state.pt to --out."""
    options = command_line.parse(JointOptions, "training.train_joint", argv).located()
    torch.manual_seed(options.seed)  # draws the fresh weights
    classifier, data = classifier_and_data(options, options.classifier)
    registry = Registry.open(options.models)
    network = started_from(registry, options.start) if options.start else around(classifier)
    session = begin(options)
    return train(network, classifier, options.fitted(data, session.log), data, session)


def train(
    network: ColorCNN,
    classifier: Classifier,
    config: JointHyperparameters,
    data: LabeledImages,
    session: Session,
) -> Result:
    """Train the quantizer and a copy of the classifier, or resume; the scores belong to the copy."""
    part, held_out = (images.to(session.device) for images in data.hold_out(config.held_out, keep=config.train))
    joint = copy.deepcopy(classifier).requires_grad_(True).eval()
    teacher = fold_batch_norm(copy.deepcopy(classifier))
    for module in (network, joint, teacher):
        module.to(device=session.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    groups = [
        {"params": trainable(network), "lr": config.lr},
        {"params": list(joint.parameters()), "lr": config.joint_lr},
    ]
    optimizer = adamw(groups, config.weight_decay)
    steps = config.epochs * steps_per_epoch(len(part), config.batch, session.log.workers)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, warm_cosine(steps))
    objective = Objective(network, [joint], config, teacher=teacher)
    recorded = config.recorded() | {"bf16": session.bf16}
    described = {"joint_classifier": joint.config.to_json()}
    run = Run(
        config.epochs,
        run_config(ModelKind.COLORCNN, network.config, recorded, data.classes, **described),
        {"weights": network, "joint_classifier": joint, "optimizer": optimizer, "scheduler": scheduler},
        train_epoch=lambda epoch: train_epoch(objective, optimizer, scheduler, part, epoch, session),
        score=lambda: score(network.eval().hard, joint, held_out, SCORED_COLORS, session),
    )
    scores = fit(run, session)
    return Result(network.eval(), scores)


if __name__ == "__main__":
    command_line.run(main)
