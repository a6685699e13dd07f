"""Tables of all trained networks beside published ones, from reports and logs alone.

    python -m training.report.rows --results docs/results

A recipe has a line if a report of `training.evaluate` covers its model and logs/NAME.jsonl covers its run. A recipe
that is not measured on the test set, such as an ablation, has a line from its logs: mean and spread over the seeds.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean, stdev
from typing import Self

from models.evaluation.compare import Summary
from models.evaluation.report_rows import PublishedRow
from models.evaluation.reports import BadReport, EvaluationReport, PublishedReport, read
from models.names import REFINED, REFINED_CODE, VARIANTS, method_name
from training.cli import command_line
from training.cli.recipe import SHIPPED, Recipe, classifier_name, row_name
from training.options import Options
from training.report.markdown import NONE, table
from training.report.reading import read_folder

COLORS = (2, 4, 8, 16, 32, 64)
"""Numbers of colors with indices of 1 to 6 bits, as in the literature."""
PUBLISHED_FILE = "published.json"
"""Report of published results, in the folder of the reports."""
_REFINED = {None: "", REFINED: ", refined", REFINED_CODE: ", refined for this classifier alone"}


@dataclass(frozen=True)
class Run:
    """The log of a finished run.

    minutes, epochs: of training. scores: on the held-out part of the training set, 0 to 1, by name.
    """

    hardware: str
    minutes: float
    epochs: int
    scores: Mapping[str, float]

    @classmethod
    def read(cls, log: Path) -> Self:
        """Read the log.jsonl of a finished run."""
        events = [json.loads(line) for line in log.read_text().splitlines()]
        last = [event for event in events if event["event"] == "epoch"][-1]
        scores = {name: value for name, value in last.items() if name.startswith("held_out_")}
        return cls(events[0]["hardware"], last["seconds"] / 60, last["epoch"], scores)


@dataclass(frozen=True)
class Seed:
    """One run of a recipe and its report. rows: the rows of its model; a classifier has none."""

    report: EvaluationReport
    rows: Sequence[Summary]
    run: Run

    @property
    def original(self) -> float:
        """Top-1 of the classifier on the originals, 0 to 1."""
        return self.report.top1_original

    def row(self, colors: int) -> Summary | None:
        """Return the row with this number of colors, or None if it was not measured."""
        return next((row for row in self.rows if row.colors == colors), None)


@dataclass(frozen=True)
class Trained:
    """A recipe that was trained and measured on the test set.

    seeds: one or more. refined: the method of the rows, REFINED or REFINED_CODE; None for rows without refinement.
    """

    recipe: Recipe
    seeds: Sequence[Seed]
    refined: str | None = None

    @property
    def first(self) -> Seed:
        """First seed, for all values that the seeds have in common."""
        return self.seeds[0]

    @property
    def colors(self) -> list[int]:
        """Numbers of colors that were measured; none for a classifier."""
        return [row.colors for row in self.first.rows if row.colors]

    @property
    def minutes(self) -> float:
        """Mean training time of a run."""
        return fmean(seed.run.minutes for seed in self.seeds)

    def rows(self, colors: int) -> list[Summary]:
        """Return the row with this number of colors for each seed that has one."""
        return [row for seed in self.seeds if (row := seed.row(colors)) is not None]


class RowsOptions(Options):
    """Print the tables of all trained networks in Markdown."""

    results: Path
    """Folder of data/, with the reports, and of logs/."""
    recipes: Path = SHIPPED
    """Folder of the recipes."""


def main(argv: Sequence[str] | None = None) -> str:
    """Print every table under its title; return the printed text."""
    options = command_line.parse(RowsOptions, "training.report.rows", argv)
    text = "\n\n".join(f"{title}:\n\n{body}" for title, body in tables(options.results, options.recipes).items())
    print(text)
    return text


def tables(results: Path, recipes: Path = SHIPPED) -> dict[str, str]:
    """Return every table that has a line, by its title.

    results: folder of data/, the reports, and of logs/. recipes: folder of the recipes. Raises BadReport if a file
    of data/ is not a report.
    """
    known = [Recipe.read(str(file)) for file in sorted(recipes.glob("*.toml"))]
    reports = [report for report in read_folder(results / "data") if isinstance(report, EvaluationReport)]
    trained = list(_measured(reports, results, known))
    published = _published(results / "data" / PUBLISHED_FILE).rows
    datasets = sorted({each.first.report.dataset for each in trained})
    bodies = {
        **{f"Networks on {dataset}, top-1 in %": _networks(dataset, published, trained) for dataset in datasets},
        "Transfer to a classifier that took no part in training, top-1 in %": _transfer(reports, known),
        **_ablations(results, known),
        "All trained models": _all_models(trained),
    }
    return {title: body for title, body in bodies.items() if body.count("\n") > 1}


def _published(file: Path) -> PublishedReport:
    report = read(file)
    if not isinstance(report, PublishedReport):
        raise BadReport(f"{file} is a report of kind {report.kind.value!r}, not of published results")
    return report


def _measured(reports: Sequence[EvaluationReport], results: Path, recipes: Iterable[Recipe]) -> Iterable[Trained]:
    """Yield the recipes that were measured on the test set, in the given order."""
    for recipe in recipes:
        for refined in (None, REFINED, REFINED_CODE):
            names = [row_name(recipe, seed) for seed in recipe.seeds]
            seeds = [seed for name in names if (seed := _seed(reports, results, recipe, name, refined))]
            if seeds:
                yield Trained(recipe, seeds, refined)


def _seed(
    reports: Sequence[EvaluationReport], results: Path, recipe: Recipe, name: str, refined: str | None
) -> Seed | None:
    """Return the run of the model `name` of a recipe; None without a log or a report of that method."""
    classifier = classifier_name(recipe, name)
    for report in reports if _log(results, name).exists() else ():
        if name in report.sha256 and report.classifier == classifier:
            rows = [row for row in report.rows if row.model == name and _counts(row.method, refined)]
            if rows or (name == classifier and not refined):  # a classifier has no rows
                return Seed(report, rows, _whole_run(results, recipe, name))
    return None


def _counts(method: str, refined: str | None) -> bool:
    return method == refined if refined else method not in VARIANTS


def _whole_run(results: Path, recipe: Recipe, name: str) -> Run:
    """Return a run of a recipe, whose epochs and minutes include the runs that its weights started from."""
    own = Run.read(_log(results, name))
    first = recipe.train.get("start")
    if first is None or not _log(results, first).exists():
        return own
    before = _whole_run(results, Recipe.read(str(recipe.file.with_name(f"{first}.toml"))), first)
    return replace(own, minutes=before.minutes + own.minutes, epochs=before.epochs + own.epochs)


def _log(results: Path, name: str) -> Path:
    return results / "logs" / f"{name}.jsonl"


def _networks(dataset: str, published: Iterable[PublishedRow], trained: Iterable[Trained]) -> str:
    others = [row for row in published if row.dataset == dataset]
    networks = [each for each in trained if each.colors and each.first.report.dataset == dataset]
    heading = ["network", "classifier", "on originals", "epochs", *_columns()]
    return table(heading, [*map(_published_line, others), *map(_network_line, networks)])


def _columns() -> list[str]:
    return [f"K = {colors}" for colors in COLORS]


def _published_line(row: PublishedRow) -> list[str]:
    return [row.title, row.classifier, NONE, str(row.epochs or NONE), *(_percent(row.top1.get(k)) for k in COLORS)]


def _network_line(each: Trained) -> list[str]:
    first = each.first
    title = each.recipe.title + _REFINED[each.refined]
    head = [title, first.report.classifier, _percent(first.original), str(first.run.epochs)]
    return [*head, *(_spread(_top1(each.rows(colors))) for colors in COLORS)]


def _transfer(reports: Iterable[EvaluationReport], recipes: Iterable[Recipe]) -> str:
    """Return a line for each method of the reports whose classifier is not the one of the quantizer's training."""
    partner = {recipe.file.stem: classifier_name(recipe, recipe.file.stem) for recipe in recipes}
    lines = []
    for report in reports:
        if any(partner.get(name, report.classifier) != report.classifier for name in report.sha256):
            palettes = [row for row in report.rows if row.colors]
            for method, model in dict.fromkeys((row.method, row.model) for row in palettes):
                top1 = {row.colors: row.top1 for row in palettes if (row.method, row.model) == (method, model)}
                names = [method_name(method), f"`{model}`" if model else NONE, partner.get(model or "", NONE)]
                shares = [report.top1_original, *(top1.get(colors) for colors in COLORS)]
                lines.append([*names, report.classifier, *map(_percent, shares)])
    return table(["method", "model", "trained with", "classified by", "on originals", *_columns()], lines)


def _ablations(results: Path, recipes: Iterable[Recipe]) -> dict[str, str]:
    """Return a table for each dataset: a line for each recipe that is not measured on the test set."""
    lines: dict[str, list[list[str]]] = {}
    for recipe in recipes:
        logs = [_log(results, row_name(recipe, seed)) for seed in recipe.seeds]
        runs = [Run.read(log) for log in logs if log.exists()]
        if runs and not recipe.test:
            lines.setdefault(recipe.train.get("dataset", NONE), []).append(_ablation_line(recipe, runs))
    heading = ["ablation", "recipe", "seeds", "epochs", "minutes", *_columns()]
    return {
        f"Ablations on {dataset}, top-1 in % on the held-out part of the training set": table(heading, body)
        for dataset, body in lines.items()
    }


def _ablation_line(recipe: Recipe, runs: Sequence[Run]) -> list[str]:
    """Return a line with the mean time of the runs, and the mean and the deviation of their top-1."""
    head = [recipe.title, f"`{recipe.file.stem}`", str(len(runs)), str(runs[0].epochs)]
    cells = [_spread([run.scores[f"held_out_top1_{colors}"] for run in runs]) for colors in COLORS]
    return [*head, f"{fmean(run.minutes for run in runs):.1f}", *cells]


def _all_models(trained: Iterable[Trained]) -> str:
    heading = ["recipe", "dataset", "classifier", "protocol", "K", "top-1", "gap", "bits per pixel", "PSNR"]
    heading += ["seeds", "hardware", "minutes"]
    return table(heading, [line for each in trained for line in _model_lines(each)])


def _model_lines(each: Trained) -> Iterable[list[str]]:
    """Yield a line for each K, or one line for a classifier; values are means over the seeds."""
    report, recipe = each.first.report, each.recipe
    originals = [seed.original for seed in each.seeds]
    name = f"`{recipe.file.stem}`{_REFINED[each.refined]}"
    head = [name, report.dataset, report.classifier, recipe.protocol.partition(":")[0]]
    tail = [str(len(each.seeds)), each.first.run.hardware, f"{each.minutes:.0f}"]
    if not each.colors:
        yield [*head, NONE, _spread(originals), *[NONE] * 3, *tail]
    for colors in each.colors:
        rows = each.rows(colors)
        top1, psnr = _top1(rows), [row.psnr for row in rows if row.psnr is not None]
        gap, bits = 100 * (fmean(top1) - fmean(originals)), fmean(row.bits_per_pixel for row in rows)
        decibels = f"{fmean(psnr):.1f}" if len(psnr) == len(rows) else "exact"
        yield [*head, str(colors), _spread(top1), f"{gap:+.1f}", f"{bits:.2f}", decibels, *tail]


def _top1(rows: Iterable[Summary]) -> list[float]:
    return [row.top1 for row in rows if row.top1 is not None]


def _spread(shares: Sequence[float]) -> str:
    """Return mean and sample standard deviation, in percent."""
    if not shares:
        return NONE
    spread = f" ± {100 * stdev(shares):.1f}" if len(shares) > 1 else ""
    return f"{_percent(fmean(shares))}{spread}"


def _percent(share: float | None) -> str:
    return NONE if share is None else f"{100 * share:.1f}"


if __name__ == "__main__":
    command_line.run(main)
