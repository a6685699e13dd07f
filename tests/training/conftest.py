"""One small run of the whole path, shared by the tests: images, classifier, quantizer, results."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.training.synthetic import stripes
from training import publish, train_classifier, train_colorcnn
from training.data import workers
from training.data.datasets import LabeledImages
from training.evaluate import __main__ as evaluate


@dataclass(frozen=True)
class Workshop:
    """Folders of a run that took some seconds, and what its scripts returned.

    evaluation: flags of the evaluation whose JSON is `results`, but for --out.
    """

    data: Path
    runs: Path
    models: Path
    results: Path
    evaluation: list[str]
    classifier: train_classifier.Result
    quantizer: train_colorcnn.Result

    @property
    def report(self) -> dict[str, Any]:
        content: dict[str, Any] = json.loads(self.results.read_text())
        return content


CLASSIFIER_FLAGS = [
    "--size",
    "16",
    "--width",
    "8",
    "--epochs",
    "3",
    "--batch",
    "50",
    "--held-out",
    "400",
    "--lr",
    "0.1",
]
CLASSIFIER_FLAGS += ["--crop", "0", "--cutout", "0", "--fp32"]
QUANTIZER_FLAGS = ["--classifier", "stripes", "--epochs", "2", "--batch", "25", "--held-out", "400", "--lr", "0.004"]
QUANTIZER_FLAGS += [
    "--colors",
    "2:4",
    "16:1",
    "--soft",
    "1",
    "--contrast",
    "2",
    "--jitter",
    "0.5",
    "--crop",
    "0",
    "--fp32",
]
EVALUATION_FLAGS = ["--methods", "median_cut", "kmeans", "--colors", "2", "4", "--qualities", "20", "--workers", "1"]


@pytest.fixture(scope="session")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    folder = tmp_path_factory.mktemp("workshop")
    data, runs, models, results = (folder / name for name in ("data", "runs", "models", "results/stripes.json"))
    write_images(data / "train", stripes(1600))
    write_images(data / "test", stripes(200, seed=1))
    common = ["--data", str(data), "--dataset", "stripes", "--device", "cpu"]
    models_words = ["--models", str(models)]
    classifier = train_classifier.main([*common, "--out", str(runs / "stripes"), *CLASSIFIER_FLAGS])
    publish.main([*models_words, "--run", str(runs / "stripes"), "--name", "stripes"])
    quantizer = train_colorcnn.main([*common, *models_words, "--out", str(runs / "stripes-q"), *QUANTIZER_FLAGS])
    publish.main([*models_words, "--run", str(runs / "stripes-q"), "--name", "stripes-q"])
    evaluation = [
        *common,
        *models_words,
        "--classifier",
        "stripes",
        "--quantizer",
        "stripes-q",
        *EVALUATION_FLAGS,
    ]
    evaluate.main([*evaluation, "--out", str(results)])
    return Workshop(data, runs, models, results, evaluation, classifier, quantizer)


class InThisProcess(Executor):
    """A pool that works at once in this process: starting processes takes longer than the work of the tests."""

    def submit(self, function: Callable[..., Any], /, *args: Any, **keywords: Any) -> Future[Any]:
        done: Future[Any] = Future()
        done.set_result(function(*args, **keywords))
        return done


@pytest.fixture(scope="module")
def pool_in_this_process() -> Iterator[None]:
    """For modules whose scripts map plain functions over a pool."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(workers, "worker_pool", lambda workers: InThisProcess())
        yield


def write_images(folder: Path, data: LabeledImages) -> None:
    for row, (image, label) in enumerate(zip(data.images, data.labels.tolist(), strict=True)):
        (folder / data.classes[label]).mkdir(parents=True, exist_ok=True)
        Image.fromarray(image.permute(1, 2, 0).numpy()).save(folder / data.classes[label] / f"{row}.png")
