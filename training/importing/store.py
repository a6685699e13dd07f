"""Storage of an imported classifier in a folder of models: checkpoint, card and manifest entry, or nothing at all."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from models.names import ModelKind
from models.networks.program import ProgramConfig
from models.zoo import checkpoint
from models.zoo.checkpoint import Checkpoint, Provenance
from models.zoo.manifest import ModelEntry
from models.zoo.registry import Registry
from models.zoo.validation import reported_as_corrupt
from training.importing.description import Complete
from training.importing.graph import Graph, Rejected

CHECKPOINTS = "checkpoints"


@dataclass(frozen=True, eq=False)
class Imported:
    """A checked classifier. architecture: description for people. source: file or files that it came from, with their
    SHA-256. command: command line of the import. milliseconds: time for one image on this machine."""

    name: str
    architecture: str
    graph: Graph
    config: ProgramConfig
    description: Complete
    source: str
    command: str
    milliseconds: float


def store(imported: Imported, folder: Path, *, default: bool) -> ModelEntry:
    """Write the classifier into `folder`, which is created, and replace a model of its name.

    default: whether requests that name no classifier get it; the first classifier of a folder does in any case. Raises
    CorruptCheckpoint for a manifest that cannot be read, and Rejected for a folder that cannot be written. The folder
    is then as it was.
    """
    registry = Registry.open_or_create(folder)
    with reported_as_corrupt("the manifest's entry"):
        entry = _entry(imported)
    former = {model.file for model in registry.available() if model.name == entry.name}
    with _undone_on_error(folder) as written:
        (folder / CHECKPOINTS).mkdir(parents=True, exist_ok=True)
        unhashed = written(folder / CHECKPOINTS / f".{imported.name}.importing")
        sha256 = checkpoint.save(unhashed, _checkpoint(imported))
        # The name holds the hash, so that a model of the same name stays whole until the manifest is replaced.
        stem = f"{CHECKPOINTS}/{imported.name}-{sha256[:8]}"
        entry = replace(entry, sha256=sha256, file=f"{stem}.safetensors", card=f"{stem}.md")
        known = (folder / entry.file).exists()
        unhashed.replace(folder / entry.file if known else written(folder / entry.file))
        card = folder / entry.card
        (card if known else written(card)).write_text(_card(entry, imported))
        registry = registry.with_model(entry)
        if default:
            registry = replace(registry, manifest=replace(registry.manifest, defaults=_defaults(registry, entry)))
        registry.write()
    for file in former - {entry.file}:
        (folder / file).unlink(missing_ok=True)
        (folder / file).with_suffix(".md").unlink(missing_ok=True)
    return entry


def _defaults(registry: Registry, entry: ModelEntry) -> dict[ModelKind, str]:
    return {**registry.manifest.defaults, ModelKind.CLASSIFIER: entry.name}


@contextmanager
def _undone_on_error(folder: Path) -> Iterator["_Written"]:
    """Remove the files and folders that the block made, if it fails. Raises Rejected for an error of the disk."""
    missing = [each for each in (folder / CHECKPOINTS, folder, *folder.parents) if not each.exists()]
    written = _Written()
    try:
        yield written
    except BaseException as error:
        for file in written.files:
            file.unlink(missing_ok=True)
        for each in missing:
            if each.is_dir() and not any(each.iterdir()):
                each.rmdir()
        if isinstance(error, OSError):
            reason = error.strerror or error
            raise Rejected(f"{folder} cannot be written ({reason}); give another folder as --output") from error
        raise


class _Written:
    """Files to remove on an error."""

    def __init__(self) -> None:
        self.files: list[Path] = []

    def __call__(self, file: Path) -> Path:
        self.files.append(file)
        return file


def _entry(imported: Imported) -> ModelEntry:
    """Return the entry of the manifest, still without the hash."""
    seen = imported.description
    return ModelEntry(
        name=imported.name,
        file=f"{CHECKPOINTS}/{imported.name}.safetensors",
        sha256="0" * 64,
        kind=ModelKind.CLASSIFIER,
        architecture=imported.architecture,
        dataset=seen.dataset,
        classes=seen.classes,
        size=imported.config.size,
        colors=None,
        classifier=None,
        accuracy={},
        command=imported.command,
        card=f"{CHECKPOINTS}/{imported.name}.md",
        results=None,
        crop=seen.crop,
        interpolation=seen.interpolation,
        cam=imported.config.maps is not None,
    )


def _checkpoint(imported: Imported) -> Checkpoint:
    tensors = {f"weights.{name.replace('.', '/')}": tensor for name, tensor in imported.graph.weights.items()}
    provenance = Provenance(
        dataset=imported.description.dataset,
        command=imported.command,
        commit=None,
        seed=None,
        accuracy={},
        notes=f"imported from {imported.source}",
    )
    return Checkpoint(ModelKind.CLASSIFIER, imported.config.to_json(), provenance, tensors)


def _card(entry: ModelEntry, imported: Imported) -> str:
    config, parameters = imported.config, sum(tensor.numel() for tensor in imported.graph.weights.values())
    seen = (
        "The network sees the whole image, squeezed"
        if entry.crop is None
        else f"The network sees the central square of {entry.crop:.4g} of the shorter side, scaled"
    )
    maps = "none: no features of a height and a width are pooled"
    if config.maps is not None:
        maps = "by gradients (Grad-CAM)" if config.maps.head is None else "exact"
    return f"""# {entry.name}

{entry.kind}, {entry.architecture}, imported at {entry.size}x{entry.size} pixels. {len(entry.classes)} classes,
{parameters / 1e6:.2f} million numbers in its weights, {len(config.steps)} steps.
Weights: `{Path(entry.file).name}`, SHA-256 `{entry.sha256}`.

## Input

{seen} to {entry.size}x{entry.size} with a {entry.interpolation} filter.
It normalizes by mean {json.dumps(config.mean)} and standard deviation {json.dumps(config.std)}, in [0, 1] units.

## Source

{imported.source}

    {entry.command}

## Checks

Finite logits; equal logits in a batch and alone; gradient to the image. {imported.milliseconds:.0f} ms for an image on
the machine of the import. Activation maps: {maps}.

## Limits

Trained on {entry.dataset} by others. No command of this repository measured its accuracy.
"""
