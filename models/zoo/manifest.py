"""The manifest of a folder of models, manifest.json: its models, and the default model of each kind.

    {"models": [{"name": ..., "file": "checkpoints/NAME.safetensors", "sha256": ..., ...}, ...],
     "defaults": {"classifier": NAME, "colorcnn": NAME}, "photograph_classifier": NAME,
     "transfer_classifiers": [NAME, ...]}

Reading is strict, and an error names the field by its path, as in `models.3.sha256`.
"""

import json
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Self

from pydantic import AfterValidator, Field, JsonValue, TypeAdapter, model_validator
from pydantic.dataclasses import dataclass
from pydantic_core import PydanticCustomError

from models.errors import CorruptCheckpoint, UnknownModel
from models.names import ModelKind
from models.rgb import Interpolation, ViewGeometry
from models.zoo.validation import STRICT, field_error, read_json, reported_as_corrupt, require

MANIFEST_FILE = "manifest.json"

SHIPPED = Path(__file__).parent
"""Folder of the models that ship with the project."""


def _matching(pattern: str, rule: str) -> AfterValidator:
    def check(value: str) -> str:
        if not re.fullmatch(pattern, value):
            raise PydanticCustomError("pattern", rule)
        return value

    return AfterValidator(check)


def _check_inside(value: str) -> str:
    path = PurePosixPath(value)
    if not path.name or ".." in path.parts or path.is_absolute():
        raise PydanticCustomError("outside", "must be a path inside the folder of the manifest")
    return value


def _check_rising(value: tuple[int, int]) -> tuple[int, int]:
    if value[0] > value[1]:
        raise PydanticCustomError("falling", "must be [first, last] with first <= last")
    return value


Name = Annotated[
    str,
    _matching(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", "must be letters, digits, '.', '_' or '-', a letter or digit first"),
]
Sha256 = Annotated[str, _matching("[0-9a-f]{64}", "must be 64 lower-case hexadecimal digits")]
InnerPath = Annotated[str, AfterValidator(_check_inside)]
_OPTIONAL = {"package": None, "crop": None, "interpolation": None, "cam": True, "guides": ()}
"""Fields of an entry that a manifest may lack, and what they are then."""
Range = Annotated[tuple[int, int], AfterValidator(_check_rising)]


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Package:
    """An installed package whose file holds the weights of a model.

    name, version: distribution and version to install. config: JSON values that the network is built from, which a
    checkpoint of this project has in its metadata.
    """

    name: Name
    version: str
    config: dict[str, JsonValue]


@dataclass(frozen=True, kw_only=True, config=STRICT)
class ModelEntry:
    """One model of the manifest; pydantic's ValidationError, a ValueError, rejects a field that is out of range.

    name: name in requests and commands.
    file: path of the checkpoint with "/", relative to the manifest's folder or, with `package`, to the installed files.
    sha256: SHA-256 of that file, 64 lower-case hexadecimal digits.
    kind: kind of the model.
    architecture: description of the network for people.
    dataset: name of the training set.
    classes: labels in the order of the logits; empty for a quantizer.
    size: side of the training images, in pixels.
    colors: (fewest, most) colors of a quantizer; None for a classifier.
    classifier: name of the model that a quantizer was trained against; None for a classifier.
    accuracy: measured fractions in [0, 1], by name.
    command: command line that made the model, or that installs its package.
    card: path of the model card, relative like `file`.
    results: path of measurements over a whole test set, relative like `file`; None where there are none.
    package: package that holds the file; None where the folder of the manifest does.
    crop: share of the shorter side that a classifier sees, as a central square; None where it sees the whole image,
        squeezed to a square.
    interpolation: filter that scales what a classifier sees to its input; None for bicubic with `crop`, else bilinear.
    cam: whether a classifier supports activation maps.
    guides: names of classifiers that a quantizer refines images for beside its own, so that others recognize them, too.
    """

    name: Name
    file: InnerPath
    sha256: Sha256
    kind: ModelKind
    architecture: str
    dataset: str
    classes: tuple[str, ...]
    size: Annotated[int, Field(ge=1)]
    colors: Range | None
    classifier: str | None
    accuracy: Mapping[str, float]
    command: str
    card: InnerPath
    results: InnerPath | None
    package: Package | None = None
    crop: Annotated[float, Field(gt=0, le=1)] | None = None
    interpolation: Interpolation | None = None
    cam: bool = True
    guides: tuple[Name, ...] = ()

    @property
    def views(self) -> ViewGeometry:
        """What a classifier sees of an image."""
        return ViewGeometry.of(self.size, self.crop, self.interpolation)

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values, in the order of the manifest, without optional fields at their defaults."""
        values = asdict(self).items()
        return {name: value for name, value in values if name not in _OPTIONAL or value != _OPTIONAL[name]}

    @model_validator(mode="after")
    def _check_kind(self) -> Self:
        quantizes = self.kind is not ModelKind.CLASSIFIER
        rule = f"must be given for a {self.kind}" if quantizes else f"must be null for a {self.kind}"
        values = {"colors": self.colors, "classifier": self.classifier}
        errors = [
            field_error((name,), rule, value) for name, value in values.items() if (value is not None) is not quantizes
        ]
        for name in ("crop", "interpolation"):
            if quantizes and getattr(self, name) is not None:
                errors.append(field_error((name,), f"must be null for a {self.kind}", getattr(self, name)))
        if not quantizes and not self.classes:
            errors.append(field_error(("classes",), "must not be empty for a classifier", []))
        require(errors)
        return self


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Manifest:
    """Models of a folder, and the name of the default of each kind.

    photograph_classifier: name of the default classifier of photographs; None where the default of the kind serves.
    transfer_classifiers: names of the classifiers that the quantizer for photographs optimizes for beside the chosen
        one, so that its images stay recognizable for others.
    Names are unique, and every reference names a model of the right kind; ValidationError otherwise.
    """

    models: tuple[ModelEntry, ...]
    defaults: dict[ModelKind, str]
    photograph_classifier: str | None = None
    transfer_classifiers: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _check_references(self) -> Self:
        counts = Counter(entry.name for entry in self.models)
        kinds = {entry.name: entry.kind for entry in self.models}
        errors = [
            field_error(("models", i, "name"), "must be given to one model only", entry.name)
            for i, entry in enumerate(self.models)
            if counts[entry.name] > 1
        ]
        errors += [
            field_error(("models", i, "classifier"), "must name a classifier of the manifest", entry.classifier)
            for i, entry in enumerate(self.models)
            if entry.classifier is not None and kinds.get(entry.classifier) is not ModelKind.CLASSIFIER
        ]
        errors += [
            field_error(("models", i, "guides", j), "must name another classifier of the same classes and size", guide)
            for i, entry in enumerate(self.models)
            for j, guide in enumerate(entry.guides)
            if not self._can_guide(guide, entry)
        ]
        errors += [
            field_error(("defaults", kind.value), f"must name a {kind} of the manifest", name)
            for kind, name in self.defaults.items()
            if kinds.get(name) is not kind
        ]
        classifiers: list[tuple[tuple[str | int, ...], str | None]] = [
            (("photograph_classifier",), self.photograph_classifier),
            *((("transfer_classifiers", i), name) for i, name in enumerate(self.transfer_classifiers)),
        ]
        errors += [
            field_error(path, "must name a classifier of the manifest", name)
            for path, name in classifiers
            if name is not None and kinds.get(name) is not ModelKind.CLASSIFIER
        ]
        require(errors)
        return self

    def _can_guide(self, guide: str, quantizer: ModelEntry) -> bool:
        seen = {entry.name: (entry.classes, entry.size) for entry in self.models if entry.classes}
        if quantizer.kind is not ModelKind.COLORCNN or guide == quantizer.classifier:
            return False
        return guide in seen and seen[guide] == seen.get(quantizer.classifier or "")

    @classmethod
    def read(cls, data: bytes) -> Self:
        """Read the content of manifest.json; raises CorruptCheckpoint, which lists every error."""
        return read_json(TypeAdapter(cls), data, "the manifest")

    @classmethod
    def of(cls, folder: Path) -> Self:
        """Read the manifest of a folder; raises CorruptCheckpoint, which names the file."""
        file = folder / MANIFEST_FILE
        try:
            return cls.read(file.read_bytes())
        except OSError as error:
            reason = error.strerror or error
            raise CorruptCheckpoint(f"{file} cannot be read ({reason}); is this a folder of models?") from error
        except CorruptCheckpoint as error:
            raise CorruptCheckpoint(f"{file}: {error}. Correct it, or publish the model again.") from error

    def recognizers(self, chosen: str) -> tuple[str, ...]:
        """Return the names of the classifiers that an image for `chosen` and for others is optimized for."""
        return tuple(dict.fromkeys((chosen, *self.transfer_classifiers)))

    def prefilter(self, classifier: str) -> str:
        """Return the name of the prefilter that was trained for a classifier; raises UnknownModel without one."""
        for entry in self.models:
            if entry.kind is ModelKind.PREFILTER and entry.classifier == classifier:
                return entry.name
        raise UnknownModel(f"the classifier {classifier!r} has no prefilter")

    def to_bytes(self) -> bytes:
        """Return the content of manifest.json."""
        content: dict[str, Any] = {"models": [entry.to_json() for entry in self.models]}
        content["defaults"] = dict(self.defaults)
        if self.photograph_classifier is not None:
            content["photograph_classifier"] = self.photograph_classifier
        if self.transfer_classifiers:
            content["transfer_classifiers"] = list(self.transfer_classifiers)
        return json.dumps(content, indent=2).encode() + b"\n"

    def with_model(self, entry: ModelEntry) -> Self:
        """Return a manifest in which `entry` replaces the model of its name, or comes last.

        The first model of a kind becomes its default. Raises CorruptCheckpoint for a reference that does not resolve.
        """
        models = {model.name: model for model in self.models} | {entry.name: entry}
        defaults = {entry.kind: entry.name} | self.defaults
        with reported_as_corrupt("the manifest"):
            return replace(self, models=tuple(models.values()), defaults=defaults)
