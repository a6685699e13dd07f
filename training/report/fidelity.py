"""Tables and figure of `training.evaluate.fidelity`: top-1 against PSNR, a line for each K."""

from collections.abc import Callable, Mapping, Sequence

from matplotlib.figure import Figure

from models.evaluation.compare import Summary
from models.evaluation.reports import FidelityReport
from models.report.plots import Level, Series, line_plot
from training.report.markdown import table


def tables(report: FidelityReport) -> dict[str, str]:
    """Return every table by its title: a line for each fidelity, a column for each K."""
    rows = report.rows
    return {
        "Top-1 in % by fidelity": _table(rows, lambda row: f"{100 * (row.top1 or 0.0):.1f}"),
        "PSNR in dB by fidelity": _table(rows, lambda row: f"{row.psnr or 0.0:.1f}"),
        "SSIM by fidelity": _table(rows, lambda row: f"{row.ssim or 0.0:.3f}"),
        "Bits per pixel of the PNG files by fidelity": _table(rows, lambda row: f"{row.bits_per_pixel:.2f}"),
    }


def figures(report: FidelityReport) -> Mapping[str, Figure]:
    """Return the figure by the ending of its file name."""
    series = [
        Series(
            f"{colors} colors",
            tuple(row.psnr or 0.0 for row in line),
            tuple(100 * (row.top1 or 0.0) for row in line),
            tuple(f"{row.fidelity or 0:g}" for row in line),
        )
        for colors, line in _by_colors(report.rows).items()
    ]
    figure = line_plot(
        series,
        title="Top-1 over PSNR to the original",
        subtitle=f"{report.subject}; numbers: fidelity",
        x_label="PSNR in dB",
        y_label="top-1 in %",
        percent=True,
        level=Level(f"originals: {100 * report.top1_original:.1f} %", 100 * report.top1_original),
    )
    return {"likeness": figure}


def _table(rows: Sequence[Summary], cell: Callable[[Summary], str]) -> str:
    lines = _by_colors(rows)
    fidelities = [row.fidelity or 0.0 for row in next(iter(lines.values()))]
    cells = zip(*([cell(row) for row in line] for line in lines.values()), strict=True)
    body = [[f"{fidelity:g}", *line] for fidelity, line in zip(fidelities, cells, strict=True)]
    return table(["fidelity", *(f"K = {colors}" for colors in lines)], body)


def _by_colors(rows: Sequence[Summary]) -> dict[int, list[Summary]]:
    """Group rows by K, each group by rising fidelity."""
    lines: dict[int, list[Summary]] = {}
    for row in sorted(rows, key=lambda row: (row.colors or 0, row.fidelity or 0.0)):
        lines.setdefault(row.colors or 0, []).append(row)
    return lines
