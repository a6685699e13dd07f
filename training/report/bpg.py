"""The tables of the studies of BPG: palettes beside originals at every QP, and what an exact index map costs."""

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from models.evaluation.compare import Summary
from models.names import method_name
from training.report.markdown import table

Report = Mapping[str, Any]
Value = Callable[[Summary], float | None]

_QPS = (0, 5, 10, 15, 20, 25, 30, 35, 40, 45, 51)  # shown; the figures have them all
_RATES = (0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0)  # bits per pixel


def study(report: Report) -> dict[str, str]:
    """The tables of `training.evaluate.bpg`, by their titles: a column for the originals and each K."""
    lines = _lines(report)
    return {
        "Bits per pixel of BPG": _over_qp(lines, lambda row: row.bits_per_pixel, "{:.2f}"),
        "Bits per pixel of BPG without fixed bytes": _over_qp(lines, lambda row: row.payload_bits_per_pixel, "{:.2f}"),
        "QP at which BPG of a palette takes fewer bits than BPG of the original": _cheaper(lines),
        "Top-1 in % after BPG": _over_qp(lines, _top1, "{:.1f}"),
        "PSNR to the original in dB after BPG": _over_qp(lines, lambda row: row.psnr, "{:.1f}"),
        "Top-1 in % at equal bits per pixel of BPG": _at_rates(lines),
    }


def modes(report: Report) -> dict[str, str]:
    """The table of `training.evaluate.palette_modes`: mean bytes of a file, a column for each coding."""
    rows = report["rows"]
    codings = list(dict.fromkeys(row["coding"] for row in rows))
    sizes: dict[tuple[str, str, int], dict[str, str]] = {}
    for row in rows:
        place = row["source"], row["method"], row["colors"]
        sizes.setdefault(place, {})[row["coding"]] = f"{row['bytes']:.0f}"
    lines = [
        [source, method_name(method), str(colors), *(found.get(coding, "-") for coding in codings)]
        for (source, method, colors), found in sizes.items()
    ]
    title = "Bytes of a file from which the index map comes back"
    return {title: table(["images", "method", "K", *codings], lines)}


def _lines(report: Report) -> dict[str, list[Summary]]:
    """The rows by what was coded, originals first, each in the order of QP."""
    lines: dict[str, list[Summary]] = {}
    for row in sorted((Summary(**row) for row in report["rows"]), key=lambda row: (row.colors or 0, row.quality or 0)):
        lines.setdefault(f"K = {row.colors}" if row.colors else "originals", []).append(row)
    return lines


def _over_qp(lines: Mapping[str, Sequence[Summary]], value: Value, form: str) -> str:
    at = {name: {row.quality: value(row) for row in rows} for name, rows in lines.items()}
    shown = [qp for qp in _QPS if any(qp in values for values in at.values())]
    return table(["QP", *lines], [[str(qp), *(_cell(at[name].get(qp), form) for name in lines)] for qp in shown])


def _cheaper(lines: Mapping[str, Sequence[Summary]]) -> str:
    originals, *palettes = lines
    limit = {row.quality: row.bits_per_pixel for row in lines[originals]}
    won = {
        name: [
            row.quality for row in lines[name] if row.quality is not None and row.bits_per_pixel < limit[row.quality]
        ]
        for name in palettes
    }
    return table(["palette", "QP"], [[name, _ranges(qps)] for name, qps in won.items()])


def _ranges(numbers: Sequence[int]) -> str:
    """Rising numbers in words: "0-28, 38-51"."""
    ends = [place for place, (left, right) in enumerate(pairwise(numbers), 1) if right != left + 1]
    runs = [numbers[start:end] for start, end in pairwise([0, *ends, len(numbers)])] if numbers else []
    return ", ".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs) or "none"


def _at_rates(lines: Mapping[str, Sequence[Summary]]) -> str:
    """Top-1 at equal sizes, linear between neighboring QPs."""
    cells = [[_between(rows, rate) for rows in lines.values()] for rate in _RATES]
    return table(["bits per pixel", *lines], [[f"{rate:g}", *line] for rate, line in zip(_RATES, cells, strict=True)])


def _between(rows: Sequence[Summary], rate: float) -> str:
    points = sorted((row.bits_per_pixel, row.top1 or 0.0) for row in rows)
    if not points[0][0] <= rate <= points[-1][0]:
        return "-"
    sizes, top1 = zip(*points, strict=True)
    return f"{100 * np.interp(rate, sizes, top1):.1f}"


def _top1(row: Summary) -> float | None:
    return None if row.top1 is None else 100 * row.top1


def _cell(value: float | None, form: str) -> str:
    return "-" if value is None else form.format(value)
