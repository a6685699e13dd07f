"""Table of `training.evaluate.bytes`: what classifiers recognize in files of at most so many bytes."""

from models.evaluation.report_rows import BytesRow
from models.evaluation.reports import BytesReport
from models.names import method_name
from training.report.markdown import NONE, cell, table

_CONTAINERS = {"packed": "packed", "packed-smoothed": "packed, smoothed", "png": "PNG"}


def tables(report: BytesReport) -> dict[str, str]:
    """Return the table by its title: a line for each way to store an image, a column for each classifier."""
    readers = list(report.originals)
    originals = ["originals", *[NONE] * 4, *(_percent(report.originals[reader]) for reader in readers)]
    heading = ["image", "file", "fit in %", "mean bytes", "mean K, quality or QP", *readers]
    lines = [_line(row, readers) for row in report.rows]
    return {f"Top-1 in % in at most {report.budget:,} bytes": table(heading, [originals, *lines])}


def _line(row: BytesRow, readers: list[str]) -> list[str]:
    is_palette = row.container in _CONTAINERS
    return [
        method_name(row.method) if is_palette else "original",
        _CONTAINERS.get(row.container, method_name(row.method)),
        _percent(row.fits),
        cell(row.bytes, "{:.0f}"),
        cell(row.setting, "{:.1f}"),
        *(_percent(row.top1[reader]) for reader in readers),
    ]


def _percent(share: float) -> str:
    return f"{100 * share:.1f}"
