"""models/zoo/registry.py: the manifest is checked when it is opened, the files when they are loaded."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
import torch
from torch import Tensor, nn

from models.errors import CorruptCheckpoint, UnknownModel
from models.names import ModelKind
from models.networks.classifiers import ClassifierConfig, build_classifier
from models.networks.colorcnn import ColorCNN, ColorCNNConfig, build_colorcnn
from models.networks.prefilter import Prefilter
from models.networks.published import PublishedColorCNN, PublishedConfig
from models.zoo import checkpoint
from models.zoo.checkpoint import Checkpoint, Provenance
from models.zoo.manifest import SHIPPED
from models.zoo.registry import Registry
from tests.models.small_networks import make_prefilter

CPU = torch.device("cpu")
ENCODER = ClassifierConfig(architecture="resnet9", classes=2, size=16, width=2)


def make_networks() -> dict[ModelKind, nn.Module]:
    """One tiny network of each kind, by kind."""
    torch.manual_seed(0)
    return {
        ModelKind.CLASSIFIER: build_classifier(ENCODER),
        ModelKind.COLORCNN: build_colorcnn(ColorCNNConfig(encoder=ENCODER, widths=(2, 2, 2, 2), features=2, hidden=2)),
        ModelKind.COLORCNN_PUBLISHED: PublishedColorCNN(PublishedConfig(colors=2, width=2)),
        ModelKind.PREFILTER: make_prefilter(),
    }


def make_entry(kind: ModelKind, sha256: str) -> dict[str, Any]:
    learned = kind is not ModelKind.CLASSIFIER
    return {
        "name": f"my-{kind}",
        "file": f"checkpoints/{kind}.safetensors",
        "sha256": sha256,
        "kind": kind,
        "architecture": "tiny",
        "dataset": "none",
        "classes": [] if learned else ["cat", "dog"],
        "size": 16,
        "colors": [2, 256] if learned else None,
        "classifier": "my-classifier" if learned else None,
        "accuracy": {"top1": 0.5},
        "command": "python -m training.x",
        "card": f"checkpoints/{kind}.md",
        "results": None,
    }


def publish(folder: Path, networks: dict[ModelKind, nn.Module]) -> dict[str, Any]:
    """Save the networks and return the manifest that describes them."""
    (folder / "checkpoints").mkdir()
    provenance = Provenance(dataset="none", command="x", commit="x", seed=0, accuracy={})
    entries = []
    for kind, network in networks.items():
        config = cast(Any, network).config.to_json()
        stored = Checkpoint(kind, config, provenance, network.state_dict())
        entries.append(make_entry(kind, checkpoint.save(folder / f"checkpoints/{kind}.safetensors", stored)))
    return {"models": entries, "defaults": {"classifier": "my-classifier", "colorcnn": "my-colorcnn"}}


def open_registry(folder: Path, manifest: object) -> Registry:
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return Registry.open(folder)


@pytest.fixture
def networks() -> dict[ModelKind, nn.Module]:
    return make_networks()


@pytest.fixture
def manifest(tmp_path: Path, networks: dict[ModelKind, nn.Module]) -> dict[str, Any]:
    return publish(tmp_path, networks)


def run(network: nn.Module, images: Tensor) -> Tensor:
    """Compute something that depends on all weights of a network of any kind."""
    quantizer = cast(Any, network)
    if isinstance(network, PublishedColorCNN):
        return cast(Tensor, quantizer.soft(images).images)
    if isinstance(network, Prefilter):
        return cast(Tensor, quantizer(images, images.round(), torch.tensor([2, 4]), torch.ones(2)))
    return cast(Tensor, quantizer.soft(images, 3).images if hasattr(network, "soft") else quantizer(images))


@pytest.mark.parametrize("kind", list(ModelKind))
def test_a_loaded_network_computes_what_the_saved_one_did(
    tmp_path: Path, manifest: dict[str, Any], networks: dict[ModelKind, nn.Module], kind: ModelKind
) -> None:
    loaded = open_registry(tmp_path, manifest).load(f"my-{kind}", CPU)
    images = torch.rand(2, 3, 16, 16)
    with torch.no_grad():
        # Channels last may take another convolution, so equal to rounding and not to the bit.
        torch.testing.assert_close(run(loaded, images), run(networks[kind].eval(), images))
    assert not any(module.training for module in loaded.modules())
    assert not any(parameter.requires_grad for parameter in loaded.parameters())
    assert all(p.is_contiguous(memory_format=torch.channels_last) for p in loaded.parameters() if p.dim() == 4)


def test_a_shipped_network_is_built_from_the_field_names_of_its_older_checkpoint() -> None:
    name = "cifar10-resnet9-colorcnn"
    stored = checkpoint.load(SHIPPED / Registry.open().entry(name).file)
    network = Registry.open().load(name, CPU)
    assert isinstance(network, ColorCNN) and "strengths" in stored.config
    assert network.config.structure_scales == (0.0, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0)


def test_entries_are_found_by_name_and_by_default(tmp_path: Path, manifest: dict[str, Any]) -> None:
    registry = open_registry(tmp_path, manifest)
    assert [entry.name for entry in registry.available()] == [f"my-{kind}" for kind in ModelKind]
    assert registry.entry("my-classifier").classes == ("cat", "dog")
    assert registry.entry("my-colorcnn").colors == (2, 256)
    assert registry.default(ModelKind.COLORCNN) == registry.entry("my-colorcnn")


def test_the_error_for_an_unknown_name_lists_the_known_names(tmp_path: Path, manifest: dict[str, Any]) -> None:
    registry = open_registry(tmp_path, manifest)
    with pytest.raises(UnknownModel, match="'nope'; available: my-classifier, my-colorcnn"):
        registry.load("nope", CPU)
    with pytest.raises(UnknownModel, match="'colorcnn-published'; kinds with a default: classifier, colorcnn"):
        registry.default(ModelKind.COLORCNN_PUBLISHED)


def test_a_changed_file_is_rejected(tmp_path: Path, manifest: dict[str, Any]) -> None:
    registry = open_registry(tmp_path, manifest)
    with (tmp_path / "checkpoints/classifier.safetensors").open("r+b") as file:
        file.seek(-1, 2)
        file.write(b"\x7f")
    with pytest.raises(CorruptCheckpoint, match="SHA-256"):
        registry.load("my-classifier", CPU)


def test_a_file_of_another_kind_is_rejected(tmp_path: Path, manifest: dict[str, Any]) -> None:
    manifest["models"][0] |= {name: manifest["models"][2][name] for name in ("file", "sha256")}
    with pytest.raises(CorruptCheckpoint, match="of kind 'colorcnn-published', but the manifest lists 'classifier'"):
        open_registry(tmp_path, manifest).load("my-classifier", CPU)


@pytest.mark.parametrize("config", [{}, {"colors": "two"}, {"colors": 1}, {"colors": 2, "deep": True}])
def test_a_config_that_builds_no_network_is_rejected(tmp_path: Path, manifest: dict[str, Any], config: Any) -> None:
    entry = manifest["models"][2]
    stored = checkpoint.load(tmp_path / entry["file"])
    changed = Checkpoint(stored.kind, config, stored.provenance, stored.tensors)
    entry["sha256"] = checkpoint.save(tmp_path / entry["file"], changed)
    with pytest.raises(CorruptCheckpoint, match="config that builds no colorcnn-published"):
        open_registry(tmp_path, manifest).load("my-colorcnn-published", CPU)


def test_weights_of_another_config_are_rejected(tmp_path: Path, manifest: dict[str, Any]) -> None:
    entry = manifest["models"][2]
    stored = checkpoint.load(tmp_path / entry["file"])
    changed = Checkpoint(stored.kind, {**stored.config, "colors": 5}, stored.provenance, stored.tensors)
    entry["sha256"] = checkpoint.save(tmp_path / entry["file"], changed)
    with pytest.raises(CorruptCheckpoint, match=r"head\.2\.weight has shape"):
        open_registry(tmp_path, manifest).load("my-colorcnn-published", CPU)


def test_the_error_of_a_wrong_manifest_names_the_file(tmp_path: Path, manifest: dict[str, Any]) -> None:
    manifest["models"][1]["size"] = 0
    with pytest.raises(CorruptCheckpoint, match=r"models\.1\.size.*Correct it") as caught:
        open_registry(tmp_path, manifest)
    assert str(tmp_path / "manifest.json") in str(caught.value)


def test_a_folder_without_a_manifest_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(CorruptCheckpoint, match="cannot be read"):
        Registry.open(tmp_path)


def test_an_empty_manifest_has_no_models(tmp_path: Path) -> None:
    registry = open_registry(tmp_path, {"models": [], "defaults": {}})
    assert registry.available() == ()
    with pytest.raises(UnknownModel, match="available: none"):
        registry.entry("x")


def test_an_added_model_is_in_the_manifest_that_is_written(tmp_path: Path, manifest: dict[str, Any]) -> None:
    registry = open_registry(tmp_path, manifest)
    better = replace(registry.entry("my-classifier"), accuracy={"top1": 0.9})
    registry.with_model(better).write()
    again = Registry.open(tmp_path)
    assert again.default(ModelKind.CLASSIFIER) == better
    assert again.available()[1:] == registry.available()[1:]


def test_a_folder_without_a_manifest_gets_one(tmp_path: Path, manifest: dict[str, Any]) -> None:
    entry = open_registry(tmp_path, manifest).entry("my-classifier")
    created = Registry.open_or_create(tmp_path / "new").with_model(entry)
    created.folder.mkdir()
    created.write()
    assert Registry.open_or_create(created.folder).available() == (entry,)


def test_the_seed_of_a_model_is_in_its_provenance(tmp_path: Path, manifest: dict[str, Any]) -> None:
    assert open_registry(tmp_path, manifest).provenance("my-colorcnn").seed == 0


def test_results_belong_to_the_loaded_weights(tmp_path: Path, manifest: dict[str, Any]) -> None:
    entry = manifest["models"][1]
    assert open_registry(tmp_path, manifest).results("my-colorcnn") is None
    entry["results"] = "checkpoints/colorcnn.json"
    report = {"sha256": {"my-colorcnn": entry["sha256"]}, "rows": []}
    (tmp_path / entry["results"]).write_text(json.dumps(report))
    assert open_registry(tmp_path, manifest).results("my-colorcnn") == report


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot be read"),
        ("[]", "results.json must be an object"),
        ("{}", "measured with other weights of my-colorcnn"),
        ('{"sha256": {"my-colorcnn": "00"}}', "measured with other weights of my-colorcnn"),
    ],
)
def test_results_of_other_weights_are_rejected(
    tmp_path: Path, manifest: dict[str, Any], content: str | None, message: str
) -> None:
    manifest["models"][1]["results"] = "results.json"
    if content is not None:
        (tmp_path / "results.json").write_text(content)
    with pytest.raises(CorruptCheckpoint, match=message):
        open_registry(tmp_path, manifest).results("my-colorcnn")
