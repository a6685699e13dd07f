"""Tables and figures of `training.evaluate`: every quantizer and codec over a whole test set."""

from collections.abc import Callable, Mapping, Sequence

from matplotlib.figure import Figure

from models.evaluation.compare import Summary
from models.evaluation.reports import EvaluationReport
from models.names import method_name
from models.report.comparison_plots import bytes_over_psnr, top1_over_colors, top1_over_rate
from training.report.markdown import NONE, cell, table

Value = Callable[[Summary], float | None]


def tables(report: EvaluationReport) -> dict[str, str]:
    """Return every table by its title."""
    rows, original = report.rows, report.top1_original
    return {
        "Top-1 in %": _palettes(rows, _top1, "{:.1f}"),
        "Top-1 minus top-1 of the originals, in points": _palettes(
            rows, lambda row: None if row.top1 is None else 100 * (row.top1 - original), "{:+.1f}"
        ),
        "Prediction kept, in %": _palettes(rows, lambda row: 100 * row.kept, "{:.1f}"),
        "Bits per pixel of the PNG files": _palettes(rows, lambda row: row.bits_per_pixel, "{:.2f}"),
        "Bits per pixel without fixed bytes": _palettes(rows, lambda row: row.payload_bits_per_pixel, "{:.2f}"),
        "PSNR in dB": _palettes(rows, lambda row: row.psnr, "{:.1f}", none="exact"),
        "SSIM": _palettes(rows, lambda row: row.ssim, "{:.3f}"),
        "Codecs without a palette": _codecs(rows),
    }


def figures(report: EvaluationReport) -> Mapping[str, Figure]:
    """Return every figure by the ending of its file name."""
    rows, subject, original = report.rows, report.subject, report.top1_original
    return {
        "accuracy": top1_over_colors(rows, subject, original),
        "rate": top1_over_rate(rows, subject, original, payload=False),
        "rate-payload": top1_over_rate(rows, subject, original, payload=True),
        "quality": bytes_over_psnr(rows, subject),
    }


def _palettes(rows: Sequence[Summary], value: Value, form: str, *, none: str = NONE) -> str:
    """Return a line for each method with a palette, a column for each K; `none` if a row has no value."""
    by_setting = {(row.method, row.colors): row for row in rows if row.colors}
    colors = sorted({row.colors for row in rows if row.colors})
    lines = [
        [method_name(method), *(_cell(by_setting.get((method, k)), value, form, none) for k in colors)]
        for method in dict.fromkeys(method for method, _ in by_setting)
    ]
    return table(["method", *(f"K = {k}" for k in colors)], lines)


def _cell(row: Summary | None, value: Value, form: str, none: str) -> str:
    return NONE if row is None else cell(value(row), form, none)


def _codecs(rows: Sequence[Summary]) -> str:
    """Return a line for each codec and quality."""
    lines = [
        [
            method_name(row.method),
            cell(row.quality, "{}"),
            cell(_top1(row), "{:.1f}"),
            f"{row.bits_per_pixel:.2f}",
            f"{row.payload_bits_per_pixel:.2f}",
            cell(row.psnr, "{:.1f}", "exact"),
            cell(row.ssim, "{:.3f}"),
        ]
        for row in rows
        if not row.colors
    ]
    heading = ["codec", "quality", "top-1 in %", "bits per pixel", "without fixed bytes", "PSNR in dB", "SSIM"]
    return table(heading, lines)


def _top1(row: Summary) -> float | None:
    return None if row.top1 is None else 100 * row.top1
