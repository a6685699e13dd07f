"""Reports of evaluations that stand beside each other: the rows of several files on one test set, as one."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from training.data.datasets import DatasetError

_COMMON = ("dataset", "split", "images", "classifier", "top1_original")
_SETTING = ("method", "model", "colors", "quality")


def read_together(first: Path, others: Sequence[Path] = ()) -> Mapping[str, Any]:
    """The report in a JSON file, with the rows of other ones of `training.evaluate` beside its own.

    A setting that is in several is taken once, from the first of them. Methods with a network come first.

    Raises DatasetError where one is of other images or another classifier; OSError, ValueError, KeyError or TypeError
    where one is no report.
    """
    content: Mapping[str, Any] = json.loads(first.read_bytes())
    if not others:
        return content  # of any evaluation; the rows of some tell no such setting
    rows: dict[tuple[Any, ...], Mapping[str, Any]] = {}
    for file in (first, *others):
        report = json.loads(file.read_bytes())
        for name in _COMMON:
            if report[name] != content[name]:
                raise DatasetError(f"{name} of {file} is {report[name]!r}, not {content[name]!r}")
        for row in report["rows"]:
            rows.setdefault(tuple(row[name] for name in _SETTING), row)
    return {**content, "rows": sorted(rows.values(), key=lambda row: row["model"] is None)}
