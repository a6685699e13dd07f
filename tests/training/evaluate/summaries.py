"""Reading the rows of a report that an evaluation wrote."""

from pathlib import Path

from models.evaluation.compare import Setting, Summary
from models.evaluation.reports import SummaryReport, read


def summary_report(results: Path) -> SummaryReport:
    """Return the report in a JSON file, whose rows are means over a test set."""
    report = read(results)
    assert isinstance(report, SummaryReport)
    return report


def rows_of(results: Path) -> dict[Setting, Summary]:
    """Return the rows of a report by their settings."""
    return {row.setting: row for row in summary_report(results).rows}
