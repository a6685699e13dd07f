"""One checkpoint is one .safetensors file: weights, and in its metadata the configuration and where it comes from.

Nothing is unpickled. The SHA-256 of the file is compared on the very bytes that are parsed, and whatever is wrong with
a file is a CorruptCheckpoint that says what to do.

    file = 8 bytes: length of the header | header: JSON | tensors
    header = {"__metadata__": {"colorcnn": DOCUMENT}, tensor name: {dtype, shape, place}, ...}
    DOCUMENT = JSON as a string: {"version": 1, "kind": ..., "config": {...}, "provenance": {...}}

The metadata is a single entry because the library writes several in random order, and equal checkpoints should have
equal hashes.
"""

import hashlib
import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NoReturn

import torch
from safetensors import SafetensorError
from safetensors import torch as safetensors
from torch import Tensor, nn

from models.errors import CorruptCheckpoint
from models.names import ModelKind
from models.zoo.json_fields import Fields, parse_object

FORMAT_VERSION = 1

_METADATA_KEY = "colorcnn"
_LENGTH_BYTES = 8  # of the header's length, little endian; the safetensors format
# What the library raises beside its own error when a header is hostile: unknown dtypes, sizes that overflow, ...
_PARSER_ERRORS = (ArithmeticError, AssertionError, LookupError, MemoryError, RuntimeError, TypeError, ValueError)
_ADVICE = "Fetch the file again, or make it again with the command in its model card."


@dataclass(frozen=True)
class Provenance:
    """Where weights come from: enough to make them again.

    dataset: name. command: the command line that made them. commit: of this repository. seed: of that run.
    accuracy: what was measured, as fractions, for instance {"top1": 0.91}. notes: hardware, minutes, anything else.
    """

    dataset: str
    command: str
    commit: str
    seed: int
    accuracy: Mapping[str, float]
    notes: str = ""


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """Everything a checkpoint file holds.

    kind: what the weights are of. config: JSON values, what the network of
    that kind is built from. tensors: name -> tensor as in `nn.Module.state_dict`.
    """

    kind: ModelKind
    config: Mapping[str, Any]
    provenance: Provenance
    tensors: Mapping[str, Tensor]


def save(path: Path, checkpoint: Checkpoint, *, half: bool = False) -> str:
    """Write a checkpoint; a reader of `path` sees the old file or the new one, never a part.

    Args:
        path: the file to write or replace; its folder must exist.
        checkpoint: what to write. A config that is not JSON raises TypeError or ValueError.
        half: store floating point tensors as float16; a value that does not fit raises ValueError.

    Returns:
        SHA-256 of the file in hexadecimal. Equal checkpoints give equal files.
    """
    tensors = {name: _storable(name, tensor, half) for name, tensor in checkpoint.tensors.items()}
    data = safetensors.save(tensors, metadata={_METADATA_KEY: _document(checkpoint)})
    _write_atomically(path, data)
    return hashlib.sha256(data).hexdigest()


def load(path: Path, *, sha256: str | None = None) -> Checkpoint:
    """Read a checkpoint onto the CPU; float16 tensors come back as float32.

    Args:
        path: the file.
        sha256: what the hash of the file must be, in hexadecimal; None accepts any.

    Raises:
        CorruptCheckpoint: the file is missing or unreadable, has another hash, is not safetensors, or is not a
            checkpoint of this format and version.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        _refuse(path, f"cannot be read ({error.strerror or error})", error)
    found = hashlib.sha256(data).hexdigest()
    if sha256 is not None and found != sha256.lower():
        _refuse(path, f"has the SHA-256 {found}, not {sha256.lower()}: it is damaged, or it is a different version")
    return _parse(path, data)


def restore(network: nn.Module, checkpoint: Checkpoint) -> None:
    """Put the weights of a checkpoint into a network that was built from its config.

    Raises CorruptCheckpoint that lists every missing name, unexpected name and differing shape or kind of number; the
    network is then as it was.
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
        _refuse(path, f"is not a readable safetensors file ({error})", error)
    header = data[_LENGTH_BYTES : _LENGTH_BYTES + int.from_bytes(data[:_LENGTH_BYTES], "little")]
    try:
        kind, config, provenance = _read_document(header)
    except CorruptCheckpoint as error:
        _refuse(path, str(error), error)
    return Checkpoint(kind, config, provenance, {name: _full(tensor) for name, tensor in tensors.items()})


def _read_document(header: bytes) -> tuple[ModelKind, Mapping[str, Any], Provenance]:
    metadata = parse_object(header, "the header").get("__metadata__")
    if not isinstance(metadata, dict) or _METADATA_KEY not in metadata:
        raise CorruptCheckpoint(f"has no {_METADATA_KEY!r} metadata, so it was not written by this project")
    document = Fields(parse_object(metadata[_METADATA_KEY], "the metadata"), "metadata")
    version = document.integer("version")
    if version != FORMAT_VERSION:
        raise CorruptCheckpoint(f"has format version {version}; this release reads version {FORMAT_VERSION}")
    kind, config = document.kind("kind"), document.mapping("config")
    provenance = _read_provenance(Fields(document.mapping("provenance"), "metadata.provenance"))
    document.finish()
    return kind, config, provenance


def _read_provenance(fields: Fields) -> Provenance:
    provenance = Provenance(
        dataset=fields.text("dataset"),
        command=fields.text("command"),
        commit=fields.text("commit"),
        seed=fields.integer("seed"),
        accuracy=fields.numbers("accuracy"),
        notes=fields.text("notes"),
    )
    fields.finish()
    return provenance


def _document(checkpoint: Checkpoint) -> str:
    values = {
        "version": FORMAT_VERSION,
        "kind": checkpoint.kind,
        "config": dict(checkpoint.config),
        "provenance": asdict(checkpoint.provenance),
    }
    return json.dumps(values, allow_nan=False, sort_keys=True)


def _storable(name: str, tensor: Tensor, half: bool) -> Tensor:
    """A contiguous copy on the CPU that shares memory with no other tensor, as the format demands."""
    plain = tensor.detach().to("cpu", copy=True, memory_format=torch.contiguous_format)
    if not half or not plain.is_floating_point():
        return plain
    short = plain.half()
    if bool((short.isinf() & plain.isfinite()).any()):
        raise ValueError(f"tensor {name!r} has values beyond the range of float16; save it with half=False")
    return short


def _full(tensor: Tensor) -> Tensor:
    return tensor.float() if tensor.dtype == torch.float16 else tensor


def _write_atomically(path: Path, data: bytes) -> None:
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}.partial")
    try:
        with partial.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    """Make the new name itself survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


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


def _refuse(path: Path, reason: str, cause: Exception | None = None) -> NoReturn:
    raise CorruptCheckpoint(f"{path} {reason}. {_ADVICE}") from cause
