"""Tables and figures of `training.evaluate.bpg`: palettes beside the originals at every QP."""

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise

import numpy as np
from matplotlib.figure import Figure

from models.evaluation.compare import Summary
from models.evaluation.reports import BpgReport
from models.report.plots import Level, Series, line_plot
from training.report.markdown import NONE, cell, table

Value = Callable[[Summary], float | None]

_QPS = (0, 5, 10, 15, 20, 25, 30, 35, 40, 45, 51)  # QPs in the tables; the figures have every QP
_RATES = (0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0)  # bits per pixel
_MARKED = 10  # a figure writes the QP beside each point whose QP is a multiple of this


def tables(report: BpgReport) -> dict[str, str]:
    """Return every table by its title: a column for the originals and one for each K."""
    lines = _by_source(report.rows, "K = {}")
    return {
        "Bits per pixel of BPG": _over_qp(lines, lambda row: row.bits_per_pixel, "{:.2f}"),
        "Bits per pixel of BPG without fixed bytes": _over_qp(lines, lambda row: row.payload_bits_per_pixel, "{:.2f}"),
        "QPs at which BPG of the quantized image is smaller than BPG of the original": _smaller(lines),
        "Top-1 in % after BPG": _over_qp(lines, _top1, "{:.1f}"),
        "PSNR to the original in dB after BPG": _over_qp(lines, lambda row: row.psnr, "{:.1f}"),
        "Top-1 in % at equal bits per pixel of BPG": _at_rates(lines),
    }


def figures(report: BpgReport) -> Mapping[str, Figure]:
    """Return every figure by the ending of its file name."""
    rows, subject = report.rows, f"{report.subject}, {report.codec}"
    level = Level(f"originals: {100 * report.top1_original:.1f} %", 100 * report.top1_original)
    return {
        "bits": _plot_bits(rows, subject, payload=False),
        "bits-payload": _plot_bits(rows, subject, payload=True),
        "rate": _plot_rate(rows, subject, _top1, "top-1 in %", level),
        "likeness": _plot_rate(rows, subject, lambda row: row.psnr, "PSNR to the original in dB", None),
    }


def _by_source(rows: Sequence[Summary], label: str) -> dict[str, list[Summary]]:
    """Group rows by the encoded images, originals first, each group by rising QP. label: format for K."""
    lines: dict[str, list[Summary]] = {}
    for row in sorted(rows, key=lambda row: (row.colors or 0, row.qp or 0)):
        lines.setdefault(label.format(row.colors) if row.colors else "originals", []).append(row)
    return lines


def _over_qp(lines: Mapping[str, Sequence[Summary]], value: Value, form: str) -> str:
    at = {name: {row.qp: value(row) for row in rows} for name, rows in lines.items()}
    shown = [qp for qp in _QPS if any(qp in values for values in at.values())]
    return table(["QP", *lines], [[str(qp), *(cell(at[name].get(qp), form) for name in lines)] for qp in shown])


def _smaller(lines: Mapping[str, Sequence[Summary]]) -> str:
    originals, *palettes = lines
    limit = {row.qp: row.bits_per_pixel for row in lines[originals]}
    smaller = {
        name: [row.qp for row in lines[name] if row.qp is not None and row.bits_per_pixel < limit[row.qp]]
        for name in palettes
    }
    return table(["palette", "QP"], [[name, _ranges(qps)] for name, qps in smaller.items()])


def _ranges(numbers: Sequence[int]) -> str:
    """Return rising numbers as ranges: "0-28, 38-51"."""
    ends = [position for position, (left, right) in enumerate(pairwise(numbers), 1) if right != left + 1]
    runs = [numbers[start:end] for start, end in pairwise([0, *ends, len(numbers)])] if numbers else []
    return ", ".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs) or "none"


def _at_rates(lines: Mapping[str, Sequence[Summary]]) -> str:
    """Return top-1 at equal sizes, interpolated linearly between neighboring QPs."""
    cells = [[_interpolated(rows, rate) for rows in lines.values()] for rate in _RATES]
    return table(["bits per pixel", *lines], [[f"{rate:g}", *line] for rate, line in zip(_RATES, cells, strict=True)])


def _interpolated(rows: Sequence[Summary], rate: float) -> str:
    points = sorted((row.bits_per_pixel, row.top1 or 0.0) for row in rows)
    if not points[0][0] <= rate <= points[-1][0]:
        return NONE
    sizes, top1 = zip(*points, strict=True)
    return f"{100 * np.interp(rate, sizes, top1):.1f}"


def _plot_bits(rows: Sequence[Summary], subject: str, *, payload: bool) -> Figure:
    return line_plot(
        _series(rows, lambda row: row.qp, _payload if payload else _whole, marked=False),
        title="Size of BPG over QP" + (" without headers" if payload else ""),
        subtitle=subject,
        x_label="QP",
        y_label="bits per pixel" + (" that depend on the picture" if payload else " of the whole file"),
        log_y=True,
    )


def _plot_rate(rows: Sequence[Summary], subject: str, y: Value, y_label: str, level: Level | None) -> Figure:
    name = y_label.partition(" in ")[0]
    return line_plot(
        _series(rows, _whole, y, marked=True),
        title=f"{name[0].upper()}{name[1:]} over size of BPG",
        subtitle=f"{subject}; numbers: QP",
        x_label="bits per pixel of the whole file",
        y_label=y_label,
        log_x=True,
        percent=level is not None,
        level=level,
    )


def _series(rows: Sequence[Summary], x: Value, y: Value, *, marked: bool) -> list[Series]:
    """Return a line for the originals and one for each K, by rising QP."""
    series = []
    for label, line in _by_source(rows, "{} colors").items():
        points = [(across, up, row.qp) for row in line if (across := x(row)) is not None and (up := y(row)) is not None]
        marks = [str(qp) if marked and qp is not None and qp % _MARKED == 0 else "" for _, _, qp in points]
        series.append(Series(label, tuple(p[0] for p in points), tuple(p[1] for p in points), tuple(marks)))
    return series


def _whole(row: Summary) -> float:
    return row.bits_per_pixel


def _payload(row: Summary) -> float:
    return row.payload_bits_per_pixel


def _top1(row: Summary) -> float | None:
    return None if row.top1 is None else 100 * row.top1
