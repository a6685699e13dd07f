"""training/train_prefilter.py: from a folder of photographs to a published prefilter."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from models.names import ModelKind
from models.networks.classifiers import ClassifierConfig, build_classifier
from models.networks.prefilter import Prefilter
from models.quantizers.learned.prefiltering import load_prefilter
from models.zoo import checkpoint
from models.zoo.checkpoint import Checkpoint, Provenance
from models.zoo.manifest import ModelEntry
from models.zoo.registry import Registry
from training import publish, train_prefilter
from training.data.datasets import DatasetError

pytestmark = pytest.mark.usefixtures("pool_in_this_process")

SIZE = 32
FLAGS = ["--classifier", "eye", "--also", "other", "--photographs", "8", "--batch", "4", "--held-out", "4"]
FLAGS += ["--score-every", "1", "--device", "cpu", "--lr", "0.01"]


def add_classifier(models: Path, name: str, architecture: str, seed: int) -> None:
    torch.manual_seed(seed)
    config = ClassifierConfig(architecture=architecture, classes=3, size=SIZE, width=4)  # type: ignore[arg-type]
    network = build_classifier(config)
    provenance = Provenance("none", "none", None, None, {})
    stored = Checkpoint(ModelKind.CLASSIFIER, config.to_json(), provenance, network.state_dict())
    (models / "checkpoints").mkdir(parents=True, exist_ok=True)
    file = f"checkpoints/{name}.safetensors"
    sha256 = checkpoint.save(models / file, stored)
    entry = ModelEntry(
        name=name,
        file=file,
        sha256=sha256,
        kind=ModelKind.CLASSIFIER,
        architecture=architecture,
        dataset="none",
        classes=("a", "b", "c"),
        size=SIZE,
        colors=None,
        classifier=None,
        accuracy={},
        command="none",
        card="none.md",
        results=None,
    )
    Registry.open_or_create(models).with_model(entry).write()


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Return a folder of photographs and a folder of models with two classifiers."""
    root = tmp_path_factory.mktemp("prefilter")
    photographs, models = root / "photographs", root / "models"
    (photographs / "deeper").mkdir(parents=True)
    random = np.random.default_rng(0)
    for number in range(16):
        blocks = random.integers(0, 256, (5, 7, 3), dtype=np.uint8)
        image = Image.fromarray(blocks).resize((84, 60), Image.Resampling.BICUBIC)
        image.save(photographs / ("deeper" if number % 2 else ".") / f"{number}.jpg")
    (photographs / "notes.txt").write_text("no image")
    add_classifier(models, "eye", "efficientnet_lite0", 0)
    add_classifier(models, "other", "resnet9", 1)
    return photographs, models


def run(folders: tuple[Path, Path], out: Path, *more: str) -> Prefilter:
    photographs, models = folders
    words = ["--data", str(photographs), "--models", str(models), "--out", str(out), *FLAGS, *more]
    return train_prefilter.main(words)


def test_a_run_is_logged_published_and_served_with_the_encoder_of_its_classifier(
    folders: tuple[Path, Path], tmp_path: Path
) -> None:
    trained = run(folders, tmp_path / "run", "--epochs", "2")
    lines = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in lines if line["event"] == "epoch"] == [1, 2]
    scores = {name: value for name, value in lines[-1].items() if name.startswith("held_out")}
    assert {"held_out_kept_2_64_eye", "held_out_kept_4_32_other"} <= scores.keys()
    assert all(0 <= value <= 1 for value in scores.values())

    [entry] = [publish.main(["--run", str(tmp_path / "run"), "--name", "pre", "--models", str(folders[1])])]
    assert (entry.kind, entry.classifier, entry.size, entry.colors) == (ModelKind.PREFILTER, "eye", SIZE, (2, 256))
    registry = Registry.open(folders[1])
    assert registry.manifest.prefilter("eye") == "pre"
    stored = checkpoint.load(folders[1] / entry.file)
    assert set(stored.shared) == {"encoder"} and not any(name.startswith("encoder.") for name in stored.tensors)
    served = load_prefilter(registry, "pre", torch.device("cpu"))
    images = torch.rand(1, 3, SIZE, SIZE)
    conditions = torch.tensor([2]), torch.tensor([1.0])
    with torch.no_grad():
        expected, found = (network(images, images, *conditions) for network in (trained, served))
    assert expected.abs().max() > 0
    assert torch.allclose(found, expected, atol=5e-3)  # weights in half precision, batch norm folded


def test_a_stopped_run_goes_on_to_the_same_weights(folders: tuple[Path, Path], tmp_path: Path) -> None:
    whole = run(folders, tmp_path / "whole", "--epochs", "2")
    with pytest.raises(SystemExit) as stopped:
        run(folders, tmp_path / "parts", "--epochs", "2", "--minutes", "0")
    assert stopped.value.code == 75
    resumed = run(folders, tmp_path / "parts", "--epochs", "2", "--resume", "auto")
    for name, values in whole.state_dict().items():
        assert torch.equal(values, resumed.state_dict()[name]), name


def test_the_encoder_stays_as_it_is_and_the_rest_is_trained(folders: tuple[Path, Path], tmp_path: Path) -> None:
    trained = run(folders, tmp_path / "run", "--epochs", "1")
    eye = Registry.open(folders[1]).load("eye", torch.device("cpu"))
    for name, values in eye.state_dict().items():
        assert torch.equal(values, trained.encoder.state_dict()[name]), name
    assert trained.out.weight.any() and trained.blocks.weight.grad is not None


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--data", "{empty}"], "no image files in .*empty"),
        (["--held-out", "14"], "16 photographs do not fill a batch of 4 beside 14 for the log"),
        (["--turns", "1", "2", "3"], "--turns needs a number for --classifier and each of --also, 2 in all"),
    ],
)
def test_what_cannot_be_trained_is_one_sentence(
    folders: tuple[Path, Path], tmp_path: Path, more: list[str], message: str
) -> None:
    (tmp_path / "empty").mkdir()
    words = [word.format(empty=tmp_path / "empty") for word in more]
    with pytest.raises(DatasetError, match=message):
        run(folders, tmp_path / "run", *words)
    assert not (tmp_path / "run").exists()


def test_another_kind_of_encoder_is_refused(folders: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="strides 2, 4, 8"):
        run(folders, tmp_path / "run", "--classifier", "other")
