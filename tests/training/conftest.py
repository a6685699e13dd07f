"""One small run of the whole path, shared by the tests: images, classifier, quantizer, results."""

from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from typing import Any

import pytest

from tests.training.synthetic import stripes
from tests.training.workshop import CLASSIFIER_FLAGS, QUANTIZER_FLAGS, Workshop, write_images
from training import publish, train_classifier, train_colorcnn
from training.data import workers
from training.evaluate import __main__ as evaluate

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
