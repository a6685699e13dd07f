"""training/finetune.py: a classifier is fine-tuned on quantized images."""

import shutil
from pathlib import Path

import pytest
import torch

from models.zoo.registry import Registry
from tests.training.synthetic import CLASSES, stripes
from tests.training.workshop import Workshop
from training import finetune, publish
from training.data.datasets import DatasetError, LabeledImages, load, write_part
from training.loop.scoring import evaluate, frozen_classifier
from training.loop.state import read_state
from training.quantize_dataset import HEADER_FILE
from training.train_classifier import Result


def inverted(count: int, seed: int) -> LabeledImages:
    """Stripes whose labels are turned, so that what was learned from the others is no use."""
    images = stripes(count, seed=seed)
    return LabeledImages(images.images, (images.labels + 1) % len(CLASSES), CLASSES)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from models.codecs import truecolor

    folder = tmp_path_factory.mktemp("turned")
    for seed, (split, count) in enumerate({"train": 600, "held_out": 100}.items()):
        images = inverted(count, seed + 10)
        files = [truecolor.encode(image) for image in images.images.permute(0, 2, 3, 1).numpy()]
        write_part(folder / f"{split}-00000.parquet", files, images)
    (folder / HEADER_FILE).write_text("{}")
    return folder


def tuned(workshop: Workshop, data: Path, out: Path, *flags: str) -> Result:
    common = ["--data", str(data), "--models", str(workshop.models), "--device", "cpu", "--out", str(out)]
    options = ["--classifier", "stripes", "--epochs", "2", "--batch", "50", "--lr", "0.1", "--crop", "0", "--fp32"]
    return finetune.main([*common, *options, *flags])


def test_fine_tuning_starts_from_the_published_weights_and_changes_them(
    workshop: Workshop, data: Path, tmp_path: Path
) -> None:
    before = frozen_classifier(Registry.open(workshop.models), "stripes")
    held_out = load(data, "held_out", size=16)
    result = tuned(workshop, data, tmp_path / "run")
    assert evaluate(before, held_out) < 0.3, "what was right is wrong here"
    assert result.top1 == evaluate(result.network, held_out) > 0.6
    # At no rate at all they stay the same, so that these were not fresh weights.
    still = tuned(workshop, data, tmp_path / "still", "--lr", "0")
    weights = zip(still.network.parameters(), before.parameters(), strict=True)
    assert all(torch.equal(mine, theirs) for mine, theirs in weights)


def test_a_fine_tuned_classifier_can_be_published(workshop: Workshop, data: Path, tmp_path: Path) -> None:
    result = tuned(workshop, data, tmp_path / "run")
    models_words = ["--models", str(tmp_path / "models"), "--run", str(tmp_path / "run")]
    entry = publish.main([*models_words, "--name", "turned"])
    assert entry.classes == CLASSES and entry.accuracy["held_out_top1"] == result.top1
    assert "| start | stripes |" in (tmp_path / "models" / entry.card).read_text()


def test_an_interrupted_fine_tuning_resumes(workshop: Workshop, data: Path, tmp_path: Path) -> None:
    whole = tuned(workshop, data, tmp_path / "run")
    again = tuned(workshop, data, tmp_path / "run", "--resume")
    assert again.top1 == whole.top1 and read_state(tmp_path / "run")["epoch"] == 2


def test_resuming_with_images_quantized_differently_is_rejected(workshop: Workshop, data: Path, tmp_path: Path) -> None:
    tuned(workshop, data, tmp_path / "run")
    other = Path(shutil.copytree(data, tmp_path / data.name))
    (other / HEADER_FILE).write_text('{"chroma": "444"}')
    with pytest.raises(SystemExit, match="other values of: training"):
        tuned(workshop, other, tmp_path / "run", "--resume")


def test_a_dataset_that_was_not_quantized_is_rejected(workshop: Workshop, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="was not written by"):
        tuned(workshop, workshop.data, tmp_path / "run")


def test_a_dataset_with_other_classes_is_refused(workshop: Workshop, data: Path, tmp_path: Path) -> None:
    (tmp_path / "classes.json").write_text(
        '[{"index": 0, "name": "a"}, {"index": 1, "name": "b"}, {"index": 2, "name": "c"}]'
    )
    for file in (*data.glob("*.parquet"), data / HEADER_FILE):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    with pytest.raises(DatasetError, match="the classifier knows level"):
        tuned(workshop, tmp_path, tmp_path / "run")
