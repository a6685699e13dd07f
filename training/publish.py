"""Publication of a finished run as a model: checkpoint in half precision, model card, entry in the manifest.

    python -m training.publish --run runs/resnet9 --name cifar10-resnet9
    python -m training.evaluate --classifier cifar10-resnet9 ... --out docs/results/data/cifar10.json
    python -m training.publish --run runs/resnet9 --name cifar10-resnet9 --results docs/results/data/cifar10.json

The second call of training.publish changes only the accuracy in the manifest and the card: equal weights give an equal
file.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from models.evaluation import reports
from models.evaluation.reports import BadReport, EvaluationReport, FinetuningReport, to_json
from models.files import write_atomically
from models.names import VARIANTS, ModelKind
from models.networks.colorcnn import ColorCNNConfig
from models.quantizers.base import MAX_COLORS, MIN_COLORS
from models.zoo import checkpoint
from models.zoo.checkpoint import Checkpoint
from models.zoo.manifest import SHIPPED, ModelEntry
from models.zoo.registry import Registry
from models.zoo.validation import reported_as_corrupt
from training.cli import command_line
from training.cli.options import ModelsOptions
from training.loop.finished_run import FinishedRun, as_checkpoint
from training.loop.model_card import model_card
from training.options import Count, CountOrZero, Options, Positive, Weight, flag

CHECKPOINTS = "checkpoints"
_ENCODER = "encoder."
_WITH_ENCODER = (ModelKind.COLORCNN, ModelKind.PREFILTER)
Results = EvaluationReport | FinetuningReport


class ServedOptions(Options):
    """Options of a quantizer that affect only its use, not its training."""

    structure_cutoff: tuple[int, int] | None = None
    """Quantizers: number of colors from which structure counts less, and number from which it has no effect; by default
    structure always counts."""
    structure_gain: Positive | None = None
    """Quantizers: factor of the structure at two colors, which falls to 1 at eight; choose it on held-out images."""
    rounds: CountOrZero | None = None
    """Quantizers: iterations of the k-means that finds the color centers; by default as in training."""
    structure_scales: tuple[Weight, ...] = ()
    """Quantizers: structure scales that the search tries for each image; only 1 by default."""
    view_shifts: tuple[Count, ...] = ()
    """Quantizers: distances in pixels of the shifted views that the search goes on with; only 2 by default."""
    view_scales: tuple[Weight, ...] = ()
    """Quantizers: structure scales that it tries for each of these views; only 1 by default."""


class PublishOptions(ServedOptions, ModelsOptions):
    """Publish a finished run: checkpoint, model card, manifest entry."""

    run: Path
    """Folder of the run: --out of the trainer."""
    name: str
    """Name of the model in requests and commands."""
    joint_classifier: str | None = None
    """Runs of training.train_joint: name of the classifier that was trained jointly."""
    results: Path | None = None
    """JSON file of training.evaluate, for the accuracy on the test set."""
    guides: tuple[str, ...] = ()
    """Quantizers: published classifiers that images are refined for beside the quantizer's own."""
    limits: str = ""
    """Text for the model card: limits of the model."""


def main(argv: Sequence[str] | None = None) -> ModelEntry:
    """Run the publication of a command line; returns the entry of the manifest."""
    options = command_line.parse(PublishOptions, "training.publish", argv)
    results = read_results(options.results) if options.results else None
    finished = _with_served_options(FinishedRun.read(options.run), options)
    folder = options.models or SHIPPED
    if finished.joint_classifier is not None and not options.joint_classifier:
        raise SystemExit("--joint-classifier is missing: name the classifier that was trained jointly")
    runs = {options.name: finished}
    if options.joint_classifier:
        classifier, quantizer = finished.split(options.joint_classifier)
        runs = {options.joint_classifier: classifier, options.name: quantizer}
    if options.guides and finished.config["kind"] != ModelKind.COLORCNN:
        raise SystemExit("--guides: for quantizers only")
    return publish(runs, folder, results, limits=options.limits, guides=options.guides)[-1]


def publish(
    runs: Mapping[str, FinishedRun],
    folder: Path,
    results: Results | None,
    *,
    limits: str = "",
    guides: tuple[str, ...] = (),
) -> list[ModelEntry]:
    """Write checkpoints, cards and manifest entries of runs into `folder`, replacing models of the same names.

    guides: names of the classifiers that a quantizer of the runs refines images for, beside its own.
    The first model of a kind becomes its default. Raises CorruptCheckpoint, and writes nothing, if the manifest
    rejects an entry, for instance for a name with a slash or a quantizer without its classifier. Raises SystemExit, and
    writes nothing, for weights of a run that diverged or that `results` did not measure.
    """
    registry, files, entries = Registry.open_or_create(folder), dict[str, bytes](), list[ModelEntry]()
    for name, finished in runs.items():
        entry, new = _prepare(finished, name, results, limits, registry)
        if entry.kind is ModelKind.COLORCNN:
            entry = replace(entry, guides=guides)
        registry, files, entries = registry.with_model(entry), files | new, [*entries, entry]
    (folder / CHECKPOINTS).mkdir(parents=True, exist_ok=True)
    for path, content in files.items():
        write_atomically(folder / path, content)
    registry.write()
    return entries


def _prepare(
    finished: FinishedRun, name: str, results: Results | None, limits: str, registry: Registry
) -> tuple[ModelEntry, dict[str, bytes]]:
    """Return the entry of the manifest and the content of the model's files, by path."""
    stored = _sharing_the_encoder(as_checkpoint(name, finished), finished, registry)
    with reported_as_corrupt("the manifest's entry"):
        entry = _entry(finished, stored, name, results)
    weights = checkpoint.to_bytes(stored, half=True)
    entry = replace(entry, sha256=hashlib.sha256(weights).hexdigest())
    if results and _measured_weights(name, results) != entry.sha256:
        raise SystemExit(f"--results: measured with weights other than those of {name}; evaluate it again")
    card = model_card(entry, stored.provenance, finished, limits).encode()
    files = {entry.file: weights, entry.card: card}
    if results and entry.results:
        files[entry.results] = json.dumps(to_json(results)).encode() + b"\n"
    return entry, files


def _sharing_the_encoder(stored: Checkpoint, finished: FinishedRun, registry: Registry) -> Checkpoint:
    """Return the checkpoint without the weights of its encoder, where a published classifier has the same."""
    training = finished.config["training"]
    names = {training.get("classifier"), training.get("encoder")} if stored.kind in _WITH_ENCODER else set()
    own = {name.removeprefix(_ENCODER): tensor for name, tensor in stored.tensors.items() if name.startswith(_ENCODER)}
    for entry in registry.available():
        if entry.name in names and own and _has_file(registry, entry):
            theirs = registry.read(entry.name).tensors
            if own.keys() == theirs.keys() and all(torch.equal(own[name].cpu(), theirs[name]) for name in own):
                rest = {name: tensor for name, tensor in stored.tensors.items() if not name.startswith(_ENCODER)}
                return replace(stored, tensors=rest, shared={_ENCODER.rstrip("."): entry.sha256})
    return stored


def _has_file(registry: Registry, entry: ModelEntry) -> bool:
    """Return whether the weights of an entry are stored already; a classifier of the same publication has none yet."""
    return entry.package is not None or (registry.folder / entry.file).is_file()


def _with_served_options(finished: FinishedRun, options: ServedOptions) -> FinishedRun:
    """Return the run with the given options added to the configuration of its network.

    Raises SystemExit for a run of another kind of model, and for values that the network rejects.
    """
    changes = {name: value for name, value in options.only(ServedOptions).items() if value not in (None, ())}
    if not changes:
        return finished
    flags = ", ".join(map(flag, changes))
    if finished.config["kind"] != ModelKind.COLORCNN:
        raise SystemExit(f"{flags}: for quantizers only")
    try:
        before = ColorCNNConfig.from_json(finished.config["network"]).to_json()
        network = ColorCNNConfig.from_json({**before, **changes}).to_json()
    except ValueError as error:
        raise SystemExit(f"{flags}: {error}") from None
    return replace(finished, config={**finished.config, "network": network})


@dataclass(frozen=True)
class _Description:
    """Description of a network in the manifest: architecture, side of the training images, fewest and most colors."""

    architecture: str
    size: int
    colors: tuple[int, int] | None


def _describe_classifier(config: Mapping[str, Any]) -> _Description:
    network = config["network"]
    return _Description(network["architecture"], network["size"], None)


def _describe_colorcnn(config: Mapping[str, Any]) -> _Description:
    encoder = config["network"]["encoder"]
    return _Description(f"ColorCNN on {encoder['architecture']}", encoder["size"], (MIN_COLORS, MAX_COLORS))


def _describe_published(config: Mapping[str, Any]) -> _Description:
    colors = config["network"]["colors"]
    return _Description("ColorCNN as published", config["training"]["size"], (colors, colors))


def _describe_prefilter(config: Mapping[str, Any]) -> _Description:
    encoder = config["network"]["encoder"]
    return _Description(f"prefilter on {encoder['architecture']}", encoder["size"], (MIN_COLORS, MAX_COLORS))


_DESCRIBE: Mapping[str, Callable[[Mapping[str, Any]], _Description]] = {
    ModelKind.CLASSIFIER: _describe_classifier,
    ModelKind.COLORCNN: _describe_colorcnn,
    ModelKind.COLORCNN_PUBLISHED: _describe_published,
    ModelKind.PREFILTER: _describe_prefilter,
}


def _entry(finished: FinishedRun, stored: Checkpoint, name: str, results: Results | None) -> ModelEntry:
    """Return the entry of the manifest, still without the hash of the file."""
    classifies = stored.kind == ModelKind.CLASSIFIER
    network = _DESCRIBE[stored.kind](finished.config)
    return ModelEntry(
        name=name,
        file=f"{CHECKPOINTS}/{name}.safetensors",
        sha256="0" * 64,
        kind=stored.kind,
        architecture=network.architecture,
        dataset=stored.provenance.dataset,
        classes=tuple(finished.config["classes"]) if classifies else (),
        size=network.size,
        colors=network.colors,
        classifier=None if classifies else finished.config["training"]["classifier"],
        accuracy=dict(finished.scores) | (_measured(name, results) if results else {}),
        command=stored.provenance.command,
        card=f"{CHECKPOINTS}/{name}.md",
        results=f"{CHECKPOINTS}/{name}.json" if results and not classifies else None,
    )


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
    """Return the SHA-256 of the checkpoint that was measured under the given name, or None."""
    if isinstance(results, FinetuningReport):
        return {**results.sha256, **{row.name: row.sha256 for row in results.rows}}.get(name)
    return results.sha256.get(name)


def _measured(name: str, results: Results) -> dict[str, float]:
    """Return the model's top-1 on the test set, by measure.

    In a report of fine-tuning the images of the test set are in the setting that the classifier was fine-tuned for.
    """
    if isinstance(results, FinetuningReport):
        after = {row.name: row.top1_after for row in results.rows}
        return {"test_top1": after[name]} if name in after else {}
    if results.classifier == name:
        return {"test_top1": results.top1_original}
    rows = [row for row in results.rows if row.model == name and row.method not in VARIANTS]
    return {f"test_top1_{row.colors}": row.top1 for row in rows if row.top1 is not None}


if __name__ == "__main__":
    command_line.run(main)
