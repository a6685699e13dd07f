"""training.import_classifier: a stranger's classifier becomes a model that loads, or nothing is written."""

import errno
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from models.errors import ColorCNNError, CorruptCheckpoint
from models.recognizer import load_recognizer
from models.zoo.manifest import SHIPPED
from models.zoo.registry import Registry
from service.inference.model_engine import ModelEngine
from tests.training.importing.exported import DESCRIPTION, SIZE, exported, images, make_classifier, traced
from training import import_classifier
from training.importing import store
from training.importing.graph import Rejected

CPU = torch.device("cpu")


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """Folder with a program of each kind, weights, and a description."""
    (tmp_path / "pets.pt2").write_bytes(exported(make_classifier()))
    (tmp_path / "pets.pt").write_bytes(traced(make_classifier()))
    (tmp_path / "pets.toml").write_text(DESCRIPTION)
    (tmp_path / "names.txt").write_text("cat\ndog\nbird\n")
    torch.save(make_classifier().state_dict(), tmp_path / "pets.pth")
    return tmp_path


def run(files: Path, *words: str, name: str = "pets") -> Path:
    """Import into a folder that does not exist yet, and return it."""
    folder = files / "models"
    import_classifier.main(["--name", name, "--output", str(folder), *words])
    return folder


def program(files: Path, name: str) -> tuple[str, ...]:
    return ("--program", str(files / name), "--description", str(files / "pets.toml"))


@pytest.mark.parametrize("file", ["pets.pt2", "pets.pt"])
def test_a_program_becomes_a_recognizer_of_a_folder(files: Path, file: str, capsys: pytest.CaptureFixture[str]) -> None:
    folder = run(files, *program(files, file))
    recognizer = load_recognizer(Registry.open(folder), "pets", CPU)
    pixels = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    view = recognizer.view(pixels)
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in ((0.4, 0.5, 0.6), (0.2, 0.3, 0.4)))
    normalized = (torch.from_numpy(view.copy()).permute(2, 0, 1) / 255 - mean) / std
    expected = make_classifier()(normalized[None]).softmax(1)[0].tolist()
    best = recognizer.predict(pixels, 3)
    assert {each.label: each.index for each in best} == {"cat": 0, "dog": 1, "bird": 2}
    assert [each.probability for each in best] == pytest.approx([expected[each.index] for each in best])
    assert (recognizer.views.crop, recognizer.views.interpolation) == (0.5, "bicubic")
    assert recognizer.supports_maps and recognizer.activation_map(pixels, 1).shape == (4, 4)
    assert Registry.open(folder).default(Registry.open(folder).entry("pets").kind).name == "pets"
    assert f"COLORCNN_MODELS_FOLDER={folder}" in capsys.readouterr().out


def test_the_service_serves_a_folder_with_an_imported_classifier_alone(files: Path) -> None:
    engine = ModelEngine(run(files, *program(files, "pets.pt2")), device="cpu", load="defaults")
    engine.load()
    pixels = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    selection = engine.catalog.select("halftone", None, 4)
    assert (selection.method, selection.classifier) == ("halftone", "pets")
    assert engine.loaded() == {"pets"}
    assert engine.quantize(pixels, 4, selection).colors <= 4
    view = engine.view(pixels, "pets")
    (ranking,) = engine.predict([view], 3, "pets")
    assert {each.label for each in ranking} == {"cat", "dog", "bird"}
    assert engine.activation_map(view, 0, "pets").shape == (4, 4)


def test_the_view_of_an_imported_recognizer_has_a_gradient(files: Path) -> None:
    recognizer = load_recognizer(Registry.open(run(files, *program(files, "pets.pt2"))), "pets", CPU)
    view = images().requires_grad_()
    (slope,) = torch.autograd.grad(recognizer.network(view)[:, 0].sum(), view)
    assert slope.shape == (2, 3, SIZE, SIZE) and slope.any()


def test_the_checkpoint_is_that_of_the_manifest_and_has_a_card(files: Path) -> None:
    folder = run(files, *program(files, "pets.pt2"))
    entry = Registry.open(folder).entry("pets")
    assert entry.file == f"checkpoints/pets-{entry.sha256[:8]}.safetensors"
    assert "imported at 16x16 pixels" in (folder / entry.card).read_text()
    assert {file.name for file in (folder / "checkpoints").iterdir()} == {Path(entry.file).name, Path(entry.card).name}
    (folder / entry.file).write_bytes(b"other")
    with pytest.raises(CorruptCheckpoint, match="SHA-256"):
        load_recognizer(Registry.open(folder), "pets", CPU)


def test_a_second_import_of_a_name_replaces_the_first(files: Path) -> None:
    run(files, *program(files, "pets.pt2"), name="other")
    first = Registry.open(run(files, *program(files, "pets.pt2"))).entry("pets")
    with torch.no_grad():
        model = make_classifier()
        model.fc.bias.add_(1)
    (files / "pets.pt2").write_bytes(exported(model))
    folder = run(files, *program(files, "pets.pt2"), "--default")
    registry = Registry.open(folder)
    assert [entry.name for entry in registry.available()] == ["other", "pets"]
    assert registry.entry("pets").sha256 != first.sha256
    assert registry.default(first.kind).name == "pets"
    assert len(list((folder / "checkpoints").iterdir())) == 4
    run(files, *program(files, "pets.pt2"))  # the same once more
    assert len(list((folder / "checkpoints").iterdir())) == 4


class _NotANumber(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.mean((2, 3)) * float("nan")


class _OneNumber(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.mean((1, 2, 3))


class _WholeBatch(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.mean((2, 3)) - x.mean((0, 2, 3))


class _Constant(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.mean((2, 3)) * 0 + 1


class _Rounded(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return (10 * x).round().mean((2, 3)).detach()


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (_NotANumber(), "logits that are not finite"),
        (_OneNumber(), r"returns \(2,\) for 2 images, not \(2, classes\)"),
        (_WholeBatch(), "other logits in a batch of 2 than alone"),
        (_Constant(), "no finite gradient"),
        (_Rounded(), "gradient"),
        (nn.Sequential(make_classifier(), nn.Linear(3, 5)), "3 class names, but the network has 5 classes"),
        (make_classifier().train(), "export the model in evaluation mode"),
    ],
)
def test_a_model_that_fails_a_check_writes_nothing(files: Path, model: nn.Module, message: str) -> None:
    (files / "bad.pt2").write_bytes(exported(model))
    with pytest.raises(Rejected, match=message):
        run(files, *program(files, "bad.pt2"))
    assert not (files / "models").exists()


def test_a_traced_model_of_one_batch_size_is_rejected(files: Path) -> None:
    class Fixed(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.mean((2, 3)).reshape(1, 6)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        (files / "bad.pt").write_bytes(traced(Fixed()))
    with pytest.raises(Rejected, match=r"returns \(1, 6\) for 2 images"):
        run(files, *program(files, "bad.pt"))


def test_another_size_is_rejected_with_the_shape(files: Path) -> None:
    class Flat(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(3 * SIZE * SIZE, 3)

        def forward(self, x: Tensor) -> Tensor:
            logits: Tensor = self.fc(x.flatten(1))
            return logits

    (files / "flat.pt").write_bytes(traced(Flat()))
    (files / "pets.toml").write_text(DESCRIPTION.replace("size = 16", "size = 24"))
    with pytest.raises(Rejected, match=r"fails on images of \(2, 3, 24, 24\) .*check `size`"):
        run(files, *program(files, "flat.pt"))
    with pytest.raises(Rejected, match="takes images of 16 x 16 pixels, but `size` in the description is 24"):
        run(files, *program(files, "pets.pt2"))
    assert not (files / "models").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "give either --program FILE, or --timm"),
        (("--timm", "resnet18"), "--timm needs --weights FILE; nothing is downloaded"),
        (("--program", "pets.pt2", "--weights", "pets.pth"), "--weights goes with --timm"),
        (("--program", "pets.pt2"), r"pets\.pt2 needs size, resize, .* --description"),
        (("--program", "nowhere.pt2", "--description", "pets.toml"), "cannot be read"),
        (("--program", "pets.pth", "--description", "pets.toml"), "no exported program"),
        (("--program", "names.txt", "--description", "pets.toml"), "no exported program"),
        (("--program", "pets.pt2", "--description", "pets.toml", "--name", "a/b"), "name must be letters"),
        (("--program", "pets.pt2", "--description", "pets.toml", "--output", "names.txt"), "cannot be written"),
    ],
)
def test_bad_input_is_one_sentence_and_writes_nothing(
    files: Path, words: tuple[str, ...], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(files)
    with pytest.raises(ColorCNNError, match=message):
        run(files, *words)
    assert not (files / "models").exists()


def full_disk(*_: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_an_error_of_the_disk_leaves_the_folder_as_it_was(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = run(files, *program(files, "pets.pt2"))
    before = {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()}
    monkeypatch.setattr(Registry, "write", full_disk)
    with pytest.raises(Rejected, match="No space left"):
        run(files, *program(files, "pets.pt"), name="second")
    assert {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()} == before


def test_a_folder_that_was_missing_is_missing_after_an_error(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "_card", full_disk)
    with pytest.raises(Rejected, match="No space left"):
        run(files, *program(files, "pets.pt2"))
    assert not (files / "models").exists()


def test_the_shipped_models_are_written_only_when_asked(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = (SHIPPED / "manifest.json").read_bytes()
    monkeypatch.setattr(import_classifier, "SHIPPED", files / "shipped")
    run(files, *program(files, "pets.pt2"))
    assert not (files / "shipped").exists()
    run(files, *program(files, "pets.pt2"), "--shipped")
    assert Registry.open(files / "shipped").entry("pets").size == SIZE
    assert (SHIPPED / "manifest.json").read_bytes() == before


def test_timm_is_optional(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "timm", None)
    save_file(make_classifier().state_dict(), files / "pets.safetensors")
    with pytest.raises(Rejected, match=r"--timm needs timm .*pip install 'colorcnn-service\[timm\]'"):
        run(files, "--timm", "resnet18", "--weights", str(files / "pets.safetensors"))
