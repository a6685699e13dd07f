"""Make one row of the result tables again, from its recipe: train, publish, measure on the test set.

    python -m training.reproduce cifar10-resnet9 --data DATA/cifar10
    make reproduce-cifar10-resnet9

First come the models of other recipes that it needs, unless they are in --models already. Each station is a script of
its own, shown as the command that it is; what is done already is not done again, so a call that was killed, or ended by
--minutes, is repeated until it ends with status 0. The test set is read once: where results of other weights lie, this
stops; rows that choices are made from, as ablations are, do without it.
"""

import argparse
import json
import math
import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from models.zoo.manifest import MANIFEST_FILE, ModelEntry
from models.zoo.registry import Registry
from training.cli import arguments
from training.cli.arguments import command
from training.cli.recipe import Recipe
from training.cli.recipe import arguments as words
from training.data.datasets import DATA_VARIABLE, default_folder
from training.loop import fit
from training.loop.log import LOG_FILE, minutes_passed

_JOINT = "train_joint"
# How training.evaluate calls the model that a trainer makes.
_EVALUATED_AS = {
    "train_classifier": "--classifier",
    "train_colorcnn": "--quantizer",
    "train_published": "--published",
    _JOINT: "--quantizer",
}
_ALONE = ("--methods", "--qualities")  # given without values: nothing but the model itself

Call = Callable[[str, Sequence[str]], int]
"""Runs a script of training/ with these flags; gives its exit status."""


def row_name(recipe: Recipe, seed: int) -> str:
    """What a run of the recipe is called: as the recipe; other seeds than its first are told apart."""
    plain = recipe.file.stem
    return plain if seed == recipe.seeds[0] else f"{plain}-seed{seed}"


def judge_name(recipe: Recipe, name: str) -> str:
    """The classifier that the model `name` of the recipe is measured by: itself, if it is one."""
    return f"{name}-reader" if recipe.trainer == _JOINT else recipe.train.get("classifier", name)


@dataclass(frozen=True)
class Places:
    """Where a reproduction reads and writes, and on what it runs, as the flags say."""

    data: Path | None
    runs: Path
    models: Path
    results: Path
    device: str
    hardware: str

    def entry(self, name: str) -> ModelEntry | None:
        """The published model of that name, if there is one."""
        if not (self.models / MANIFEST_FILE).exists():
            return None
        return next((entry for entry in Registry.open(self.models).available() if entry.name == name), None)


@dataclass(frozen=True)
class Row:
    """One model of a recipe, from its run to its results."""

    recipe: Recipe
    seed: int
    places: Places

    @property
    def name(self) -> str:
        """Of the model, its run and its results."""
        return row_name(self.recipe, self.seed)

    @property
    def folder(self) -> Path:
        """Of the run."""
        return self.places.runs / self.name

    @property
    def results(self) -> Path:
        """What training.evaluate writes."""
        return self.places.results / f"{self.name}.json"

    def training_flags(self) -> list[str]:
        """Of the recipe's trainer, so that it begins or goes on."""
        flags = ["--recipe", self.recipe.reference, "--seed", str(self.seed), "--out", str(self.folder)]
        shelf = [] if self._is_classifier() else self._shelf()
        return [*flags, *shelf, *self._data(), "--hardware", self.places.hardware, "--resume", "auto"]

    def publishing_flags(self) -> list[str]:
        """Of training.publish, still without results."""
        more = words(_parser_of("publish"), self.recipe.publish, f"{self.recipe.file}, [publish]")
        reader = ["--reader", judge_name(self.recipe, self.name)] if self.recipe.trainer == _JOINT else []
        return [*self._shelf(), "--run", str(self.folder), "--name", self.name, *reader, *more]

    def evaluation_flags(self) -> list[str]:
        """Of training.evaluate, for this model alone."""
        more = words(_parser_of("evaluate"), self.recipe.evaluate, f"{self.recipe.file}, [evaluate]")
        judge = [] if self._is_classifier() else ["--classifier", judge_name(self.recipe, self.name)]
        model = [*judge, _EVALUATED_AS[self.recipe.trainer], self.name]
        return [*self._shelf(), *self._data(), *model, *_ALONE, *more, "--out", str(self.results)]

    def check(self) -> None:
        """Raise SystemExit for whatever in the recipe a later station would stumble over."""
        if self.recipe.trainer not in _EVALUATED_AS:
            raise SystemExit(f"{self.recipe.file}: trainer must be one of {', '.join(_EVALUATED_AS)}")
        self._check_data()
        self.options()
        self.publishing_flags()
        self.evaluation_flags()

    def _check_data(self) -> None:
        """The folder of the recipe's dataset, or one that it is in."""
        folder, name = self.places.data or default_folder(), self.recipe.train.get("dataset")
        if folder and name and folder.resolve().name != name and not (folder / name).is_dir():
            raise SystemExit(
                f"{self.recipe.file} is of {name}, which is neither {folder} nor in it; give another --data"
            )

    def options(self) -> dict[str, Any]:
        """What the trainer would note of a run that it begins now, as JSON values."""
        args = arguments.parse(_parser_of(self.recipe.trainer), self.training_flags())
        content: dict[str, Any] = json.loads(json.dumps(arguments.options(args)))
        return content

    def is_trained(self) -> bool:
        """Whether all epochs are done; raises SystemExit if with other options than the recipe now has."""
        if not (self.folder / fit.STATE_FILE).exists():
            return False
        state = fit.read_state(self.folder)
        if state["epoch"] < state["config"]["training"]["epochs"]:
            return False
        begun = self._first_line().get("options", {})
        wanted = {name: value for name, value in self.options().items() if value is not None}
        if differ := [name for name, value in wanted.items() if begun.get(name, value) != value]:
            raise SystemExit(f"{self.folder} was trained with other values of: {', '.join(differ)}; move it away first")
        return True

    def is_published(self) -> bool:
        """Whether the model of this very run is there, not older than the recipe."""
        entry = self.places.entry(self.name)
        if entry is None or entry.command != self._first_line()["command"]:
            return False
        same = fit.read_state(self.folder)["scores"].items() <= entry.accuracy.items()
        made = (self.places.models / entry.file).stat().st_mtime
        return same and made >= self.recipe.file.stat().st_mtime

    def is_measured(self) -> bool:
        """Whether results of the published weights are there; raises SystemExit if results of others are."""
        entry = self.places.entry(self.name)
        if not self.results.exists():
            return False
        if entry is None or json.loads(self.results.read_text())["sha256"].get(self.name) != entry.sha256:
            raise SystemExit(f"{self.results} is of other weights: move it away to read the test set once more")
        return True

    def is_complete(self) -> bool:
        """Whether the manifest tells what was measured."""
        entry = self.places.entry(self.name)
        return entry is not None and any(name.startswith("test_") for name in entry.accuracy)

    def _first_line(self) -> dict[str, Any]:
        """Of the run's log: how it was begun."""
        content: dict[str, Any] = json.loads((self.folder / LOG_FILE).read_text().splitlines()[0])
        return content

    def _is_classifier(self) -> bool:
        return self.recipe.trainer == "train_classifier"

    def _shelf(self) -> list[str]:
        return ["--models", str(self.places.models)]

    def _data(self) -> list[str]:
        data = ["--data", str(self.places.data)] if self.places.data else []
        named = ["--dataset", self.recipe.train["dataset"]] if "dataset" in self.recipe.train else []
        return [*data, *named, "--device", self.places.device]


@dataclass
class Reproduction:
    """Goes from station to station. begun: whether this process has done a station already."""

    places: Places
    minutes: float
    call: Call
    begun: bool = False

    def make(self, recipe: Recipe) -> None:
        """All rows of a recipe, one for each seed."""
        for row in self._rows(recipe):
            if recipe.test:
                self._publish(row)
                self._measure(row)
            else:
                self._train(row)
            print(f"{row.name}: done, see {row.results if recipe.test else row.folder / LOG_FILE}", flush=True)

    def _rows(self, recipe: Recipe) -> list[Row]:
        """Its rows, when the models are there that they need: the first seed of other recipes, not measured here."""
        rows = [Row(recipe, seed, self.places) for seed in recipe.seeds]
        rows[0].check()
        for needed in recipe.needed():
            if self.places.entry(needed.file.stem) is None:
                self._publish(self._rows(needed)[0])
        print(f"{recipe.file.stem}: {recipe.title}; protocol {recipe.protocol}; cost {recipe.cost}", flush=True)
        return rows

    def _train(self, row: Row) -> None:
        if not row.is_trained():
            self._station(row.recipe.trainer, [*row.training_flags(), *self._limit()])

    def _publish(self, row: Row) -> None:
        self._train(row)
        if not row.is_published():
            self._station("publish", row.publishing_flags())

    def _measure(self, row: Row) -> None:
        if not row.is_measured():
            self._station("evaluate", row.evaluation_flags())
        if not row.is_complete():
            self._station("publish", [*row.publishing_flags(), "--results", str(row.results)])

    def _station(self, script: str, flags: Sequence[str]) -> None:
        if self.begun and self._minutes_left() <= 0:
            raise SystemExit(os.EX_TEMPFAIL)
        self.begun = True
        print(f"$ python -m training.{script} {shlex.join(flags)}", flush=True)
        status = self.call(script, flags)
        if status == os.EX_TEMPFAIL:
            raise SystemExit(status)
        if status:
            raise SystemExit(f"error: training.{script} ended with status {status}")

    def _limit(self) -> list[str]:
        return [] if math.isinf(self.minutes) else ["--minutes", f"{max(0, self._minutes_left()):.1f}"]

    def _minutes_left(self) -> float:
        return self.minutes - minutes_passed()


def main(argv: Sequence[str] | None = None, call: Call | None = None) -> None:
    """Parse flags and make the row; `call` runs the scripts, each in a process of its own unless told otherwise."""
    args = _parser().parse_args(argv)
    places = Places(args.data, args.runs, args.models, args.results, args.device, args.hardware)
    Reproduction(places, args.minutes, call or _in_a_process).make(Recipe.read(args.recipe))


def _in_a_process(script: str, flags: Sequence[str]) -> int:
    return subprocess.run([sys.executable, "-m", f"training.{script}", *flags], check=False).returncode


def _parser_of(script: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = import_module(f"training.{script}")._parser()
    return parser


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m training.reproduce", description="Make one row of the result tables again, from its recipe."
    )
    parser.add_argument("recipe", help="name of a recipe in training/recipes/, or FILE.toml")
    parser.add_argument("--data", type=Path, help=f"dataset folder (default: ${DATA_VARIABLE})")
    for name in ("runs", "models", "results"):
        folder = Path("runs") if name == "runs" else Path("runs", name)
        parser.add_argument(f"--{name}", type=Path, default=folder, help=f"folder for {name} (%(default)s)")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1, ... (%(default)s)")
    parser.add_argument(
        "--minutes",
        type=float,
        default=math.inf,
        help="begin nothing after so many; status 75 if work is left (no limit)",
    )
    arguments.add_hardware_flag(parser)
    return parser


if __name__ == "__main__":
    command(main)
