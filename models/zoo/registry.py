"""Models of a folder: the manifest is read when the registry is opened, a checkpoint when its model is loaded."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self

import torch
from pydantic import JsonValue, TypeAdapter
from torch import nn

from models.errors import CorruptCheckpoint, UnknownModel
from models.files import write_atomically
from models.names import ModelKind
from models.networks.classifiers import ClassifierConfig, build_classifier
from models.networks.colorcnn import ColorCNNConfig, build_colorcnn
from models.networks.prefilter import PrefilterConfig, build_prefilter
from models.networks.program import PROGRAM, Program, ProgramConfig
from models.networks.published import PublishedColorCNN, PublishedConfig
from models.zoo import checkpoint, packages
from models.zoo.checkpoint import Checkpoint, Provenance
from models.zoo.manifest import MANIFEST_FILE, SHIPPED, Manifest, ModelEntry
from models.zoo.validation import read_json

_BUILDERS: Mapping[ModelKind, Callable[[Mapping[str, Any]], nn.Module]] = MappingProxyType(
    {
        ModelKind.CLASSIFIER: lambda config: _build_classifier(config),
        ModelKind.COLORCNN: lambda config: build_colorcnn(ColorCNNConfig.from_json(config)),
        ModelKind.COLORCNN_PUBLISHED: lambda config: PublishedColorCNN(PublishedConfig.from_json(config)),
        ModelKind.PREFILTER: lambda config: build_prefilter(PrefilterConfig.from_json(config)),
    }
)
_RESULTS = TypeAdapter(dict[str, JsonValue])


@dataclass(frozen=True)
class Registry:
    """Models of one folder; `Registry.open` reads the folder's manifest.

    folder: folder that the paths of the manifest are relative to. manifest: its models and defaults.
    """

    folder: Path
    manifest: Manifest

    @classmethod
    def open(cls, folder: Path | None = None) -> Self:
        """Read the manifest of `folder`, or of the shipped models; raises CorruptCheckpoint."""
        folder = SHIPPED if folder is None else folder
        return cls(folder, Manifest.of(folder))

    @classmethod
    def open_or_create(cls, folder: Path) -> Self:
        """Read the manifest of `folder`; without one the registry is empty, and `write` creates the manifest."""
        if (folder / MANIFEST_FILE).exists():
            return cls.open(folder)
        return cls(folder, Manifest(models=(), defaults={}))

    def with_model(self, entry: ModelEntry) -> Self:
        """Return a registry in which `entry` replaces the model of its name, or comes last.

        The first model of a kind becomes its default. Raises CorruptCheckpoint for a reference that does not resolve.
        """
        return replace(self, manifest=self.manifest.with_model(entry))

    def write(self) -> None:
        """Write the manifest; another process reads the old manifest or the new one, never a part."""
        write_atomically(self.folder / MANIFEST_FILE, self.manifest.to_bytes())

    def available(self) -> tuple[ModelEntry, ...]:
        """Return every model, in the order of the manifest."""
        return self.manifest.models

    def entry(self, name: str) -> ModelEntry:
        """Return the model of that name; raises UnknownModel, which lists the known names."""
        for entry in self.available():
            if entry.name == name:
                return entry
        known = ", ".join(entry.name for entry in self.available()) or "none"
        raise UnknownModel(f"there is no model {name!r}; available: {known}")

    def default(self, kind: ModelKind) -> ModelEntry:
        """Return the model to use when a request names none; raises UnknownModel where the kind has no default."""
        defaults = self.manifest.defaults
        if kind not in defaults:
            known = ", ".join(defaults) or "none"
            raise UnknownModel(f"there is no default model of kind '{kind}'; kinds with a default: {known}")
        return self.entry(defaults[kind])

    def load(self, name: str, device: torch.device) -> nn.Module:
        """Build a network and load its weights: on `device`, in eval mode, without gradients.

        Networks of this project get channels last.

        Raises UnknownModel, or CorruptCheckpoint if the file is not the one that the manifest describes.
        """
        entry = self.entry(name)
        stored = self._checkpoint(entry)
        if stored.kind is not entry.kind:
            raise CorruptCheckpoint(f"{entry.file} is of kind '{stored.kind}', but the manifest lists '{entry.kind}'")
        network = _build(entry, stored.config)
        checkpoint.restore(network, stored)
        network.eval().requires_grad_(False)
        if isinstance(network, Program):  # whose steps may depend on the order of the channels in memory
            return network.to(device)
        return network.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]

    def read(self, name: str) -> Checkpoint:
        """Read and check the file of a model without building its network; raises UnknownModel or CorruptCheckpoint."""
        return self._checkpoint(self.entry(name))

    def provenance(self, name: str) -> Provenance:
        """Return where the weights come from; raises UnknownModel or CorruptCheckpoint."""
        return self._checkpoint(self.entry(name)).provenance

    def results(self, name: str) -> Mapping[str, Any] | None:
        """Return the report of `training.evaluate` on these weights and a whole test set; None where there is none.

        Raises UnknownModel, or CorruptCheckpoint if the file is missing, no JSON object or about other weights.
        """
        entry = self.entry(name)
        if entry.results is None:
            return None
        try:
            report = read_json(_RESULTS, (self.folder / entry.results).read_bytes(), entry.results)
        except OSError as error:
            raise CorruptCheckpoint(f"{entry.results} cannot be read ({error.strerror or error})") from error
        measured = report.get("sha256")
        if not isinstance(measured, dict) or measured.get(name) != entry.sha256:
            raise CorruptCheckpoint(f"{entry.results} was measured with other weights of {name}; evaluate it again")
        return report

    def _checkpoint(self, entry: ModelEntry) -> Checkpoint:
        if entry.package is not None:
            return packages.load(entry, entry.package)
        stored = checkpoint.load(self.folder / entry.file, sha256=entry.sha256)
        shared = {
            f"{module}.{name}": tensor
            for module, sha256 in stored.shared.items()
            for name, tensor in self._checkpoint(self._owner(entry, sha256)).tensors.items()
        }
        return replace(stored, tensors={**stored.tensors, **shared})

    def _owner(self, entry: ModelEntry, sha256: str) -> ModelEntry:
        """Return the classifier whose file has that hash, and holds tensors that `entry` shares."""
        for other in self.available():
            if other.sha256 == sha256 and other.kind is ModelKind.CLASSIFIER:
                return other
        raise CorruptCheckpoint(
            f"{entry.file} shares the weights of a classifier with the SHA-256 {sha256}, which the manifest lacks; "
            "publish that classifier into the same folder"
        )


def _build_classifier(config: Mapping[str, Any]) -> nn.Module:
    if config.get("architecture") == PROGRAM:
        return Program(ProgramConfig.from_json(config))
    return build_classifier(ClassifierConfig.from_json(config))


def _build(entry: ModelEntry, config: Mapping[str, Any]) -> nn.Module:
    try:
        return _BUILDERS[entry.kind](config)
    except (AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
        raise CorruptCheckpoint(f"{entry.file} has a config that builds no {entry.kind} ({error})") from error
