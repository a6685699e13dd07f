"""The opening tables of RESULTS.md: every trained network beside what was published, from the files in results/ alone.

    python -m training.rows --results results

A recipe has its lines where a report of `training.evaluate` holds its model and logs/NAME.jsonl tells of its run. Those
of ablations, which the test set is not read for, are made of the logs alone: mean and spread of their seeds.
"""

import argparse
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from models.method_names import ONE_PASS
from training import run
from training.markdown import table
from training.recipe import SHIPPED, Recipe
from training.reproduce import row_name

COLORS = (2, 4, 8, 16, 32, 64)
"""1 to 6 bits, as the field compares them."""
PUBLISHED_FILE = "published.json"
"""What others measured: title, classifier and source of each, and top-1 by K."""

_NONE = "-"


@dataclass(frozen=True)
class Trained:
    """A recipe that was run and measured on the test set: `rows` are those of its model in `report`, none for a
    classifier."""

    recipe: Recipe
    report: Mapping[str, Any]
    rows: Sequence[Mapping[str, Any]]
    run: "Run"

    @property
    def original(self) -> float:
        """Top-1 of the classifier on the originals, 0 to 1."""
        return float(self.report["top1_original"])

    def top1(self, colors: int) -> float | None:
        """Of the images in that many colours, 0 to 1; None where it was not measured."""
        return next((row["top1"] for row in self.rows if row["colors"] == colors), None)


@dataclass(frozen=True)
class Run:
    """What the log of a run tells. scores: on the held-out part of train, 0 to 1, by name."""

    hardware: str
    minutes: float
    epochs: int
    scores: Mapping[str, float]

    @classmethod
    def read(cls, log: Path) -> "Run":
        """The finished run of a log.jsonl."""
        events = [json.loads(line) for line in log.read_text().splitlines()]
        last = [event for event in events if event["event"] == "epoch"][-1]
        scores = {name: value for name, value in last.items() if name.startswith("held_out_")}
        return cls(events[0]["hardware"], last["seconds"] / 60, last["epoch"], scores)


def main(argv: Sequence[str] | None = None) -> str:
    """Parse flags and print every table under its title; returns what was printed."""
    args = _parser().parse_args(argv)
    text = "\n\n".join(f"{title}:\n\n{body}" for title, body in tables(args.results, args.recipes).items())
    print(text)
    return text


def tables(results: Path, recipes: Path = SHIPPED) -> dict[str, str]:
    """Every table by its title, of the reports in one folder and the recipes in another."""
    known = [Recipe.read(str(file)) for file in sorted(recipes.glob("*.toml"))]
    trained = list(_measured(results, known))
    published = json.loads((results / PUBLISHED_FILE).read_text())["rows"]
    return {
        "Side by side, top-1 in %": _beside(published, trained),
        "Ablations, top-1 in % on the held-out part of train": _ablations(results, known),
        "Every row": _every_row(trained),
    }


def _measured(results: Path, recipes: Iterable[Recipe]) -> Iterable[Trained]:
    """What the test set was read for, in the order of the recipes."""
    reports = [json.loads(file.read_text()) for file in sorted(results.glob("*.json"))]
    evaluations = [
        report
        for report in reports
        if {"top1_original", "sha256"} <= report.keys() and not {"codec", "knob"} & report.keys()
    ]
    for recipe in recipes:
        name = recipe.file.stem
        report = next((each for each in evaluations if _is_about(each, recipe)), None)
        if report and _log(results, name).exists():
            rows = [row for row in report["rows"] if row["model"] == name and row["method"] != ONE_PASS]
            yield Trained(recipe, report, rows, _whole_run(results, recipe))


def _whole_run(results: Path, recipe: Recipe) -> Run:
    """The run of a recipe, with the epochs and minutes of those whose weights it started from."""
    own = Run.read(_log(results, recipe.file.stem))
    first = recipe.train.get("start")
    if first is None or not _log(results, first).exists():
        return own
    before = _whole_run(results, Recipe.read(str(recipe.file.with_name(f"{first}.toml"))))
    return replace(own, minutes=before.minutes + own.minutes, epochs=before.epochs + own.epochs)


def _is_about(report: Mapping[str, Any], recipe: Recipe) -> bool:
    """Whether it measured the recipe's model read by the classifier that it was trained against."""
    return recipe.file.stem in report["sha256"] and report["classifier"] == recipe.train.get(
        "classifier", recipe.file.stem
    )


def _log(results: Path, name: str) -> Path:
    return results / "logs" / f"{name}.jsonl"


def _beside(published: Iterable[Mapping[str, Any]], trained: Iterable[Trained]) -> str:
    networks = [each for each in trained if each.rows]
    heading = ["network", "classifier", "on originals", "epochs", *(f"K = {k}" for k in COLORS)]
    return table(heading, [*map(_published_line, published), *map(_line, networks)])


def _published_line(row: Mapping[str, Any]) -> list[str]:
    top1 = [row["top1"].get(str(colors)) for colors in COLORS]
    return [row["title"], row["classifier"], _NONE, str(row["epochs"] or _NONE), *map(_percent, top1)]


def _line(each: Trained) -> list[str]:
    top1 = [each.top1(colors) for colors in COLORS]
    head = [each.recipe.title, each.report["classifier"], _percent(each.original), str(each.run.epochs)]
    return [*head, *map(_percent, top1)]


def _ablations(results: Path, recipes: Iterable[Recipe]) -> str:
    """A line for each recipe that the test set is not read for, with mean and standard deviation over its seeds."""
    lines = []
    for recipe in recipes:
        logs = [_log(results, row_name(recipe, seed)) for seed in recipe.seeds]
        runs = [Run.read(log) for log in logs if log.exists()]
        if runs and not recipe.test:
            head = [recipe.title, f"`{recipe.file.stem}`", str(len(runs)), str(runs[0].epochs)]
            cells = [_spread([each.scores[f"held_out_top1_{colors}"] for each in runs]) for colors in COLORS]
            lines.append([*head, f"{fmean(each.minutes for each in runs):.1f}", *cells])
    return table(["ablation", "recipe", "seeds", "epochs", "minutes", *(f"K = {k}" for k in COLORS)], lines)


def _spread(shares: Sequence[float]) -> str:
    """Mean and sample standard deviation, in percent."""
    spread = f" ± {100 * stdev(shares):.1f}" if len(shares) > 1 else ""
    return f"{_percent(fmean(shares))}{spread}"


def _every_row(trained: Iterable[Trained]) -> str:
    heading = ["recipe", "dataset", "classifier", "protocol", "K", "top-1", "gap", "bits per pixel", "PSNR"]
    heading += ["seeds", "hardware", "minutes"]
    return table(heading, [line for each in trained for line in _lines(each)])


def _lines(each: Trained) -> Iterable[list[str]]:
    """One for each K, or the one of a classifier."""
    report, recipe = each.report, each.recipe
    head = [f"`{recipe.file.stem}`", report["dataset"], report["classifier"], recipe.protocol.partition(":")[0]]
    tail = [str(len(recipe.seeds)), each.run.hardware, f"{each.run.minutes:.0f}"]
    if not each.rows:
        yield [*head, _NONE, _percent(each.original), *[_NONE] * 3, *tail]
    for row in each.rows:
        gap = f"{100 * (row['top1'] - each.original):+.1f}"
        likeness = "exact" if row["psnr"] is None else f"{row['psnr']:.1f}"
        yield [*head, str(row["colors"]), _percent(row["top1"]), gap, f"{row['bits_per_pixel']:.2f}", likeness, *tail]


def _percent(share: float | None) -> str:
    return _NONE if share is None else f"{100 * share:.1f}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m training.rows", description="Print the tables of all trained networks in Markdown."
    )
    parser.add_argument("--results", type=Path, required=True, help="folder of the reports and of logs/")
    parser.add_argument("--recipes", type=Path, default=SHIPPED, help="folder of the recipes (those of the project)")
    return parser


if __name__ == "__main__":
    run.command(main)
