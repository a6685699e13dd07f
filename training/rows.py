"""The opening tables of RESULTS.md: every trained network beside what was published, from the files in results/ alone.

    python -m training.rows --results results

A recipe has its lines where a report of `training.evaluate` holds its model and logs/NAME.jsonl tells of its run.
"""

import argparse
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training import run
from training.markdown import table
from training.recipe import SHIPPED, Recipe

COLORS = (2, 4, 8, 16, 32, 64)
"""1 to 6 bits, as the field compares them."""
PUBLISHED_FILE = "published.json"
"""What others measured: title, classifier and source of each, and top-1 by K."""

_ABLATION = "-ablation-"
_ONE_PASS = "colorcnn_one_pass"
_NONE = "-"


@dataclass(frozen=True)
class Trained:
    """A recipe that was run: `rows` are those of its model in `report`, none for a classifier."""

    recipe: Recipe
    report: Mapping[str, Any]
    rows: Sequence[Mapping[str, Any]]
    hardware: str
    minutes: float
    epochs: int

    @property
    def original(self) -> float:
        """Top-1 of the classifier on the originals, 0 to 1."""
        return float(self.report["top1_original"])

    def top1(self, colors: int) -> float | None:
        """Of the images in that many colours, 0 to 1; None where it was not measured."""
        return next((row["top1"] for row in self.rows if row["colors"] == colors), None)


def main(argv: Sequence[str] | None = None) -> str:
    """Parse flags and print every table under its title; returns what was printed."""
    args = _parser().parse_args(argv)
    text = "\n\n".join(f"{title}:\n\n{body}" for title, body in tables(args.results, args.recipes).items())
    print(text)
    return text


def tables(results: Path, recipes: Path = SHIPPED) -> dict[str, str]:
    """Every table by its title, of the reports in one folder and the recipes in another."""
    trained = list(_read(results, recipes))
    networks = [each for each in trained if each.rows]
    ablations = [each for each in networks if _ABLATION in each.recipe.file.stem]
    whole = [each for each in networks if each not in ablations]
    published = json.loads((results / PUBLISHED_FILE).read_text())["rows"]
    return {
        "Side by side, top-1 in %": _beside([*map(_published_line, published), *map(_line, whole)]),
        "Ablations, top-1 in %": _beside(map(_line, ablations)),
        "Every row": _every_row(trained),
    }


def _read(results: Path, recipes: Path) -> Iterable[Trained]:
    """What is there of each recipe, in the order of their names."""
    reports = [json.loads(file.read_text()) for file in sorted(results.glob("*.json"))]
    evaluations = [
        report
        for report in reports
        if {"top1_original", "sha256"} <= report.keys() and not {"codec", "knob"} & report.keys()
    ]
    for file in sorted(recipes.glob("*.toml")):
        log = results / "logs" / f"{file.stem}.jsonl"
        report = next((each for each in evaluations if file.stem in each["sha256"]), None)
        if report and log.exists():
            yield _trained(Recipe.read(str(file)), report, log)


def _trained(recipe: Recipe, report: Mapping[str, Any], log: Path) -> Trained:
    name = recipe.file.stem
    events = [json.loads(line) for line in log.read_text().splitlines()]
    last = [event for event in events if event["event"] == "epoch"][-1]
    rows = [row for row in report["rows"] if row["model"] == name and row["method"] != _ONE_PASS]
    return Trained(recipe, report, rows, events[0]["hardware"], last["seconds"] / 60, last["epoch"])


def _beside(lines: Iterable[Sequence[str]]) -> str:
    return table(["network", "classifier", "on originals", "epochs", *(f"K = {k}" for k in COLORS)], list(lines))


def _published_line(row: Mapping[str, Any]) -> list[str]:
    top1 = [row["top1"].get(str(colors)) for colors in COLORS]
    return [row["title"], row["classifier"], _NONE, str(row["epochs"] or _NONE), *map(_percent, top1)]


def _line(each: Trained) -> list[str]:
    top1 = [each.top1(colors) for colors in COLORS]
    return [
        each.recipe.title,
        each.report["classifier"],
        _percent(each.original),
        str(each.epochs),
        *map(_percent, top1),
    ]


def _every_row(trained: Iterable[Trained]) -> str:
    heading = ["recipe", "dataset", "classifier", "protocol", "K", "top-1", "gap", "bits per pixel", "PSNR"]
    heading += ["seeds", "hardware", "minutes"]
    return table(heading, [line for each in trained for line in _lines(each)])


def _lines(each: Trained) -> Iterable[list[str]]:
    """One for each K, or the one of a classifier."""
    report, recipe = each.report, each.recipe
    head = [f"`{recipe.file.stem}`", report["dataset"], report["classifier"], recipe.protocol.partition(":")[0]]
    tail = [str(len(recipe.seeds)), each.hardware, f"{each.minutes:.0f}"]
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
