"""Reproduction of one row of the result tables from its recipe: train, publish, measure on the test set.

    python -m training.reproduce cifar10-resnet9 --data DATA/cifar10
    make reproduce-cifar10-resnet9

The models of other recipes that the recipe needs come first, unless --models already holds them. Each step is a
separate command, which is printed. Finished steps are skipped, so a killed or timed-out call can be repeated until
the exit status is 0. The test set is read once: results of other weights stop the command. Recipes
for selection, such as ablations, do not read the test set.
"""

import json
import math
import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.zoo.manifest import MANIFEST_FILE, ModelEntry
from models.zoo.registry import Registry
from training import publish, train_classifier, train_colorcnn, train_joint, train_published
from training.cli import command_line
from training.cli.evaluations import EvaluateOptions
from training.cli.options import DeviceOptions, HardwareOptions, MinutesOptions, TrainerOptions
from training.cli.recipe import Recipe, classifier_name, row_name
from training.cli.session import described
from training.data.options import default_folder
from training.extras import tyro
from training.loop.elapsed import minutes_elapsed
from training.loop.log import LOG_FILE
from training.loop.state import STATE_FILE, read_state, with_current_names

Call = Callable[[str, Sequence[str]], int]
"""Function that runs a module of training/ with these arguments and returns the exit status."""


@dataclass(frozen=True)
class Trainer:
    """A trainer. options: its command-line options. evaluated_as: option of training.evaluate for its model."""

    options: type[TrainerOptions]
    evaluated_as: str


TRAINERS: Mapping[str, Trainer] = {
    "train_classifier": Trainer(train_classifier.ClassifierOptions, "--classifier"),
    "train_colorcnn": Trainer(train_colorcnn.ColorCNNOptions, "--quantizer"),
    "train_published": Trainer(train_published.PublishedOptions, "--published"),
    "train_joint": Trainer(train_joint.JointOptions, "--quantizer"),
}
_MODEL_ALONE = ("--methods", "--qualities")  # without values, so that training.evaluate measures only the model


class ReproduceOptions(MinutesOptions, DeviceOptions, HardwareOptions):
    """Reproduce one row of the result tables from its recipe."""

    recipe: tyro.conf.Positional[str]
    """Name of a recipe in training/recipes/, or FILE.toml."""
    data: Path | None = None
    """Dataset folder; COLORCNN_DATA by default."""
    runs: Path = Path("runs")
    """Folder for the runs."""
    models: Path = Path("runs", "models")
    """Folder for the published models."""
    results: Path = Path("runs", "results")
    """Folder for the results."""

    def entry(self, name: str) -> ModelEntry | None:
        """Return the published model with the given name, or None."""
        if not (self.models / MANIFEST_FILE).exists():
            return None
        return next((entry for entry in Registry.open(self.models).available() if entry.name == name), None)


@dataclass(frozen=True)
class Row:
    """One model of a recipe, from its run to its results."""

    recipe: Recipe
    seed: int
    options: ReproduceOptions

    @property
    def name(self) -> str:
        """Name of the model, its run and its results."""
        return row_name(self.recipe, self.seed)

    @property
    def folder(self) -> Path:
        """Folder of the run."""
        return self.options.runs / self.name

    @property
    def results(self) -> Path:
        """Report of training.evaluate."""
        return self.options.results / f"{self.name}.json"

    @property
    def trainer(self) -> Trainer:
        """Trainer of the recipe; SystemExit for an unknown one."""
        if self.recipe.trainer not in TRAINERS:
            raise SystemExit(f"{self.recipe.file}: trainer must be one of {', '.join(TRAINERS)}")
        return TRAINERS[self.recipe.trainer]

    def training_words(self) -> list[str]:
        """Return the arguments of the command that trains the model or resumes the training."""
        run = ["--recipe", self.recipe.reference, "--seed", str(self.seed), "--out", str(self.folder)]
        models = [] if self._is_classifier() else self._models()
        return [*run, *models, *self._data(), "--hardware", self.options.hardware, "--resume", "auto"]

    def publishing_words(self) -> list[str]:
        """Return the arguments of training.publish, without results."""
        where = f"{self.recipe.file}, [publish]"
        more = command_line.words(publish.PublishOptions, self.recipe.publish, where)
        joint = ["--joint-classifier", classifier_name(self.recipe, self.name)] if self._is_joint() else []
        return [*self._models(), "--run", str(self.folder), "--name", self.name, *joint, *more]

    def evaluation_words(self) -> list[str]:
        """Return the arguments of training.evaluate for this model alone."""
        where = f"{self.recipe.file}, [evaluate]"
        more = command_line.words(EvaluateOptions, self.recipe.evaluate, where)
        classifier = [] if self._is_classifier() else ["--classifier", classifier_name(self.recipe, self.name)]
        model = [*classifier, self.trainer.evaluated_as, self.name]
        return [*self._models(), *self._data(), *model, *_MODEL_ALONE, *more, "--out", str(self.results)]

    def check(self) -> None:
        """Raise SystemExit for everything in the recipe that a later step would reject."""
        self._check_data()
        self.described()
        self.publishing_words()
        self.evaluation_words()

    def _check_data(self) -> None:
        """Raise SystemExit if the given folder neither is the dataset of the recipe nor contains it."""
        folder, name = self.options.data or default_folder(), self.recipe.train.get("dataset")
        if folder and name and folder.resolve().name != name and not (folder / name).is_dir():
            raise SystemExit(
                f"{self.recipe.file} is of {name}, which is neither {folder} nor in it; give another --data"
            )

    def described(self) -> dict[str, Any]:
        """Return the options, as JSON values, that the log of a new run would contain."""
        module = f"training.{self.recipe.trainer}"
        options = command_line.parse(self.trainer.options, module, self.training_words())
        content: dict[str, Any] = json.loads(json.dumps(described(options)))
        return content

    def is_trained(self) -> bool:
        """Return whether all epochs are done; raises SystemExit if the options of the run differ from the recipe."""
        if not (self.folder / STATE_FILE).exists():
            return False
        state = read_state(self.folder)
        if state["epoch"] < state["config"]["training"]["epochs"]:
            return False
        begun = with_current_names(self._first_line().get("options", {}))
        wanted = {name: value for name, value in self.described().items() if value is not None}
        if differ := [name for name, value in wanted.items() if begun.get(name, value) != value]:
            raise SystemExit(f"{self.folder} was trained with other values of: {', '.join(differ)}; move it away first")
        return True

    def is_published(self) -> bool:
        """Return whether the model of this run is published, and not older than the recipe."""
        entry = self.options.entry(self.name)
        if entry is None or entry.command != self._first_line()["command"]:
            return False
        same = read_state(self.folder)["scores"].items() <= entry.accuracy.items()
        made = (self.options.models / entry.file).stat().st_mtime
        return same and made >= self.recipe.file.stat().st_mtime

    def is_measured(self) -> bool:
        """Return whether there are results of the published weights; raises SystemExit for results of other weights."""
        entry = self.options.entry(self.name)
        if not self.results.exists():
            return False
        if entry is None or json.loads(self.results.read_text())["sha256"].get(self.name) != entry.sha256:
            raise SystemExit(f"{self.results} is of other weights: move it away to read the test set again")
        return True

    def is_complete(self) -> bool:
        """Return whether the manifest holds the accuracy on the test set."""
        entry = self.options.entry(self.name)
        return entry is not None and any(name.startswith("test_") for name in entry.accuracy)

    def _first_line(self) -> dict[str, Any]:
        """Return the first line of the run's log, which describes the command and its options."""
        content: dict[str, Any] = json.loads((self.folder / LOG_FILE).read_text().splitlines()[0])
        return content

    def _is_classifier(self) -> bool:
        return self.recipe.trainer == "train_classifier"

    def _is_joint(self) -> bool:
        return self.recipe.trainer == "train_joint"

    def _models(self) -> list[str]:
        return ["--models", str(self.options.models)]

    def _data(self) -> list[str]:
        data = ["--data", str(self.options.data)] if self.options.data else []
        named = ["--dataset", self.recipe.train["dataset"]] if "dataset" in self.recipe.train else []
        return [*data, *named, "--device", self.options.device]


@dataclass
class Reproduction:
    """Runs the steps of rows. begun: whether this process has already run a step."""

    options: ReproduceOptions
    call: Call
    begun: bool = False

    def make(self, recipe: Recipe) -> None:
        """Make all rows of a recipe, one per seed."""
        for row in self._rows(recipe):
            if recipe.test:
                self._publish(row)
                self._measure(row)
            else:
                self._train(row)
            print(f"{row.name}: done, see {row.results if recipe.test else row.folder / LOG_FILE}", flush=True)

    def _rows(self, recipe: Recipe) -> list[Row]:
        """Return the rows of a recipe, after publishing the models that it needs: the first seed of other recipes."""
        rows = [Row(recipe, seed, self.options) for seed in recipe.seeds]
        rows[0].check()
        for needed in recipe.needed():
            if self.options.entry(needed.file.stem) is None:
                self._publish(self._rows(needed)[0])
        print(f"{recipe.file.stem}: {recipe.title}; protocol {recipe.protocol}; cost {recipe.cost}", flush=True)
        return rows

    def _train(self, row: Row) -> None:
        if not row.is_trained():
            self._step(row.recipe.trainer, [*row.training_words(), *self._limit()])

    def _publish(self, row: Row) -> None:
        self._train(row)
        if not row.is_published():
            self._step("publish", row.publishing_words())

    def _measure(self, row: Row) -> None:
        if not row.is_measured():
            self._step("evaluate", row.evaluation_words())
        if not row.is_complete():
            self._step("publish", [*row.publishing_words(), "--results", str(row.results)])

    def _step(self, module: str, words: Sequence[str]) -> None:
        if self.begun and self._minutes_left() <= 0:
            raise SystemExit(os.EX_TEMPFAIL)
        self.begun = True
        print(f"$ python -m training.{module} {shlex.join(words)}", flush=True)
        status = self.call(module, words)
        if status == os.EX_TEMPFAIL:
            raise SystemExit(status)
        if status:
            raise SystemExit(f"error: training.{module} ended with status {status}")

    def _limit(self) -> list[str]:
        unlimited = math.isinf(self.options.minutes)
        return [] if unlimited else ["--minutes", f"{max(0, self._minutes_left()):.1f}"]

    def _minutes_left(self) -> float:
        return self.options.minutes - minutes_elapsed()


def main(argv: Sequence[str] | None = None, call: Call | None = None) -> None:
    """Make the row that the command line names. call: function that runs a step, by default in a new process."""
    options = command_line.parse(ReproduceOptions, "training.reproduce", argv)
    Reproduction(options, call or _in_a_process).make(Recipe.read(options.recipe))


def _in_a_process(module: str, words: Sequence[str]) -> int:
    return subprocess.run([sys.executable, "-m", f"training.{module}", *words], check=False).returncode


if __name__ == "__main__":
    command_line.run(main)
