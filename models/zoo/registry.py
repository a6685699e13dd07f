"""The models that ship with the project, or that a folder of the user's holds: manifest.json and the files it names.

    {"models": [{"name": ..., "file": "checkpoints/NAME.safetensors", "sha256": ..., ...}, ...],
     "defaults": {"classifier": NAME, "colorcnn": NAME}}

The manifest is read when the registry is opened; a checkpoint only when it is loaded.
"""

import json
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import Any, Self

import torch
from torch import nn

from models.errors import CorruptCheckpoint, UnknownModel
from models.names import ModelKind
from models.networks.classifiers import ClassifierConfig, build_classifier
from models.networks.colorcnn import ColorCNNConfig, build_colorcnn
from models.networks.published import PublishedColorCNN, PublishedConfig
from models.zoo import checkpoint
from models.zoo.checkpoint import Provenance
from models.zoo.json_fields import Fields, parse_object

MANIFEST_FILE = "manifest.json"

_BUILDERS: Mapping[ModelKind, Callable[[Mapping[str, Any]], nn.Module]] = MappingProxyType(
    {
        ModelKind.CLASSIFIER: lambda config: build_classifier(ClassifierConfig.from_json(config)),
        ModelKind.COLORCNN: lambda config: build_colorcnn(ColorCNNConfig.from_json(config)),
        ModelKind.COLORCNN_PUBLISHED: lambda config: PublishedColorCNN(PublishedConfig.from_json(config)),
    }
)
SHIPPED = Path(__file__).parent
"""The folder of the models that ship with the project."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


@dataclass(frozen=True, kw_only=True)
class ModelEntry:
    """One model of the manifest.

    name: what requests call it. file: of the checkpoint, relative to the manifest's folder, with "/". sha256: of that
    file, 64 hexadecimal digits. kind: what the weights are of. architecture: of the network, for people. dataset: what it was
    trained on. classes: labels in the order of the logits; empty for a quantizer. size: pixels of a side of the
    training images. colors: (fewest, most) that a quantizer paints with; None for a classifier. classifier: the model
    that a quantizer was trained against; None for a classifier. accuracy: measured, as fractions. command: what made
    it. card: file of the model card, relative like `file`. results: file of what was measured over a whole test set,
    relative like `file`; None where nothing was.
    """

    name: str
    file: str
    sha256: str
    kind: ModelKind
    architecture: str
    dataset: str
    classes: tuple[str, ...]
    size: int
    colors: tuple[int, int] | None
    classifier: str | None
    accuracy: Mapping[str, float]
    command: str
    card: str
    results: str | None

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values, as in the manifest."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any], where: str = "model") -> Self:
        """Read and check an entry; raises CorruptCheckpoint naming the field, as in "models[2].sha256"."""
        fields = Fields(values, where)
        entry = cls(
            name=fields.text("name"),
            file=fields.text("file"),
            sha256=fields.text("sha256"),
            kind=fields.kind("kind"),
            architecture=fields.text("architecture"),
            dataset=fields.text("dataset"),
            classes=fields.texts("classes"),
            size=fields.integer("size"),
            colors=fields.optional_range("colors"),
            classifier=fields.optional_text("classifier"),
            accuracy=fields.numbers("accuracy"),
            command=fields.text("command"),
            card=fields.text("card"),
            results=fields.optional_text("results"),
        )
        fields.finish()
        _check_entry(entry, fields)
        return entry


@dataclass(frozen=True)
class Registry:
    """The models of one folder. Open it with `Registry.open`."""

    folder: Path
    entries: tuple[ModelEntry, ...]
    defaults: Mapping[ModelKind, str]

    @classmethod
    def open(cls, folder: Path | None = None) -> Self:
        """Read the manifest of `folder`, or the one that ships with this package; raises CorruptCheckpoint."""
        folder = SHIPPED if folder is None else folder
        manifest = folder / MANIFEST_FILE
        try:
            entries, defaults = _read_manifest(manifest.read_bytes())
        except OSError as error:
            reason = error.strerror or error
            raise CorruptCheckpoint(f"{manifest} cannot be read ({reason}); is this a folder of models?") from error
        except CorruptCheckpoint as error:
            raise CorruptCheckpoint(f"{manifest}: {error}. Correct it, or publish the model again.") from error
        return cls(folder, entries, defaults)

    def with_model(self, entry: ModelEntry) -> Self:
        """A registry in which `entry` takes the place of a model of its name, or the last place.

        The first model of a kind becomes its default. Raises CorruptCheckpoint if the manifest would not be readable.
        """
        entries = {model.name: model for model in self.entries} | {entry.name: entry}
        defaults = {**self.defaults, entry.kind: self.defaults.get(entry.kind, entry.name)}
        changed = replace(self, entries=tuple(entries.values()), defaults=MappingProxyType(defaults))
        _read_manifest(changed._manifest())
        return changed

    def write(self) -> None:
        """Write the manifest; a reader sees the old one or the new one."""
        partial = self.folder / f"{MANIFEST_FILE}.partial"
        partial.write_bytes(self._manifest())
        partial.replace(self.folder / MANIFEST_FILE)

    def available(self) -> tuple[ModelEntry, ...]:
        """Every model, in the order of the manifest."""
        return self.entries

    def entry(self, name: str) -> ModelEntry:
        """The model of that name; raises UnknownModel that lists the known ones."""
        for entry in self.entries:
            if entry.name == name:
                return entry
        known = ", ".join(entry.name for entry in self.entries) or "none"
        raise UnknownModel(f"there is no model {name!r}; available: {known}")

    def default(self, kind: ModelKind) -> ModelEntry:
        """The model to use when a request names none; raises UnknownModel where the manifest has no such default."""
        if kind not in self.defaults:
            known = ", ".join(self.defaults) or "none"
            raise UnknownModel(f"there is no default model of kind '{kind}'; kinds with a default: {known}")
        return self.entry(self.defaults[kind])

    def load(self, name: str, device: torch.device) -> nn.Module:
        """Build a network and put its weights in: on `device`, channels last, in eval mode, without gradients.

        Raises UnknownModel, or CorruptCheckpoint if the file is not the one that the manifest describes.
        """
        entry = self.entry(name)
        stored = checkpoint.load(self.folder / entry.file, sha256=entry.sha256)
        if stored.kind != entry.kind:
            raise CorruptCheckpoint(f"{entry.file} is of kind '{stored.kind}', but the manifest says '{entry.kind}'")
        network = _build(entry, stored.config)
        checkpoint.restore(network, stored)
        network.eval().requires_grad_(False)
        return network.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]

    def provenance(self, name: str) -> Provenance:
        """Where the weights come from. Raises UnknownModel or CorruptCheckpoint."""
        entry = self.entry(name)
        return checkpoint.load(self.folder / entry.file, sha256=entry.sha256).provenance

    def results(self, name: str) -> Mapping[str, Any] | None:
        """What `training.evaluate` measured with these very weights over a whole test set; None where it was not run.

        Raises UnknownModel, or CorruptCheckpoint if the file is missing, no JSON object or of other weights.
        """
        entry = self.entry(name)
        if entry.results is None:
            return None
        try:
            report = parse_object((self.folder / entry.results).read_bytes(), entry.results)
        except OSError as error:
            raise CorruptCheckpoint(f"{entry.results} cannot be read ({error.strerror or error})") from error
        measured = Fields(report, entry.results).mapping("sha256")
        if measured.get(name) != entry.sha256:
            raise CorruptCheckpoint(f"{entry.results} was measured with other weights of {name}; evaluate it again")
        return report

    def _manifest(self) -> bytes:
        content = {"models": [entry.to_json() for entry in self.entries], "defaults": dict(self.defaults)}
        return json.dumps(content, indent=2).encode() + b"\n"


def _build(entry: ModelEntry, config: Mapping[str, Any]) -> nn.Module:
    try:
        return _BUILDERS[entry.kind](config)
    except (AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
        raise CorruptCheckpoint(f"{entry.file} has a config that builds no {entry.kind} ({error})") from error


def _read_manifest(data: bytes) -> tuple[tuple[ModelEntry, ...], Mapping[ModelKind, str]]:
    fields = Fields(parse_object(data, "the manifest"), "manifest")
    models = fields.objects("models")
    entries = tuple(ModelEntry.from_json(values, f"models[{i}]") for i, values in enumerate(models))
    defaults = fields.mapping("defaults")
    fields.finish()
    _check_references(entries, defaults)
    return entries, MappingProxyType({ModelKind(kind): name for kind, name in defaults.items()})


def _check_entry(entry: ModelEntry, fields: Fields) -> None:
    if not _NAME.fullmatch(entry.name):
        fields.refuse("name", "must be letters, digits, '.', '_' or '-', a letter or digit first", entry.name)
    if not re.fullmatch("[0-9a-f]{64}", entry.sha256):
        fields.refuse("sha256", "must be 64 lower-case hexadecimal digits", entry.sha256)
    for field in ("file", "card", "results"):
        value = getattr(entry, field)
        if value is not None and not _is_inside(PurePosixPath(value)):
            fields.refuse(field, "must be a path inside the folder of the manifest", value)
    if entry.size < 1:
        fields.refuse("size", "must be at least 1", entry.size)
    _check_kind(entry, fields)


def _is_inside(path: PurePosixPath) -> bool:
    return bool(path.name) and ".." not in path.parts and not path.is_absolute()


def _check_kind(entry: ModelEntry, fields: Fields) -> None:
    if entry.kind is ModelKind.CLASSIFIER:
        if not entry.classes:
            fields.refuse("classes", "must not be empty for a classifier", [])
        for field in ("colors", "classifier"):
            if getattr(entry, field) is not None:
                fields.refuse(field, "must be null for a classifier", getattr(entry, field))
    elif entry.colors is None or entry.classifier is None:
        fields.refuse("colors" if entry.colors is None else "classifier", f"is needed for a {entry.kind}", None)


def _check_references(entries: Sequence[ModelEntry], defaults: Mapping[str, Any]) -> None:
    repeated = [name for name, count in Counter(entry.name for entry in entries).items() if count > 1]
    if repeated:
        raise CorruptCheckpoint(f"models has a name twice: {', '.join(repeated)}")
    kinds = {entry.name: entry.kind for entry in entries}
    for i, entry in enumerate(entries):
        if entry.classifier is not None and kinds.get(entry.classifier) is not ModelKind.CLASSIFIER:
            raise CorruptCheckpoint(f"models[{i}].classifier names no classifier in the manifest: {entry.classifier!r}")
    for kind, name in defaults.items():
        if not isinstance(name, str) or kinds.get(name) != kind:
            raise CorruptCheckpoint(f"defaults.{kind} names no {kind} in the manifest: {name!r}")
