"""The figure and the tables of `training.evaluate.fidelity`: top-1 against likeness, a line for each K."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure

from models.evaluation.compare import Summary
from models.report.plots import Level, Series, line_plot
from training.report.markdown import table


def figures(rows: Sequence[Summary], subject: str, original: float) -> Mapping[str, Figure]:
    """Every figure, by the ending of its file's name.

    rows: whose `quality` is the fidelity in percent. original: top-1 on the originals, 0 to 1.
    """
    series = [
        Series(
            f"{colors} colors",
            tuple(row.psnr or 0.0 for row in line),
            tuple(100 * (row.top1 or 0.0) for row in line),
            tuple(f"{(row.quality or 0) / 100:g}" for row in line),
        )
        for colors, line in _by_colors(rows).items()
    ]
    figure = line_plot(
        series,
        title="Top-1 over likeness to the original",
        subtitle=f"{subject}; numbers: fidelity",
        x_label="PSNR in dB",
        y_label="top-1 in %",
        percent=True,
        level=Level(f"originals: {100 * original:.1f} %", 100 * original),
    )
    return {"likeness": figure}


def tables(report: Mapping[str, Any]) -> dict[str, str]:
    """Every table, by its title: a line for each fidelity, a column for each K."""
    rows = [Summary(**row) for row in report["rows"]]
    return {
        "Top-1 in % by fidelity": _table(rows, lambda row: f"{100 * (row.top1 or 0.0):.1f}"),
        "PSNR in dB by fidelity": _table(rows, lambda row: f"{row.psnr or 0.0:.1f}"),
        "SSIM by fidelity": _table(rows, lambda row: f"{row.ssim or 0.0:.3f}"),
        "Bits per pixel of the PNG files by fidelity": _table(rows, lambda row: f"{row.bits_per_pixel:.2f}"),
    }


def _table(rows: Sequence[Summary], cell: Callable[[Summary], str]) -> str:
    lines = _by_colors(rows)
    percents = [row.quality or 0 for row in next(iter(lines.values()))]
    cells = zip(*([cell(row) for row in line] for line in lines.values()), strict=True)
    body = [[f"{percent / 100:g}", *line] for percent, line in zip(percents, cells, strict=True)]
    return table(["fidelity", *(f"K = {colors}" for colors in lines)], body)


def _by_colors(rows: Sequence[Summary]) -> dict[int, list[Summary]]:
    """The rows of each K, from the lowest fidelity to the highest."""
    lines: dict[int, list[Summary]] = {}
    for row in sorted(rows, key=lambda row: (row.colors or 0, row.quality or 0)):
        lines.setdefault(row.colors or 0, []).append(row)
    return lines
