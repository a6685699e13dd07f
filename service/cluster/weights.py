"""The models of one machine, compared with those that an application was deployed with."""

from __future__ import annotations

from pathlib import Path

from models.errors import CorruptCheckpoint
from models.zoo.manifest import SHIPPED, Manifest
from service.inference.fingerprint import fingerprint


class OtherModels(CorruptCheckpoint):
    """The models of this machine are not those of the application."""


def digest(folder: Path | None) -> str:
    """Return 16 hexadecimal digits of the models and defaults in the manifest of a folder; None is the shipped one.

    The manifest names the SHA-256 of each file, which the service checks when it starts.

    Raises:
        CorruptCheckpoint: the folder has no readable manifest.
    """
    manifest = Manifest.of(folder or SHIPPED)
    photographs = [manifest.photograph_classifier, *manifest.transfer_classifiers]
    return fingerprint(manifest.models, dict(manifest.defaults), photographs)


def require(folder: Path | None, expected: str) -> None:
    """Raise OtherModels unless the folder of this machine has the expected digest; CorruptCheckpoint as `digest`."""
    found = digest(folder)
    if found != expected:
        raise OtherModels(
            f"the models of this machine have the digest {found}, but the application was deployed with {expected}. "
            "Install the same version and the same COLORCNN_MODELS_FOLDER on every machine, and deploy again."
        )
