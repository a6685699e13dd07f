"""Top-1 under attack, with and without a quantizer before the classifier.

    python -m training.evaluate.robustness --data DATA/cifar10 --classifier cifar10-resnet9 \\
        --quantizer cifar10-resnet9-colorcnn --out docs/results/data/robustness.json

An attack changes each value of an image by at most epsilon levels of 8 bits so that the classifier misreads the image
behind the quantizer. For each path the first images of the test set are attacked in three ways. `transfer` attacks the
classifier alone and knows of no quantizer. `identity`, `soft` and `joint` attack the whole path; see
`training.evaluate.attack`. An image resists at an epsilon if it is recognized after every attack at this epsilon and at
the smaller ones. Nothing in a path is random, so no expectation over transformations is taken.

Settings of the attack are selected with --split held_out. Finished rows are kept in a partial file beside --out, so a
killed run can continue.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Annotated, Literal

import torch
from pydantic import Field, TypeAdapter
from torch import Tensor

from models.evaluation.compare import Setting
from models.evaluation.report_kinds import Kind, head
from models.evaluation.report_rows import RobustnessRow
from models.names import BIT_DEPTH, ONE_PASS, UNQUANTIZED
from models.quantizers.classical.catalog import CLASSICAL
from models.quantizers.learned.colorcnn import load_quantizer
from models.recognizer import Recognizer, load_recognizer
from models.zoo.registry import Registry
from training.cli import command_line
from training.cli.evaluations import EvaluationOptions
from training.cli.options import ClassicalMethod
from training.data import workers
from training.data.datasets import LabeledImages, load
from training.engines.quantized_blocks import Map
from training.evaluate import harness
from training.evaluate.attack import Attack, Backward, Path, Target, fool, push
from training.evaluate.attacked_paths import BitDepth, Classical, Learned, Plain
from training.extras import rich
from training.loop.distributed import select_device
from training.loop.provenance import commit
from training.options import Count, SomeColors

Level = Annotated[int, Field(ge=1, le=255)]
"""Largest change of a value in levels of 8 bits."""
Bits = Annotated[int, Field(ge=1, le=7)]
"""Bits per channel."""
# Where there is no quantizer, these backward passes equal the identity.
_STRONGER: tuple[Backward, ...] = ("soft", "joint")


class RobustnessOptions(EvaluationOptions):
    """Measure top-1 under attack, with and without a quantizer before the classifier."""

    quantizer: str | None = None
    """Published learned quantizer to attack, with the search and in one pass."""
    methods: tuple[ClassicalMethod, ...] = ("halftone", "kmeans", "median_cut")
    """Classical quantizers to attack."""
    colors: SomeColors = (2, 4, 8)
    """Numbers of colors."""
    bits: tuple[Bits, ...] = (1, 2, 3)
    """Bits per channel of images without a palette."""
    epsilons: Annotated[tuple[Level, ...], Field(min_length=1)] = (2, 4, 8)
    """Largest changes of a value, in levels of 8 bits."""
    steps: Count = 20
    """Steps of an attack."""
    restarts: Count = 1
    """Attempts of an attack, each from another random point."""
    seed: int = 0
    """Seed of the random points."""
    images: Count = 1000
    """Number of images, from the first one."""
    split: Literal["test", "held_out"] = "test"
    """Images to attack; held_out: the held-out part of train, for the choice of settings."""


@dataclass(frozen=True, eq=False)
class Study:
    """Attacks on several paths to one classifier.

    transferred: images that were attacked without any quantizer, (N, 3, s, s) uint8, by epsilon in rising order.
    """

    recognizer: Recognizer
    data: LabeledImages
    attack: Attack
    transferred: Mapping[int, Tensor]

    def __call__(self, setting: Setting, path: Path) -> RobustnessRow:
        """Return the row of a path."""
        target, labels = Target(path, self.recognizer.network), self.data.labels
        clean = target.right(self.data.images, labels)
        transfer, identity, resists = {}, {}, {}
        by_identity = by_all = clean
        for epsilon, images in self.transferred.items():
            survived = target.right(images, labels)
            by_identity = self._attacked(target, by_identity, epsilon, "identity")
            by_all = by_all & survived & by_identity
            for backward in () if isinstance(path, Plain) else _STRONGER:
                by_all = self._attacked(target, by_all, epsilon, backward)
            transfer[epsilon], identity[epsilon], resists[epsilon] = map(_share, (survived, by_identity, by_all))
        return RobustnessRow(
            **asdict(setting),
            images=len(labels),
            top1=_share(clean),
            transfer=transfer,
            identity=identity,
            resists=resists,
        )

    def _attacked(self, target: Target, candidates: Tensor, epsilon: int, backward: Backward) -> Tensor:
        """Return which of the candidates, (N,) bool, are recognized after an attack."""
        rows = candidates.nonzero().squeeze(1)
        if not len(rows):
            return candidates
        images, labels = self.data.images[rows], self.data.labels[rows]
        found = fool(target, images, labels, epsilon, backward, self.attack)
        left = candidates.clone()
        left[rows] = target.right(found, labels)
        return left


def main(argv: Sequence[str] | None = None) -> list[RobustnessRow]:
    """Run the measurement of a command line, print the rows and write the JSON file."""
    options = command_line.parse(RobustnessOptions, "training.evaluate.robustness", argv).located()
    registry, device = Registry.open(options.models), select_device(options.device)
    recognizer = load_recognizer(registry, options.classifier, device)
    data = _images(options, recognizer).to(device)
    with workers.worker_pool(options.workers) as pool:
        paths = _paths(options, registry, device, pool.map)
        kept = harness.KeptRows(
            harness.kept_file(options.out),
            _header(options, registry, recognizer, data, list(paths)),
            _row,
        )
        study = _study(options, recognizer, data)
        rows = [kept.find(setting) or _shown(kept.add(study(setting, path))) for setting, path in paths.items()]
    kept.finish(options.out, rows)
    return rows


def _images(options: RobustnessOptions, recognizer: Recognizer) -> LabeledImages:
    """Return the images to attack."""
    if options.split == "test":
        data = load(options.folder, "test", size=recognizer.size)
    else:
        _, data = load(options.folder, "train", size=recognizer.size).hold_out(None)
    data.require_classes(recognizer.classes)
    return data.select(torch.arange(len(data))[: options.images])


def _paths(options: RobustnessOptions, registry: Registry, device: torch.device, run: Map) -> dict[Setting, Path]:
    """Return the paths to attack by their settings, in the order of the rows of the report."""
    paths: dict[Setting, Path] = {Setting(UNQUANTIZED): Plain()}
    paths |= {Setting(f"{BIT_DEPTH}_{bits}"): BitDepth(bits) for bits in options.bits}
    for name in options.methods:
        paths |= {Setting(name, colors=k): Classical(CLASSICAL[name], k, run) for k in options.colors}
    if options.quantizer is not None:
        learned = load_quantizer(registry, options.quantizer, device)
        learned.network.requires_grad_(False)
        for method in (ONE_PASS, learned.name) if learned.supports_fidelity else (learned.name,):
            quantizer = learned.for_method(method)
            paths |= {Setting(method, options.quantizer, k): Learned(quantizer, k) for k in options.colors}
    return paths


def _study(options: RobustnessOptions, recognizer: Recognizer, data: LabeledImages) -> Study:
    attack = Attack(steps=options.steps, restarts=options.restarts, seed=options.seed)
    plain, epsilons = Target(Plain(), recognizer.network), sorted(set(options.epsilons))
    transferred = {epsilon: push(plain, data.images, data.labels, epsilon, attack) for epsilon in epsilons}
    return Study(recognizer, data, attack, transferred)


def _header(
    options: RobustnessOptions,
    registry: Registry,
    recognizer: Recognizer,
    data: LabeledImages,
    settings: Sequence[Setting],
) -> dict[str, object]:
    right = Target(Plain(), recognizer.network).right(data.images, data.labels)
    return (
        head(Kind.ROBUSTNESS)
        | harness.describe_models(len(data), settings, options, registry)
        | {name: getattr(options, name) for name in ("split", "steps", "restarts", "seed")}
        | {"epsilons": sorted(set(options.epsilons)), "top1_original": _share(right), "commit": commit()}
    )


def _row(**values: object) -> RobustnessRow:
    """Return a row from its JSON values, whose epsilons are texts."""
    return TypeAdapter(RobustnessRow).validate_python(values)


def _share(which: Tensor) -> float:
    """Return the share of true values of a (N,) bool tensor."""
    return int(which.sum()) / len(which)


def _shown(row: RobustnessRow) -> RobustnessRow:
    """Print a row and return the row."""
    resisting = ", ".join(f"{100 * share:.1f} % at {epsilon}" for epsilon, share in row.resists.items())
    colors = f" in {row.colors} colors" if row.colors else ""
    rich.console.Console().print(f"{row.method}{colors}: top-1 {100 * row.top1:.1f} %, resist {resisting}")
    return row


if __name__ == "__main__":
    command_line.run(main)
