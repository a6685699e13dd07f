"""Turn a finished run into a model that ships: checkpoint in half precision, model card, entry in the manifest.

    python -m training.publish --run runs/resnet9 --name cifar10-resnet9
    python -m training.evaluate --data DATA/cifar10 --classifier cifar10-resnet9 ... --out docs/results/data/cifar10.json
    python -m training.publish --run runs/resnet9 --name cifar10-resnet9 --results docs/results/data/cifar10.json

The second time only the accuracy in the manifest and the card change: equal weights give an equal file.
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from models.evaluation import reports
from models.evaluation.reports import BadReport, EvaluationReport, FinetuningReport, to_json
from models.names import VARIANTS, ModelKind
from models.networks.colorcnn import ColorCNNConfig
from models.quantizers.base import MAX_COLORS, MIN_COLORS
from models.zoo import checkpoint
from models.zoo.checkpoint import Checkpoint, Provenance
from models.zoo.manifest import ModelEntry
from models.zoo.registry import SHIPPED, Registry
from models.zoo.validation import reported_as_corrupt
from training.cli import numbers
from training.cli.arguments import add_models_flag, command
from training.loop.finished_run import FinishedRun, as_checkpoint

CHECKPOINTS = "checkpoints"
Results = EvaluationReport | FinetuningReport


def main(argv: Sequence[str] | None = None) -> ModelEntry:
    """Parse flags and publish; returns the manifest's entry."""
    args = _parser().parse_args(argv)
    results = read_results(args.results) if args.results else None
    finished = FinishedRun.read(args.run)
    served = {
        name: getattr(args, name)
        for name in ("structure_cutoff", "rounds", "structure_scales")
        if getattr(args, name) is not None
    }
    if served:
        finished = replace(finished, config={**finished.config, "network": _served(finished.config, served)})
    folder = args.models or SHIPPED
    if finished.reader is not None and not args.reader:
        raise SystemExit("--reader is missing: what shall the classifier be called that learned with this quantizer?")
    if args.reader:
        reader, finished = finished.split(args.reader)
        publish(reader, args.reader, folder, results, limits=args.limits)
    return publish(finished, args.name, folder, results, limits=args.limits)


def publish(finished: FinishedRun, name: str, folder: Path, results: Results | None, *, limits: str = "") -> ModelEntry:
    """Write checkpoint, card and manifest entry into `folder`, replacing a model of the same name.

    The first model of a kind becomes its default. Nothing is written where the manifest would refuse the entry, for
    instance for a name with a slash, or a quantizer without its classifier: CorruptCheckpoint. SystemExit for
    weights of a run that diverged.
    """
    stored = as_checkpoint(name, finished)
    registry = Registry.open_or_create(folder)
    with reported_as_corrupt("the manifest's entry"):
        entry = _entry(finished, stored, name, results)
    registry.with_model(entry)
    (folder / CHECKPOINTS).mkdir(parents=True, exist_ok=True)
    entry = replace(entry, sha256=checkpoint.save(folder / entry.file, stored, half=True))
    if results and _measured_weights(name, results) != entry.sha256:
        raise SystemExit(f"--results: measured with other weights than those of {name}; evaluate it again")
    if results and entry.results:
        (folder / entry.results).write_text(json.dumps(to_json(results)) + "\n")
    (folder / entry.card).write_text(_card(entry, stored.provenance, finished, limits))
    registry.with_model(entry).write()
    return entry


def _served(config: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """The network's configuration with what only matters in use.

    Raises SystemExit for a classifier, which paints nothing, and for values that the network refuses.
    """
    flags = ", ".join(f"--{name.replace('_', '-')}" for name in changes)
    if config["kind"] != ModelKind.COLORCNN:
        raise SystemExit(f"{flags}: for quantizers only")
    try:
        network = ColorCNNConfig.from_json(config["network"]).to_json()
        return ColorCNNConfig.from_json({**network, **changes}).to_json()
    except ValueError as error:
        raise SystemExit(f"{flags}: {error}") from None


def _entry(finished: FinishedRun, stored: Checkpoint, name: str, results: Results | None) -> ModelEntry:
    """The manifest's entry, still without the hash of the file."""
    classifies = stored.kind is ModelKind.CLASSIFIER
    architecture, size, colors = _shape(finished)
    return ModelEntry(
        name=name,
        file=f"{CHECKPOINTS}/{name}.safetensors",
        sha256="0" * 64,
        kind=stored.kind,
        architecture=architecture,
        dataset=stored.provenance.dataset,
        classes=tuple(finished.config["classes"]) if classifies else (),
        size=size,
        colors=colors,
        classifier=None if classifies else finished.config["training"]["classifier"],
        accuracy=dict(finished.scores) | (_measured(name, results) if results else {}),
        command=stored.provenance.command,
        card=f"{CHECKPOINTS}/{name}.md",
        results=f"{CHECKPOINTS}/{name}.json" if results and not classifies else None,
    )


def _shape(finished: FinishedRun) -> tuple[str, int, tuple[int, int] | None]:
    """Architecture in words, side of the training images, fewest and most colors."""
    network = finished.config["network"]
    match finished.config["kind"]:
        case ModelKind.CLASSIFIER:
            return network["architecture"], network["size"], None
        case ModelKind.COLORCNN:
            encoder = network["encoder"]
            return f"ColorCNN on {encoder['architecture']}", encoder["size"], (MIN_COLORS, MAX_COLORS)
        case _:
            return "ColorCNN as published", finished.config["training"]["size"], (network["colors"], network["colors"])


def read_results(file: Path) -> Results:
    """Return the report of an evaluation or of fine-tuning. Raises SystemExit for a file that holds neither."""
    try:
        report = reports.read(file)
    except BadReport as error:
        raise SystemExit(f"--results: {error}") from None
    if not isinstance(report, EvaluationReport | FinetuningReport):
        raise SystemExit(
            f"--results: {file} is a report of kind {report.kind.value!r}; give a report of training.evaluate"
        )
    return report


def _measured_weights(name: str, results: Results) -> str | None:
    """Return the SHA-256 of the checkpoint that was measured under that name; None where there was none."""
    if isinstance(results, FinetuningReport):
        return {**results.sha256, **{row.name: row.sha256 for row in results.rows}}.get(name)
    return results.sha256.get(name)


def _measured(name: str, results: Results) -> dict[str, float]:
    """Return top-1 on the test set by measure, of this model.

    In a report of fine-tuning the images of the test set are in the setting that the classifier was fine-tuned for.
    """
    if isinstance(results, FinetuningReport):
        after = {row.name: row.top1_after for row in results.rows}
        return {"test_top1": after[name]} if name in after else {}
    if results.classifier == name:
        return {"test_top1": results.top1_original}
    rows = [row for row in results.rows if row.model == name and row.method not in VARIANTS]
    return {f"test_top1_{row.colors}": row.top1 for row in rows if row.top1 is not None}


def _card(entry: ModelEntry, provenance: Provenance, finished: FinishedRun, limits: str) -> str:
    accuracy = "\n".join(f"| {key} | {100 * value:.2f} % |" for key, value in entry.accuracy.items())
    recipe = "\n".join(f"| {key} | {value} |" for key, value in finished.config["training"].items())
    against = f" against the frozen classifier `{entry.classifier}`" if entry.classifier else ""
    return f"""# {entry.name}

{entry.kind}, {entry.architecture}, trained on {entry.dataset} at {entry.size}x{entry.size} pixels{against}.
Configuration: `{json.dumps(finished.config["network"])}`.
Weights in half precision: `{Path(entry.file).name}`, SHA-256 `{entry.sha256}`.

## Numbers

`held_out`: images kept out of the training set; `test`: the whole test set, scored from PNG bytes.

| measure | value |
|---|---|
{accuracy}

## Recipe

    {provenance.command}

{provenance.notes}; torch {finished.start["torch"]}; seed {provenance.seed}; commit {provenance.commit}.

| option | value |
|---|---|
{recipe}

## Limits

{limits or f"Knows only what {entry.dataset} shows, at {entry.size}x{entry.size} pixels."}
"""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m training.publish",
        description="Turn a finished run into a model that ships: checkpoint, model card, manifest entry.",
    )
    parser.add_argument("--run", type=Path, required=True, help="folder that the training script wrote to (--out)")
    parser.add_argument("--name", required=True, help="what requests and commands will call the model")
    add_models_flag(parser)
    parser.add_argument("--reader", help="runs of training.train_joint: name of the classifier that learned with it")
    parser.add_argument(
        "--structure-cutoff",
        "--fade",
        type=int,
        nargs=2,
        metavar=("FIRST", "LAST"),
        help="quantizers: numbers of colors from which on structure counts less, and not at all (default: everywhere)",
    )
    parser.add_argument(
        "--rounds", type=numbers.FROM_ZERO, help="quantizers: of k-means for the color centers (default: as trained)"
    )
    parser.add_argument(
        "--structure-scales",
        "--strengths",
        type=numbers.WEIGHT,
        nargs="+",
        metavar="FACTOR",
        help="quantizers: factors of the structure that are tried for each image (default: 1 alone)",
    )
    parser.add_argument("--results", type=Path, help="JSON of training.evaluate, for the accuracy on the test set")
    parser.add_argument("--limits", default="", help="text for the model card: what the model is not good for")
    return parser


if __name__ == "__main__":
    command(main)
