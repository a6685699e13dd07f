"""training/train_yourself.py: a folder of photographs becomes a folder of models that the service serves."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from PIL import ExifTags, Image

from models.errors import ColorCNNError
from models.names import ModelKind
from models.quantizers.learned.colorcnn import load_quantizer
from models.recognizer import load_recognizer
from models.zoo.registry import Registry
from tests.training.synthetic import stripes
from training import train_yourself
from training.cli.session import check_writable
from training.data.datasets import DatasetError

FEW = ["--device", "cpu", "--size", "32", "--classifier-epochs", "1", "--epochs", "1"]
CPU = torch.device("cpu")


def write_photographs(folder: Path, *, classes: tuple[str, ...] = ("cat", "dog", "fox"), count: int = 4) -> Path:
    """Photographs of different sizes, with and without an alpha channel, profile or orientation."""
    images = stripes(len(classes) * count, size=40).images.permute(0, 2, 3, 1).numpy()
    turned = Image.Exif()
    turned[ExifTags.Base.Orientation] = 6
    for row, pixels in enumerate(images):
        name = folder / classes[row % len(classes)] / f"{row}.jpg"
        name.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).resize((40 + row, 60)).save(name, exif=turned)
    return folder


def train(data: Path, out: Path, *more: str) -> dict[str, float]:
    return dict(train_yourself.main(["--data", str(data), "--out", str(out), *FEW, *more]))


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve photographs with what such folders hold beside them."""
    folder = write_photographs(tmp_path_factory.mktemp("photographs"))
    (folder / "cat" / ".DS_Store").write_bytes(b"hidden")
    (folder / "cat" / "._0.jpg").write_bytes(b"resource fork of a picture")
    (folder / "cat" / "Thumbs.db").write_bytes(b"no picture")
    (folder / ".trash").mkdir()
    (folder / "dog" / "holiday" / "2026").mkdir(parents=True)
    next((folder / "dog").glob("*.jpg")).rename(folder / "dog" / "holiday" / "2026" / "dog.JPEG")
    Image.new("CMYK", (50, 40), (0, 90, 200, 10)).save(folder / "fox" / "print.jpg")
    Image.fromarray(torch.arange(1200).view(30, 40).mul(50).to(torch.uint16).numpy()).save(folder / "fox" / "deep.png")
    return folder


@pytest.fixture(scope="module")
def made(photographs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("made") / "deep" / "models"
    scores = train(photographs, out, "--name", "pets")
    assert {"held_out_top1", "held_out_top1_2"} <= scores.keys()
    return out


def test_the_models_can_be_served(made: Path) -> None:
    registry = Registry.open(made)
    names = ("pets", "pets-colorcnn")
    assert tuple(entry.name for entry in registry.available()) == names
    assert registry.default(ModelKind.CLASSIFIER).name == "pets"
    assert registry.default(ModelKind.COLORCNN).name == "pets-colorcnn"
    recognizer, quantizer = load_recognizer(registry, "pets", CPU), load_quantizer(registry, "pets-colorcnn", CPU)
    assert recognizer.classes == ("cat", "dog", "fox") and recognizer.size == 32
    pixels = stripes(1, size=50).images[0].permute(1, 2, 0).numpy()
    assert quantizer.quantize(pixels, 4).colors <= 4


def test_only_the_folder_of_models_is_left(made: Path) -> None:
    assert [path.name for path in made.parents[1].iterdir()] == ["deep"]
    assert [path.name for path in made.parent.iterdir()] == ["models"]
    assert sorted(path.name for path in made.iterdir()) == ["checkpoints", "manifest.json"]


def test_batch_and_held_out_part_follow_from_the_images(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    train(write_photographs(tmp_path / "photographs", count=2), tmp_path / "models")
    assert capsys.readouterr().out.count("event=data train=3 held_out=3 batch=3") == 2


def test_the_stages_of_the_start_are_kept(made: Path) -> None:
    start = Registry.open().load("imagenet-efficientnet-lite0", CPU).state_dict()
    ours = Registry.open(made).load("pets", CPU).state_dict()
    stages = [name for name in start if name.startswith("stages.")]
    assert all(torch.equal(ours[name], start[name].half().to(start[name].dtype)) for name in stages)


def bad_folders(folder: Path) -> dict[str, tuple[Path, str]]:
    """Folders by problem, each with what the message says."""
    wrong = {name: folder / name for name in ("empty", "loose", "lonely", "one", "hollow", "broken", "formats")}
    for each in wrong.values():
        each.mkdir()
    Image.new("RGB", (9, 9)).save(wrong["loose"] / "1.png")
    write_photographs(wrong["lonely"], count=1)
    write_photographs(wrong["one"], classes=("cat",))
    write_photographs(wrong["hollow"])
    (wrong["hollow"] / "ant").mkdir()
    write_photographs(wrong["broken"])
    (wrong["broken"] / "dog" / "bad.jpg").write_bytes((wrong["broken"] / "cat" / "0.jpg").read_bytes()[:400])
    (wrong["formats"] / "cat").mkdir()
    (wrong["formats"] / "cat" / "1.heic").write_bytes(b"a format that is not read")
    said = {
        "empty": "no images in .*one folder of images for each class",
        "loose": "no images in .*one folder of images for each class",
        "lonely": "cat, dog, fox: only one image",
        "one": "all images are of one class, cat",
        "hollow": "no images in .*ant; add images",
        "broken": r"dog/bad\.jpg: The JPEG",
        "formats": r"\.jpeg, \.jpg",
    }
    return {name: (wrong[name], text) for name, text in said.items()} | {
        "missing": (folder / "nowhere", "no dataset folder .*nowhere: give --data")
    }


PROBLEMS = ("empty", "loose", "lonely", "one", "hollow", "broken", "formats", "missing")


@pytest.mark.parametrize("problem", PROBLEMS)
def test_a_bad_folder_gets_one_sentence_and_nothing_is_written(tmp_path: Path, problem: str) -> None:
    data, text = bad_folders(tmp_path)[problem]
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(DatasetError, match=text) as raised:
        train(data, tmp_path / "models")
    assert "\n" not in str(raised.value) and sorted(tmp_path.rglob("*")) == before


def test_a_folder_that_holds_something_is_not_touched(photographs: Path, made: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in made.rglob("*")}
    with pytest.raises(DatasetError, match="is not empty; choose another --out"):
        train(photographs, made)
    assert {path: path.stat().st_mtime_ns for path in made.rglob("*")} == before


def test_a_name_that_the_manifest_rejects_is_rejected_first(
    photographs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        train(photographs, tmp_path / "models", "--name", "my pets")
    assert "--name must be letters" in capsys.readouterr().err


def test_an_unknown_start_is_named(photographs: Path, tmp_path: Path) -> None:
    with pytest.raises(ColorCNNError, match="there is no model 'resnet50'"):
        train(photographs, tmp_path / "models", "--start", "resnet50")
    assert list(tmp_path.iterdir()) == []


def test_a_terminated_run_leaves_nothing(photographs: Path, tmp_path: Path) -> None:
    words = ["--data", str(photographs), "--out", str(tmp_path / "models"), *FEW, "--classifier-epochs", "100000"]
    process = subprocess.Popen(
        [sys.executable, "-m", "training.train_yourself", *words], stdout=subprocess.DEVNULL, env=os.environ
    )
    deadline = time.monotonic() + 300
    while not list(tmp_path.rglob("log.jsonl")) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    assert process.poll() is None and list(tmp_path.iterdir())
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 128 + signal.SIGTERM and list(tmp_path.iterdir()) == []


def test_what_cannot_be_written_is_found_before_the_training() -> None:
    with pytest.raises(DatasetError, match="cannot write to /proc"):
        check_writable(Path("/proc/models"))
