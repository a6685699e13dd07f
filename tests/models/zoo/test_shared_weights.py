"""Shared weights: a quantizer's checkpoint names its classifier by hash instead of holding a copy."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from models.errors import CorruptCheckpoint
from models.names import ModelKind
from models.networks.classifiers import ClassifierConfig, build_classifier
from models.networks.colorcnn import ColorCNNConfig, build_colorcnn
from models.zoo import checkpoint
from models.zoo.checkpoint import Checkpoint, Provenance
from models.zoo.manifest import Manifest, ModelEntry
from models.zoo.registry import Registry

CPU = torch.device("cpu")
ENCODER = ClassifierConfig(architecture="resnet9", classes=2, size=16, width=2)
PROVENANCE = Provenance(dataset="none", command="x", commit="x", seed=0, accuracy={})


def entry(name: str, kind: ModelKind, sha256: str) -> ModelEntry:
    quantizes = kind is not ModelKind.CLASSIFIER
    return ModelEntry(
        name=name,
        file=f"{name}.safetensors",
        sha256=sha256,
        kind=kind,
        architecture="tiny",
        dataset="none",
        classes=() if quantizes else ("cat", "dog"),
        size=16,
        colors=(2, 256) if quantizes else None,
        classifier="teacher" if quantizes else None,
        accuracy={},
        command="none",
        card=f"{name}.md",
        results=None,
    )


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    """A classifier, and a quantizer whose file lacks the weights of its encoder."""
    torch.manual_seed(0)
    classifier = build_classifier(ENCODER)
    config = ColorCNNConfig(encoder=ENCODER, widths=(2, 2, 2, 2), features=2, hidden=2)
    tensors = {name: value for name, value in build_colorcnn(config).state_dict().items() if "encoder." not in name}
    teacher = Checkpoint(ModelKind.CLASSIFIER, ENCODER.to_json(), PROVENANCE, classifier.state_dict())
    sha256 = checkpoint.save(tmp_path / "teacher.safetensors", teacher)
    student = Checkpoint(ModelKind.COLORCNN, config.to_json(), PROVENANCE, tensors, {"encoder": sha256})
    entries = (
        entry("teacher", ModelKind.CLASSIFIER, sha256),
        entry("student", ModelKind.COLORCNN, checkpoint.save(tmp_path / "student.safetensors", student)),
    )
    return Registry(tmp_path, Manifest(models=entries, defaults={}))


def test_the_encoder_gets_the_weights_of_the_classifier(registry: Registry) -> None:
    teacher, student = (registry.load(name, CPU).state_dict() for name in ("teacher", "student"))
    assert all(torch.equal(student[f"encoder.{name}"], tensor) for name, tensor in teacher.items())


def test_a_classifier_of_other_weights_is_rejected(registry: Registry) -> None:
    teacher, student = registry.available()
    other = replace(registry, manifest=Manifest(models=(replace(teacher, sha256="0" * 64), student), defaults={}))
    with pytest.raises(CorruptCheckpoint, match=r"student\.safetensors shares the weights .* lacks; publish"):
        other.load("student", CPU)


def test_a_checkpoint_without_shared_weights_does_not_mention_them(registry: Registry) -> None:
    """Files of earlier versions stay equal byte for byte."""
    folder = registry.folder
    assert b"shared" not in (folder / "teacher.safetensors").read_bytes()
    assert checkpoint.load(folder / "student.safetensors").shared == {"encoder": registry.entry("teacher").sha256}
