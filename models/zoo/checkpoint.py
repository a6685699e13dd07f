"""Checkpoints: one .safetensors file holds the weights and, in its metadata, their configuration and provenance.

Nothing is unpickled. The SHA-256 is compared on the bytes that are then parsed. Any defect of a file raises a
CorruptCheckpoint with advice.

    file = 8 bytes: length of the header | header: JSON | tensors
    header = {"__metadata__": {"colorcnn": DOCUMENT}, tensor name: {dtype, shape, data_offsets}, ...}
    DOCUMENT = JSON as a string: {"version": 1, "kind": ..., "config": {...}, "provenance": {...}, "shared": {...}}

The metadata is a single entry: the library writes several entries in random order, but equal checkpoints must have
equal hashes.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any, NoReturn

import torch
from pydantic import AfterValidator, BaseModel, Field, JsonValue, TypeAdapter
from pydantic.dataclasses import dataclass as pydantic_dataclass
from pydantic_core import PydanticCustomError
from safetensors import SafetensorError
from safetensors import torch as safetensors
from torch import Tensor, nn

from models.errors import CorruptCheckpoint
from models.files import write_atomically
from models.names import ModelKind
from models.zoo.validation import STRICT, read_json

FORMAT_VERSION = 1

_METADATA_KEY = "colorcnn"
_LENGTH_BYTES = 8  # of the header's length, little endian; the safetensors format
# Errors that the library raises beside its own for hostile headers: unknown dtypes, sizes that overflow, ...
_PARSER_ERRORS = (ArithmeticError, AssertionError, LookupError, MemoryError, RuntimeError, TypeError, ValueError)
_ADVICE = "Fetch the file again, or make it again with the command in its model card."


@pydantic_dataclass(frozen=True, config=STRICT)
class Provenance:
    """Where weights come from: enough to make them again. ValidationError rejects a field of another type.

    dataset: name of the training set.
    command: command line that made the weights.
    commit: commit of this repository; None for weights that others trained.
    seed: seed of the run; None where it is unknown.
    accuracy: measured fractions in [0, 1] by name, for instance {"top1": 0.91}.
    notes: hardware, minutes and other remarks.
    """

    dataset: str
    command: str
    commit: str | None
    seed: int | None
    accuracy: Mapping[str, float]
    notes: str = ""


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """Content of a checkpoint file.

    kind: kind of the model.
    config: JSON values that the network of that kind is built from.
    provenance: where the weights come from.
    tensors: name -> tensor, as in `nn.Module.state_dict`.
    shared: submodules whose tensors the file of another model holds, each with the SHA-256 of that file.
    """

    kind: ModelKind
    config: Mapping[str, Any]
    provenance: Provenance
    tensors: Mapping[str, Tensor]
    shared: Mapping[str, str] = field(default_factory=dict)


def _check_version(version: int) -> int:
    if version != FORMAT_VERSION:
        raise PydanticCustomError("version", f"must be {FORMAT_VERSION} in this release")
    return version


def _check_numbers(config: dict[str, JsonValue]) -> dict[str, JsonValue]:
    try:
        json.dumps(config, allow_nan=False)  # pydantic accepts NaN in a JSON value
    except ValueError as error:
        raise PydanticCustomError("finite", "must hold finite numbers") from error
    return config


@pydantic_dataclass(frozen=True, kw_only=True, config=STRICT)
class _Document:
    """Metadata of a checkpoint file."""

    version: Annotated[int, AfterValidator(_check_version)]
    kind: ModelKind
    config: Annotated[dict[str, JsonValue], AfterValidator(_check_numbers)]
    provenance: Provenance
    shared: dict[str, Annotated[str, Field(pattern="^[0-9a-f]{64}$")]] = Field(default_factory=dict)


class _Header(BaseModel):
    """Header of a safetensors file; the rest describes the tensors."""

    metadata: dict[str, str] = Field({}, alias="__metadata__")


_DOCUMENT = TypeAdapter(_Document)
_HEADER = TypeAdapter(_Header)


def save(path: Path, checkpoint: Checkpoint, *, half: bool = False) -> str:
    """Write a checkpoint; another process reads the old file or the new one, never a part.

    Args:
        path: the file to write or replace; its folder must exist.
        checkpoint: content to write; a config that is not JSON raises TypeError or ValueError.
        half: whether to store floating point tensors as float16; a value beyond its range raises ValueError.

    Returns:
        SHA-256 of the file in hexadecimal. Equal checkpoints give equal files.
    """
    data = to_bytes(checkpoint, half=half)
    write_atomically(path, data)
    return hashlib.sha256(data).hexdigest()


def to_bytes(checkpoint: Checkpoint, *, half: bool = False) -> bytes:
    """Return the content of the file that `save` writes, with the same arguments and errors."""
    tensors = {name: _storable(name, tensor, half) for name, tensor in checkpoint.tensors.items()}
    return safetensors.save(tensors, metadata={_METADATA_KEY: _document(checkpoint)})


def load(path: Path, *, sha256: str | None = None) -> Checkpoint:
    """Read a checkpoint to the CPU; float16 tensors are converted to float32.

    Args:
        path: the file.
        sha256: expected hash of the file, in hexadecimal; None accepts any.

    Raises:
        CorruptCheckpoint: the file is missing or unreadable, has another hash, is not safetensors, or is not a
            checkpoint of this format and version.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        _reject(path, f"cannot be read ({error.strerror or error})", error)
    actual = hashlib.sha256(data).hexdigest()
    if sha256 is not None and actual != sha256.lower():
        _reject(path, f"has the SHA-256 {actual}, not {sha256.lower()}: it is damaged, or it is a different version")
    return _parse(path, data)


def restore(network: nn.Module, checkpoint: Checkpoint) -> None:
    """Load the weights of a checkpoint into a network that was built from its config.

    Raises CorruptCheckpoint, which lists every missing name, unexpected name and differing shape or dtype; the network
    is then unchanged.
    """
    problems = _differences(network.state_dict(), checkpoint.tensors)
    if problems:
        raise CorruptCheckpoint(
            f"the checkpoint of kind '{checkpoint.kind}' does not fit its network: {'; '.join(problems)}. {_ADVICE}"
        )
    network.load_state_dict(dict(checkpoint.tensors))


def _parse(path: Path, data: bytes) -> Checkpoint:
    try:
        tensors = safetensors.load(data)
    except (SafetensorError, *_PARSER_ERRORS) as error:
        _reject(path, f"is not a readable safetensors file ({error})", error)
    header = data[_LENGTH_BYTES : _LENGTH_BYTES + int.from_bytes(data[:_LENGTH_BYTES], "little")]
    try:
        document = _read_document(header)
    except CorruptCheckpoint as error:
        _reject(path, f"is not a readable checkpoint: {error}", error)
    full = {name: _full(tensor) for name, tensor in tensors.items()}
    return Checkpoint(document.kind, document.config, document.provenance, full, document.shared)


def _read_document(header: bytes) -> _Document:
    metadata = read_json(_HEADER, header, "the header").metadata
    if _METADATA_KEY not in metadata:
        raise CorruptCheckpoint(f"there is no {_METADATA_KEY!r} metadata, so this project did not write the file")
    return read_json(_DOCUMENT, metadata[_METADATA_KEY], "the metadata")


def _document(checkpoint: Checkpoint) -> str:
    values = {
        "version": FORMAT_VERSION,
        "kind": checkpoint.kind,
        "config": dict(checkpoint.config),
        "provenance": asdict(checkpoint.provenance),
    } | ({"shared": dict(checkpoint.shared)} if checkpoint.shared else {})
    return json.dumps(values, allow_nan=False, sort_keys=True)


def _storable(name: str, tensor: Tensor, half: bool) -> Tensor:
    """Return a contiguous copy on the CPU that shares no memory with another tensor, as the format demands."""
    plain = tensor.detach().to("cpu", copy=True, memory_format=torch.contiguous_format)
    if not half or not plain.is_floating_point():
        return plain
    short = plain.half()
    if bool((short.isinf() & plain.isfinite()).any()):
        raise ValueError(f"tensor {name!r} has values beyond the range of float16; save it with half=False")
    return short


def _full(tensor: Tensor) -> Tensor:
    return tensor.float() if tensor.dtype == torch.float16 else tensor


def _differences(wanted: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> list[str]:
    problems = [f"{name} is missing" for name in wanted if name not in given]
    problems += [f"{name} is unexpected" for name in given if name not in wanted]
    for name in wanted.keys() & given.keys():
        ours, theirs = wanted[name], given[name]
        if ours.shape != theirs.shape:
            problems.append(f"{name} has shape {tuple(theirs.shape)} instead of {tuple(ours.shape)}")
        elif ours.is_floating_point() != theirs.is_floating_point():
            problems.append(f"{name} holds {theirs.dtype} instead of {ours.dtype}")
    return sorted(problems)


def _reject(path: Path, reason: str, cause: Exception | None = None) -> NoReturn:
    raise CorruptCheckpoint(f"{path} {reason}. {_ADVICE}") from cause
