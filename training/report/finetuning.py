"""Tables and figures of `training.evaluate.finetuning`: top-1 before and after fine-tuning on few-color images."""

import math
from collections.abc import Callable, Mapping, Sequence

from matplotlib.figure import Figure

from models.evaluation.report_rows import FinetuningRow
from models.evaluation.reports import FinetuningBpgReport, FinetuningReport
from models.report.plots import Level, Series, line_plot
from training.report.markdown import table


def tables(report: FinetuningReport) -> dict[str, str]:
    """Return the table of indexed PNGs by its title: a line for each K, the originals last."""
    palettes, originals = _split(report.rows)
    heading = ["K", "bits per pixel", "before", "after", "gain", "minutes of quantization", "minutes of fine-tuning"]
    lines = [[str(row.colors or "originals"), *_cells(row), *_minutes(row)] for row in palettes + originals]
    return {f"Top-1 in % before and after fine-tuning on {report.trained_on:,} images": table(heading, lines)}


def bpg_tables(report: FinetuningBpgReport) -> dict[str, str]:
    """Return the table of BPG files by its title: a line for each K and QP, beside originals of about equal size."""
    palettes, originals = _split(report.rows)
    heading = ["K", "QP", "bits per pixel", "before", "after", "gain", "minutes of encoding", "minutes of fine-tuning"]
    heading += ["originals: QP", "bits per pixel", "before", "after", "gain"]
    lines = []
    for row in palettes:
        equal = _nearest_in_size(row, originals)
        lines.append([str(row.colors), str(row.qp), *_cells(row), *_minutes(row), str(equal.qp), *_cells(equal)])
    title = f"Top-1 in % before and after fine-tuning on BPG of {report.trained_on:,} images"
    return {title: table(heading, lines)}


def figures(report: FinetuningReport) -> Mapping[str, Figure]:
    """Return the figure of indexed PNGs, figure 6 of the reproduction study, by the ending of its file name."""
    palettes, _ = _split(report.rows)
    bits = tuple(math.log2(row.colors) for row in palettes if row.colors)
    unmarked = ("",) * len(palettes)
    figure = line_plot(
        [
            Series("before", bits, tuple(100 * row.top1_before for row in palettes), unmarked),
            Series("fine-tuned", bits, tuple(100 * row.top1_after for row in palettes), unmarked),
        ],
        title="Top-1 before and after fine-tuning on few colors",
        subtitle=report.subject,
        x_label="bits of an index, log2 K",
        y_label="top-1 in %",
        percent=True,
        level=_level(report),
        x_ticks={bit: f"{bit:g}" for bit in bits},
    )
    return {"accuracy": figure}


def bpg_figures(report: FinetuningBpgReport) -> Mapping[str, Figure]:
    """Return the figures of BPG files, figures 8 and 9 of the study, by the endings of their file names."""
    return {
        "before": _over_rate(report, lambda row: row.top1_before, "before fine-tuning"),
        "after": _over_rate(report, lambda row: row.top1_after, "after fine-tuning"),
    }


def _over_rate(report: FinetuningBpgReport, value: Callable[[FinetuningRow], float], when: str) -> Figure:
    lines: dict[str, list[FinetuningRow]] = {}
    for row in sorted(report.rows, key=lambda row: row.bits_per_pixel):
        lines.setdefault(f"{row.colors} colors" if row.colors else "originals", []).append(row)
    series = [
        Series(
            label,
            tuple(row.bits_per_pixel for row in line),
            tuple(100 * value(row) for row in line),
            tuple(str(row.qp) for row in line),
        )
        for label, line in lines.items()
    ]
    return line_plot(
        series,
        title=f"Top-1 over size of BPG, {when}",
        subtitle=f"{report.subject}, BPG {report.chroma}; numbers: QP",
        x_label="bits per pixel of the whole file",
        y_label="top-1 in %",
        log_x=True,
        percent=True,
        level=_level(report),
    )


def _split(rows: Sequence[FinetuningRow]) -> tuple[list[FinetuningRow], list[FinetuningRow]]:
    """Return the rows of palettes and the rows of originals."""
    return [row for row in rows if row.colors], [row for row in rows if not row.colors]


def _nearest_in_size(row: FinetuningRow, others: Sequence[FinetuningRow]) -> FinetuningRow:
    return min(others, key=lambda other: abs(other.bits_per_pixel - row.bits_per_pixel))


def _level(report: FinetuningReport) -> Level:
    return Level(f"originals: {100 * report.top1_original:.1f} %", 100 * report.top1_original)


def _cells(row: FinetuningRow) -> list[str]:
    before, after = 100 * row.top1_before, 100 * row.top1_after
    return [f"{row.bits_per_pixel:.2f}", f"{before:.1f}", f"{after:.1f}", f"{after - before:+.1f}"]


def _minutes(row: FinetuningRow) -> list[str]:
    return [f"{row.quantization_minutes:.1f}", f"{row.minutes:.1f}"]
