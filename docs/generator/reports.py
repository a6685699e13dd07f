"""Reports and logs in docs/results, read by name."""

import json
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from models.evaluation.reports import to_json
from tests.benchmarks import bpg, likeness, offline, quantizers, refinement, serving, shared, start
from training.report import figures, rows, tables
from training.report.reading import read_together

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "docs" / "results"
DATA, LOGS, FIGURES = (RESULTS / name for name in ("data", "logs", "figures"))

Report = Mapping[str, Any]


def file_of(name: str) -> Path:
    """Return the JSON file of a report; ValueError if there is none."""
    file = DATA / f"{name}.json"
    if not file.is_file():
        raise ValueError(f"there is no report {name!r} in {DATA.relative_to(ROOT)}")
    return file


@cache
def report_of(names: str) -> Report:
    """Return a report by its name, or several reports, joined by `+`, as one report with all rows."""
    first, *others = map(file_of, names.split("+"))
    if others:
        return to_json(read_together(first, others))
    content: Report = json.loads(first.read_bytes())
    return content


@cache
def tables_of(names: str) -> Mapping[str, str]:
    """Return the tables of an evaluation by their titles; `names` as for `report_of`."""
    first, *others = map(file_of, names.split("+"))
    return tables.tables(read_together(first, others))


@cache
def figures_of(names: str) -> Mapping[str, Figure]:
    """Return the figures of an evaluation by the endings of their file names; `names` as for `report_of`."""
    first, *others = map(file_of, names.split("+"))
    return figures.figures_of(first, others)


@cache
def row_tables() -> Mapping[str, str]:
    """Return the tables of all trained networks by their titles."""
    return rows.tables(RESULTS)


def benchmark_table(name: str) -> str:
    """Return the table of a benchmark of tests/benchmarks."""
    tables = {
        "serving": serving.table,
        "bpg-speed": bpg.table,
        "quantizers": quantizers.table,
        "likeness": likeness.table,
        "refinement": refinement.table,
        "start": start.tables,
        "shared": shared.table,
        "offline": offline.table,
    }
    return tables[name](dict(report_of(name)))


@cache
def epochs_of(name: str) -> Sequence[Report]:
    """Return the epochs that a log holds; ValueError if there is no such log."""
    file = LOGS / f"{name}.jsonl"
    if not file.is_file():
        raise ValueError(f"there is no log {name!r} in {LOGS.relative_to(ROOT)}")
    events = map(json.loads, file.read_text().splitlines())
    return [event for event in events if event["event"] == "epoch"]
