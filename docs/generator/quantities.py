"""Single numbers of a report or a log, formatted for a sentence.

A quantity is written FILE:PATH. FILE is a report of docs/results/data, or `log/NAME` for the last epoch of a log and
`log/NAME@1` for its first. PATH is one of

    load.accepted.p99_ms          keys, and places of lists, from the top of the report
    colorcnn@2.top1               a value of the row of that method and number of colors
    bpg@-/31.top1                 no palette (-), coded at that QP, quality or fidelity
    kmeans@2[512:own].kept        at that side, read by a classifier of that name or role
    kmeans@2.resists.8            a value that has a key of its own

Forms of one quantity: `percent` of a share (also `percent0` and `percent2`, by their decimals), `number` with thousands
separated (also `number1` to `number3`), `minutes` of seconds, `gigabytes` of bytes. Forms of two: `points A B`, the
difference of two shares in percentage points; `less A B`, the plain difference A - B; `times A B`, the ratio A / B.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from docs.generator.reports import epochs_of, report_of

_ROW = re.compile(
    r"(?P<method>\w+)@(?P<colors>-|\d+)(/(?P<coded>[\d.]+))?(\[(?P<side>\d+):(?P<reader>[\w-]+)\])?\.(?P<field>\w+)(\.(?P<key>\w+))?"
)
_CODED = ("qp", "quality", "fidelity")

_FORMS: Mapping[str, Callable[[float], str]] = {
    "percent": lambda share: f"{100 * share:.1f} %",
    "percent0": lambda share: f"{100 * share:.0f} %",
    "percent2": lambda share: f"{100 * share:.2f} %",
    "number": lambda value: f"{value:,.0f}",
    "number1": lambda value: f"{value:,.1f}",
    "number2": lambda value: f"{value:,.2f}",
    "number3": lambda value: f"{value:,.3f}",
    "minutes": lambda seconds: f"{seconds / 60:.0f}",
    "gigabytes": lambda size: f"{size / 1e9:.2f} GB",
}
_PAIRS: Mapping[str, Callable[[float, float], str]] = {
    "points": lambda left, right: f"{round(100 * left - 100 * right, 9):.1f}",  # 7.65 as 7.7, not 7.649...
    "less": lambda left, right: f"{left - right:.1f}",
    "times": lambda left, right: f"{left / right:.1f}",
}


def value(form: str, *quantities: str) -> str:
    """Return one quantity, or the comparison of two, as text for a sentence; ValueError for an unknown quantity."""
    numbers = [quantity(each) for each in quantities]
    match numbers:
        case [one] if form in _FORMS:
            return _FORMS[form](one)
        case [left, right] if form in _PAIRS:
            return _PAIRS[form](left, right)
    raise ValueError(f"{form!r} does not take {len(numbers)} quantities; forms: {', '.join([*_FORMS, *_PAIRS])}")


def quantity(text: str) -> float:
    """Return the number that FILE:PATH names; ValueError if there is none."""
    file, _, path = text.partition(":")
    content = _content(file)
    row = _ROW.fullmatch(path)
    found = _of_row(content["rows"], row, text) if row else _at(content, path, text)
    if isinstance(found, bool) or not isinstance(found, int | float):
        raise ValueError(f"{text} is {found!r:.80}, not a number")
    return found


def _content(file: str) -> Mapping[str, Any]:
    folder, _, name = file.rpartition("/")
    if folder != "log":
        return report_of(file)
    name, _, place = name.partition("@")
    return epochs_of(name)[int(place) - 1 if place else -1]


def _of_row(rows: Sequence[Mapping[str, Any]], wanted: re.Match[str], text: str) -> Any:
    colors = None if wanted["colors"] == "-" else int(wanted["colors"])
    found = [row for row in rows if row["method"] == wanted["method"] and row.get("colors") == colors]
    if wanted["coded"]:
        found = [row for row in found if float(wanted["coded"]) in {row.get(name) for name in _CODED}]
    if wanted["side"]:
        read = [row for row in found if wanted["reader"] in (row["reader"], row["role"])]
        here = [row for row in read if row["side"] == int(wanted["side"])]
        found = [row for row in here if not row["model"]] or here  # a model marks the form for one classifier
    if len(found) != 1:
        raise ValueError(f"{len(found)} rows are {text}")
    value = found[0].get(wanted["field"])
    return _at(value, wanted["key"], text) if wanted["key"] else value


def _at(content: Any, path: str, text: str) -> Any:
    for key in path.split("."):
        try:
            content = content[int(key)] if isinstance(content, list) else content[key]
        except (KeyError, IndexError, TypeError, ValueError) as error:
            raise ValueError(f"{text}: nothing is at {key!r}") from error
    return content
