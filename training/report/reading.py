"""Reading of several reports: all reports of a folder, or several reports of one test set as one."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from models.evaluation.compare import Setting, Summary
from models.evaluation.reports import TYPED, BadReport, Report, SummaryReport, kind_of, load, read

_COMMON = ("dataset", "split", "images", "classifier", "top1_original")


def read_folder(folder: Path) -> Iterator[Report]:
    """Yield the reports of a folder that have a dataclass, in the order of their file names."""
    for file in sorted(folder.glob("*.json")):
        if kind_of(load(file)) in TYPED:
            yield read(file)


def read_together(first: Path, others: Sequence[Path] = ()) -> Report:
    """Return the report in a JSON file, with the rows of other files added to its rows.

    Of several rows with the same setting the first stays. Methods with a network come first.

    Raises BadReport if a file holds no report, if a report has other images or another classifier, or if its rows are
    not means over a test set.
    """
    report = read(first)
    if not others:
        return report
    together = _of_summaries(report, first)
    rows: dict[Setting, Summary] = {row.setting: row for row in together.rows}
    for file in others:
        other = _of_summaries(read(file), file)
        _check_same_test(together, other, file)
        for row in other.rows:
            rows.setdefault(row.setting, row)
    return replace(together, rows=tuple(sorted(rows.values(), key=lambda row: row.model is None)))


def _of_summaries(report: Report, file: Path) -> SummaryReport:
    if not isinstance(report, SummaryReport):
        raise BadReport(f"{file}: the rows of a report of kind {report.kind.value!r} cannot be combined with others")
    return report


def _check_same_test(report: SummaryReport, other: SummaryReport, file: Path) -> None:
    for name in _COMMON:
        if getattr(other, name) != getattr(report, name):
            raise BadReport(f"{name} of {file} is {getattr(other, name)!r}, not {getattr(report, name)!r}")
