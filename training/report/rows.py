"""The opening tables of docs/results: every trained network beside what was published, from JSON and logs alone.

    python -m training.report.rows --results docs/results

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

from models.names import REFINED, VARIANTS, method_name
from training.cli.arguments import command
from training.cli.recipe import SHIPPED, Recipe
from training.report.markdown import table
from training.reproduce import judge_name, row_name

COLORS = (2, 4, 8, 16, 32, 64)
"""1 to 6 bits, as the field compares them."""
PUBLISHED_FILE = "published.json"
"""What others measured: dataset, title, classifier and source of each, and top-1 by K."""

_NONE = "-"


@dataclass(frozen=True)
class Seed:
    """One run of a recipe and its report: `rows` are those of its model, none for a classifier."""

    report: Mapping[str, Any]
    rows: Sequence[Mapping[str, Any]]
    run: "Run"

    @property
    def original(self) -> float:
        """Top-1 of the classifier on the originals, 0 to 1."""
        return float(self.report["top1_original"])

    def of(self, colors: int) -> Mapping[str, Any] | None:
        """The row of that many colors; None where it was not measured."""
        return next((row for row in self.rows if row["colors"] == colors), None)


@dataclass(frozen=True)
class Trained:
    """A recipe that was run and measured on the test set, with at least one seed; refined: as `colorcnn_refined`."""

    recipe: Recipe
    seeds: Sequence[Seed]
    refined: bool = False

    @property
    def first(self) -> Seed:
        """The one that stands for what all have in common."""
        return self.seeds[0]

    @property
    def colors(self) -> list[int]:
        """What it was measured at, none for a classifier."""
        return [row["colors"] for row in self.first.rows]

    @property
    def minutes(self) -> float:
        """Of one run, in the mean."""
        return fmean(seed.run.minutes for seed in self.seeds)

    def values(self, colors: int, name: str) -> list[Any]:
        """One value of the row of that many colors for each seed that has one."""
        return [row[name] for seed in self.seeds if (row := seed.of(colors)) is not None]


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
    """Every table that has a line, by its title, of the reports in one folder and the recipes in another."""
    known = [Recipe.read(str(file)) for file in sorted(recipes.glob("*.toml"))]
    reports = _evaluations(results)
    trained = list(_measured(reports, results, known))
    published = json.loads((results / "data" / PUBLISHED_FILE).read_text())["rows"]
    datasets = sorted({each.first.report["dataset"] for each in trained})
    found = {
        **{f"Side by side on {dataset}, top-1 in %": _beside(dataset, published, trained) for dataset in datasets},
        "Read by a classifier that had no part in it, top-1 in %": _transferred(reports, known),
        **_ablations(results, known),
        "Every row": _every_row(trained),
    }
    return {title: body for title, body in found.items() if body.count("\n") > 1}


def _evaluations(results: Path) -> list[Mapping[str, Any]]:
    """What training.evaluate wrote into a folder."""
    reports = [json.loads(file.read_text()) for file in sorted((results / "data").glob("*.json"))]
    return [
        each
        for each in reports
        if {"top1_original", "sha256"} <= each.keys() and not {"codec", "knob", "tuning"} & each.keys()
    ]


def _measured(reports: Sequence[Mapping[str, Any]], results: Path, recipes: Iterable[Recipe]) -> Iterable[Trained]:
    """What the test set was read for, in the order of the recipes."""
    for recipe in recipes:
        for refined in (False, True):
            seeds = [_seed(reports, results, recipe, row_name(recipe, seed), refined) for seed in recipe.seeds]
            if found := [seed for seed in seeds if seed]:
                yield Trained(recipe, found, refined)


def _seed(reports: Sequence[Mapping[str, Any]], results: Path, recipe: Recipe, name: str, refined: bool) -> Seed | None:
    """One run of a recipe, by the name of its model, if it was measured so and there is a log of it."""
    judge = judge_name(recipe, name)
    for report in reports if _log(results, name).exists() else ():
        if name in report["sha256"] and report["classifier"] == judge:
            rows = [row for row in report["rows"] if row["model"] == name and _counts(row["method"], refined)]
            if rows or (name == judge and not refined):  # of a classifier there are none
                return Seed(report, rows, _whole_run(results, recipe, name))
    return None


def _counts(method: str, refined: bool) -> bool:
    return method == REFINED if refined else method not in VARIANTS


def _whole_run(results: Path, recipe: Recipe, name: str) -> Run:
    """A run of a recipe, with the epochs and minutes of those whose weights it started from."""
    own = Run.read(_log(results, name))
    first = recipe.train.get("start")
    if first is None or not _log(results, first).exists():
        return own
    before = _whole_run(results, Recipe.read(str(recipe.file.with_name(f"{first}.toml"))), first)
    return replace(own, minutes=before.minutes + own.minutes, epochs=before.epochs + own.epochs)


def _log(results: Path, name: str) -> Path:
    return results / "logs" / f"{name}.jsonl"


def _beside(dataset: str, published: Iterable[Mapping[str, Any]], trained: Iterable[Trained]) -> str:
    others = [row for row in published if row["dataset"] == dataset]
    networks = [each for each in trained if each.colors and each.first.report["dataset"] == dataset]
    heading = ["network", "classifier", "on originals", "epochs", *(f"K = {k}" for k in COLORS)]
    return table(heading, [*map(_published_line, others), *map(_line, networks)])


def _published_line(row: Mapping[str, Any]) -> list[str]:
    top1 = [row["top1"].get(str(colors)) for colors in COLORS]
    return [row["title"], row["classifier"], _NONE, str(row["epochs"] or _NONE), *map(_percent, top1)]


def _line(each: Trained) -> list[str]:
    first = each.first
    title = f"{each.recipe.title}, refined for each image" if each.refined else each.recipe.title
    head = [title, first.report["classifier"], _percent(first.original), str(first.run.epochs)]
    return [*head, *(_spread(each.values(colors, "top1")) for colors in COLORS)]


def _transferred(reports: Iterable[Mapping[str, Any]], recipes: Iterable[Recipe]) -> str:
    """Reports of a classifier that the quantizer was not trained with: every method in them, as it read it."""
    partner = {recipe.file.stem: judge_name(recipe, recipe.file.stem) for recipe in recipes}
    lines = []
    for report in reports:
        reader = report["classifier"]
        if any(partner.get(name, reader) != reader for name in report["sha256"]):
            painted = [row for row in report["rows"] if row["colors"]]
            for method, model in dict.fromkeys((row["method"], row["model"]) for row in painted):
                top1 = {
                    row["colors"]: row["top1"] for row in painted if (row["method"], row["model"]) == (method, model)
                }
                head = [method_name(method), f"`{model}`" if model else _NONE, partner.get(model, _NONE), reader]
                cells = [_percent(share) for share in (report["top1_original"], *map(top1.get, COLORS))]
                lines.append([*head, *cells])
    heading = ["method", "model", "trained with", "read by", "on originals", *(f"K = {k}" for k in COLORS)]
    return table(heading, lines)


def _ablations(results: Path, recipes: Iterable[Recipe]) -> dict[str, str]:
    """For each dataset a line for each recipe that the test set is not read for: means, and deviation of top-1."""
    lines: dict[str, list[list[str]]] = {}
    for recipe in recipes:
        logs = [_log(results, row_name(recipe, seed)) for seed in recipe.seeds]
        runs = [Run.read(log) for log in logs if log.exists()]
        if runs and not recipe.test:
            head = [recipe.title, f"`{recipe.file.stem}`", str(len(runs)), str(runs[0].epochs)]
            cells = [_spread([each.scores[f"held_out_top1_{colors}"] for each in runs]) for colors in COLORS]
            line = [*head, f"{fmean(each.minutes for each in runs):.1f}", *cells]
            lines.setdefault(recipe.train.get("dataset", _NONE), []).append(line)
    heading = ["ablation", "recipe", "seeds", "epochs", "minutes", *(f"K = {k}" for k in COLORS)]
    return {
        f"Ablations on {dataset}, top-1 in % on the held-out part of train": table(heading, body)
        for dataset, body in lines.items()
    }


def _spread(shares: Sequence[float]) -> str:
    """Mean and sample standard deviation, in percent."""
    if not shares:
        return _NONE
    spread = f" ± {100 * stdev(shares):.1f}" if len(shares) > 1 else ""
    return f"{_percent(fmean(shares))}{spread}"


def _every_row(trained: Iterable[Trained]) -> str:
    heading = ["recipe", "dataset", "classifier", "protocol", "K", "top-1", "gap", "bits per pixel", "PSNR"]
    heading += ["seeds", "hardware", "minutes"]
    return table(heading, [line for each in trained for line in _lines(each)])


def _lines(each: Trained) -> Iterable[list[str]]:
    """One for each K, or the one of a classifier; means over the seeds."""
    report, recipe = each.first.report, each.recipe
    originals = [seed.original for seed in each.seeds]
    name = f"`{recipe.file.stem}`, refined" if each.refined else f"`{recipe.file.stem}`"
    head = [name, report["dataset"], report["classifier"], recipe.protocol.partition(":")[0]]
    tail = [str(len(each.seeds)), each.first.run.hardware, f"{each.minutes:.0f}"]
    if not each.colors:
        yield [*head, _NONE, _spread(originals), *[_NONE] * 3, *tail]
    for colors in each.colors:
        top1, likeness = each.values(colors, "top1"), each.values(colors, "psnr")
        gap, bits = 100 * (fmean(top1) - fmean(originals)), fmean(each.values(colors, "bits_per_pixel"))
        decibels = "exact" if None in likeness else f"{fmean(likeness):.1f}"
        yield [*head, str(colors), _spread(top1), f"{gap:+.1f}", f"{bits:.2f}", decibels, *tail]


def _percent(share: float | None) -> str:
    return _NONE if share is None else f"{100 * share:.1f}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m training.report.rows", description="Print the tables of all trained networks in Markdown."
    )
    parser.add_argument("--results", type=Path, required=True, help="folder of data/ (the reports) and logs/")
    parser.add_argument("--recipes", type=Path, default=SHIPPED, help="folder of the recipes (those of the project)")
    return parser


if __name__ == "__main__":
    command(main)
