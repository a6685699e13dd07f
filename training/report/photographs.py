"""Tables of `training.evaluate.photographs`: predictions that photographs keep, a line for each method."""

from collections.abc import Callable, Sequence

from models.evaluation.report_rows import PhotographRow
from models.evaluation.reports import PhotographsReport
from models.names import method_name
from training.report.markdown import NONE, cell, table


def tables(report: PhotographsReport) -> dict[str, str]:
    """Return every table by its title: a line for each method, a column for each K."""
    return {
        "Prediction kept, in %": _table(report.rows, _kept),
        "PSNR in the view, in dB": _table(report.rows, lambda row: cell(row.view_psnr, "{:.1f}", none="exact")),
        "Bits per pixel": _table(report.rows, lambda row: f"{row.bits_per_pixel:.2f}"),
    }


def _kept(row: PhotographRow) -> str:
    return f"{100 * row.kept:.1f} ({100 * row.kept_low:.1f} to {100 * row.kept_high:.1f})"


def _table(rows: Sequence[PhotographRow], show: Callable[[PhotographRow], str]) -> str:
    colors = sorted({row.colors or 0 for row in rows})
    lines: dict[str, dict[int, str]] = {}
    for row in rows:
        lines.setdefault(method_name(row.method), {})[row.colors or 0] = show(row)
    body = [[name, *(cells.get(k, NONE) for k in colors)] for name, cells in lines.items()]
    return table(["method", *(f"K = {k}" for k in colors)], body)
