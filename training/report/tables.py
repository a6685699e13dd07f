"""The tables of docs/results, in Markdown, from the JSON file of an evaluation alone.

python -m training.report.tables --results docs/results/data/cifar10.json
"""

import argparse
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from models.evaluation.compare import Summary
from models.names import method_name
from training.cli.arguments import command
from training.report import bpg, fidelity, finetuning
from training.report.markdown import table
from training.report.reading import read_together

Value = Callable[[Summary], float | None]
Report = Mapping[str, Any]


def main(argv: Sequence[str] | None = None) -> str:
    """Parse flags and print every table under its title; returns what was printed."""
    args = _parser().parse_args(argv)
    report = read_together(args.results, args.beside)
    text = "\n\n".join(f"{title}:\n\n{body}" for title, body in tables(report).items())
    print(text)
    return text


def tables(report: Report) -> dict[str, str]:
    """Every table of a report of any evaluation, by its title."""
    if "codec" in report:
        return bpg.study(report)
    if "coding" in report["rows"][0]:
        return bpg.modes(report)
    if "tuning" in report:
        return finetuning.tables(report)
    if "knob" in report:
        return fidelity.tables(report)
    original = report["top1_original"]
    return {
        "Top-1 in %": palettes(report, _top1, "{:.1f}"),
        "Points of top-1 to the originals": palettes(
            report, lambda row: None if row.top1 is None else 100 * (row.top1 - original), "{:+.1f}"
        ),
        "Answer of the classifier kept, in %": palettes(report, lambda row: 100 * row.kept, "{:.1f}"),
        "Bits per pixel of the PNG files": palettes(report, lambda row: row.bits_per_pixel, "{:.2f}"),
        "Bits per pixel without fixed bytes": palettes(report, lambda row: row.payload_bits_per_pixel, "{:.2f}"),
        "PSNR in dB": palettes(report, lambda row: row.psnr, "{:.1f}", none="exact"),
        "SSIM": palettes(report, lambda row: row.ssim, "{:.3f}"),
        "Without a palette": others(report),
    }


def palettes(report: Report, value: Value, form: str, *, none: str = "-") -> str:
    """A line for each method with a palette, a column for each K; `none` where a row has no value."""
    rows = [row for row in map(_summary, report["rows"]) if row.colors]
    colors = sorted({row.colors for row in rows if row.colors})
    by_place = {(row.method, row.colors): row for row in rows}
    methods = dict.fromkeys(row.method for row in rows)
    places = [[by_place.get((method, k)) for k in colors] for method in methods]
    cells = [["-" if row is None else _cell(value(row), form, none) for row in line] for line in places]
    lines = [[method_name(method), *line] for method, line in zip(methods, cells, strict=True)]
    return table(["method", *(f"K = {k}" for k in colors)], lines)


def others(report: Report) -> str:
    """A line for each codec and quality."""
    rows = [row for row in map(_summary, report["rows"]) if not row.colors]
    lines = [
        [
            method_name(row.method),
            str(row.quality or "-"),
            _cell(_top1(row), "{:.1f}"),
            f"{row.bits_per_pixel:.2f}",
            f"{row.payload_bits_per_pixel:.2f}",
            _cell(row.psnr, "{:.1f}", "exact"),
            _cell(row.ssim, "{:.3f}"),
        ]
        for row in rows
    ]
    heading = ["codec", "quality", "top-1 in %", "bits per pixel", "without fixed bytes", "PSNR in dB", "SSIM"]
    return table(heading, lines)


def _top1(row: Summary) -> float | None:
    return None if row.top1 is None else 100 * row.top1


def _summary(row: Mapping[str, Any]) -> Summary:
    return Summary(**row)


def _cell(value: float | None, form: str, none: str = "-") -> str:
    return none if value is None else form.format(value)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m training.report.tables", description="Print the tables of an evaluation in Markdown."
    )
    parser.add_argument("--results", type=Path, required=True, help="JSON file that an evaluation wrote")
    parser.add_argument(
        "--beside", type=Path, nargs="+", default=[], metavar="FILE", help="files whose rows stand with its own"
    )
    return parser


if __name__ == "__main__":
    command(main)
