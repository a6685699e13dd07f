"""service/cluster/weights.py: machines with other models are found before they serve."""

import json
from pathlib import Path
from typing import Any

import pytest

from models.errors import CorruptCheckpoint
from models.zoo.manifest import SHIPPED
from service.app import build_classical_service
from service.cluster.options import ClusterOptions
from service.cluster.weights import OtherModels, digest, require


@pytest.fixture
def manifest() -> dict[str, Any]:
    content: dict[str, Any] = json.loads((SHIPPED / "manifest.json").read_text())
    return content


def write(folder: Path, manifest: dict[str, Any]) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


def test_equal_manifests_have_equal_digests(tmp_path: Path, manifest: dict[str, Any]) -> None:
    other = write(tmp_path, manifest)

    assert digest(other) == digest(None)
    require(other, digest(None))


def test_other_weights_of_one_model_are_found(tmp_path: Path, manifest: dict[str, Any]) -> None:
    manifest["models"][-1]["sha256"] = "f" * 64
    other = write(tmp_path, manifest)

    with pytest.raises(OtherModels, match=f"{digest(other)}.*{digest(None)}.*on every machine"):
        require(other, digest(None))


def test_another_default_is_found(tmp_path: Path, manifest: dict[str, Any]) -> None:
    manifest["transfer_classifiers"] = manifest["transfer_classifiers"][:1]

    assert digest(write(tmp_path, manifest)) != digest(None)


def test_a_folder_without_models_is_named(tmp_path: Path) -> None:
    with pytest.raises(CorruptCheckpoint, match=r"manifest\.json cannot be read .*is this a folder of models\?"):
        digest(tmp_path)


def test_a_replica_with_other_models_does_not_start(tmp_path: Path, manifest: dict[str, Any]) -> None:
    replica = pytest.importorskip("service.cluster.replica", reason="the extra `ray` is not installed")
    manifest["models"][0]["sha256"] = "0" * 64
    options = ClusterOptions(settings={"models_folder": str(write(tmp_path, manifest))})

    with pytest.raises(OtherModels):
        replica.Replica(options, build_classical_service, digest(None))
