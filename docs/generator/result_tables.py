"""Tables of measured results, whole or in part, as Markdown."""

from collections.abc import Mapping, Sequence
from typing import Any

from docs.generator.quantities import quantity
from docs.generator.reports import epochs_of, report_of, row_tables, tables_of
from training.report.markdown import table

_COLORS = (2, 4, 8, 16, 32, 64)


def evaluation(names: str, title: str, *only: str) -> str:
    """Return a table of an evaluation by its title; `only`: the lines that begin with these cells."""
    return _lines(_titled(tables_of(names), title), only)


def all_rows(title: str, *only: str) -> str:
    """Return a table of all trained networks by its title; `only` as for `evaluation`."""
    return _lines(_titled(row_tables(), title), only)


def learning_curve(*rounds: str) -> str:
    """Return top-1 on held-out images over the epochs of some runs, each given as NAME=LOG."""
    lines = [
        [name, str(row["epoch"]), *(f"{100 * row[f'held_out_top1_{k}']:.1f}" for k in _COLORS)]
        for name, _, log in (each.partition("=") for each in rounds)
        for row in epochs_of(log)
        if "held_out_top1_2" in row
    ]
    return table(["round", "epoch", *(f"K = {k}" for k in _COLORS)], lines)


def targets(study: str) -> str:
    """Return the goals of a study beside the measured values, from targets.json."""
    rows = [row for row in report_of("targets")["rows"] if row["study"] == study]
    if not rows:
        raise ValueError(f"there are no targets of {study!r}")
    return table(["target", "goal", "measured", "reached"], [_target(row) for row in rows])


def _target(row: Mapping[str, Any]) -> list[str]:
    """Return one goal; of several quantities the worst counts, and of a pair the difference."""
    measured = [row["scale"] * _difference(*pair) for pair in row["quantities"]]
    if "at_least" in row:
        goal, worst = f"at least {row['at_least']}", min(measured)
        reached = worst >= row["at_least"]
    else:
        goal, worst = f"at most {row['at_most']}", max(measured)
        reached = worst <= row["at_most"]
    return [row["target"], goal, f"{worst:.{row['decimals']}f}", "yes" if reached else "no"]


def _difference(left: str, right: str | None = None) -> float:
    return quantity(left) - (quantity(right) if right else 0.0)


def _titled(tables: Mapping[str, str], title: str) -> str:
    if title not in tables:
        raise ValueError(f"there is no table {title!r}, only {', '.join(map(repr, tables))}")
    return tables[title]


def _lines(text: str, only: Sequence[str]) -> str:
    if not only:
        return text
    heading, rule, *body = text.splitlines()
    found = {line.strip("| ").split(" | ")[0]: line for line in body}
    missing = [name for name in only if name not in found]
    if missing:
        raise ValueError(f"no line begins with {', '.join(missing)}, only {', '.join(found)}")
    return "\n".join([heading, rule, *(found[name] for name in only)])
