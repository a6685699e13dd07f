"""Folders of tiny networks with fresh weights."""

from pathlib import Path
from typing import Any, cast

from torch import nn

from models.names import ModelKind
from models.networks.classifiers import ClassifierConfig
from models.zoo import checkpoint
from models.zoo.checkpoint import Checkpoint, Provenance

CONFIG = ClassifierConfig(architecture="resnet9", classes=3, size=16, width=2)
CLASSES = ["cat", "dog", "frog"]


def save(folder: Path, name: str, kind: ModelKind, network: nn.Module) -> dict[str, Any]:
    """Write a checkpoint and return its entry in the manifest."""
    provenance = Provenance(dataset="none", command="none", commit="none", seed=0, accuracy={})
    stored = Checkpoint(kind, cast(Any, network).config.to_json(), provenance, network.state_dict())
    quantizes = kind is not ModelKind.CLASSIFIER
    return {
        "name": name,
        "file": f"{name}.safetensors",
        "sha256": checkpoint.save(folder / f"{name}.safetensors", stored),
        "kind": kind,
        "architecture": "tiny",
        "dataset": "none",
        "classes": [] if quantizes else CLASSES,
        "size": 16,
        "colors": {ModelKind.COLORCNN: [2, 256], ModelKind.COLORCNN_PUBLISHED: [2, 2]}.get(kind),
        "classifier": "teacher" if quantizes else None,
        "accuracy": {},
        "command": "none",
        "card": f"{name}.md",
        "results": None,
    }
