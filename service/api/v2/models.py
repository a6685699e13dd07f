"""Models of the Open Inference Protocol: every network, and `quantize` and `classify` with the defaults."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from models.errors import UnknownModel
from models.names import PUBLISHED_METHOD, REFINED_IN_ONE_PASS, ModelKind
from models.zoo.manifest import ModelEntry
from service.api.v2.outputs import CLASSIFY_OUTPUTS, QUANTIZE_OUTPUTS, Output
from service.inference.catalog import Catalog
from service.schemas.inference_protocol import ModelMetadata, TensorMetadata

Task = Literal["quantize", "classify"]

INPUT = "image"
"""Name of the input of every model."""
_PLATFORM = "pytorch"
_DIGITS = 12  # of a SHA-256 in a version
_ANY = -1  # size of a dimension that depends on the request


@dataclass(frozen=True)
class ServedModel:
    """A model of the protocol. fixed: options that the model decides, by name."""

    name: str
    version: str
    task: Task
    fixed: Mapping[str, str] = field(default_factory=dict)

    @property
    def outputs(self) -> Mapping[str, Output]:
        """Outputs by name, in the order of a response."""
        outputs = CLASSIFY_OUTPUTS if self.task == "classify" else QUANTIZE_OUTPUTS
        return {each.name: each for each in outputs}


def served_models(catalog: Catalog) -> Mapping[str, ServedModel]:
    """Return every model by its name: the two with the defaults of the service, then the networks.

    A network that is named like one of the two is reached through the option `model`.
    """
    every = _digest(catalog.entries)
    with_defaults = [ServedModel("quantize", every, "quantize"), ServedModel("classify", every, "classify")]
    models = {each.name: each for each in map(_network, catalog.entries)}
    return {each.name: each for each in with_defaults} | {
        name: each for name, each in models.items() if name not in ("quantize", "classify")
    }


def find_model(catalog: Catalog, name: str, version: str | None) -> ServedModel:
    """Return the model of that name; version: None for the only one. Raises UnknownModel."""
    models = served_models(catalog)
    if name not in models:
        raise UnknownModel(f"There is no model {name!r:.80}; the models are {', '.join(models)}.")
    found = models[name]
    if version not in (None, found.version):
        raise UnknownModel(f"The model {name!r} has no version {version!r:.80}; its only version is {found.version!r}.")
    return found


def metadata(model: ServedModel) -> ModelMetadata:
    """Return the description of a model."""
    return ModelMetadata(
        name=model.name,
        versions=[model.version],
        platform=_PLATFORM,
        inputs=[TensorMetadata(name=INPUT, datatype="BYTES", shape=[_ANY])],
        outputs=[
            TensorMetadata(name=each.name, datatype=each.datatype, shape=[_ANY, _ANY] if each.ranked else [_ANY])
            for each in model.outputs.values()
        ],
    )


def checksums(catalog: Catalog, networks: Sequence[str | None]) -> str:
    """Return the SHA-256 of the checkpoint of each of these networks, each once; `none` without a network."""
    known = {entry.name: entry.sha256 for entry in catalog.entries}
    return ",".join(dict.fromkeys(known[name] for name in networks if name is not None)) or "none"


def _network(entry: ModelEntry) -> ServedModel:
    version = entry.sha256[:_DIGITS]
    if entry.kind is ModelKind.CLASSIFIER:
        return ServedModel(entry.name, version, "classify", {"model": entry.name})
    if entry.kind is ModelKind.PREFILTER:
        return ServedModel(
            entry.name, version, "quantize", {"method": REFINED_IN_ONE_PASS, "model": entry.classifier or ""}
        )
    if entry.kind is ModelKind.COLORCNN_PUBLISHED:
        return ServedModel(entry.name, version, "quantize", {"method": PUBLISHED_METHOD, "model": entry.name})
    return ServedModel(entry.name, version, "quantize", {"model": entry.name})


def _digest(entries: Sequence[ModelEntry]) -> str:
    """Return a version that differs where the weights of any network differ."""
    lines = "".join(sorted(f"{entry.name} {entry.sha256}\n" for entry in entries))
    return hashlib.sha256(lines.encode()).hexdigest()[:_DIGITS]
