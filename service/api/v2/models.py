"""Models of the Open Inference Protocol: every network, and `quantize` and `classify` with the defaults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

from models.errors import UnknownModel
from models.names import PUBLISHED_METHOD, REFINED_IN_ONE_PASS, ModelKind
from models.zoo.manifest import ModelEntry
from service.api.v2.outputs import CLASSIFY_OUTPUTS, QUANTIZE_OUTPUTS, Output
from service.inference.catalog import Catalog
from service.schemas.inference_protocol import ModelMetadata, TensorMetadata

Task = Literal["quantize", "classify"]
_TASKS: tuple[Task, ...] = get_args(Task)

INPUT = "image"
"""Name of the input of every model."""
_PLATFORM = "pytorch"
_DIGITS = 16  # of a SHA-256 in a version, as many as the digest of a catalog has
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
    with_defaults = [ServedModel(task, catalog.digest, task) for task in _TASKS]
    models = {each.name: each for each in map(_network, catalog.entries)}
    return {each.name: each for each in with_defaults} | {
        name: each for name, each in models.items() if name not in _TASKS
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
