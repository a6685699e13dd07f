"""Rows of a comparison as text: a table for people, CSV, and lines of JSON."""

from __future__ import annotations

import csv
import io
from collections.abc import Container, Iterable, Sequence

from service.client.benchmark import AsyncBenchmark
from service.schemas.benchmark_reports import BenchmarkRow, BenchmarkSummary

_HEADING = ("image", "method", "colors", "bytes", "bits/pixel", "PSNR", "SSIM", "kept", "label")
_MEANS = ("mean of", "method", "colors", "bytes", "bits/pixel", "PSNR", "SSIM", "kept", "top-1")
_TEXTS = (0, 1, 8)  # columns of text


def table(run: AsyncBenchmark, rows: Sequence[BenchmarkRow]) -> str:
    """Return a table of the rows and, for several images, one of the means below it."""
    text = aligned([_HEADING, *map(_cells, rows)], to_the_left=_TEXTS)
    if len({row.image for row in rows}) < 2:
        return text
    return f"{text}\n{aligned([_MEANS, *map(_means, run.summary)], to_the_left=_TEXTS)}"


def csv_text(_: AsyncBenchmark, rows: Sequence[BenchmarkRow]) -> str:
    """Return the rows as CSV, with the names of the JSON keys in the first line."""
    file = io.StringIO()
    writer = csv.DictWriter(file, list(BenchmarkRow.model_fields), lineterminator="\n")
    writer.writeheader()
    writer.writerows(row.model_dump(mode="json") for row in rows)
    return file.getvalue()


def json_text(_: AsyncBenchmark, rows: Sequence[BenchmarkRow]) -> str:
    """Return the rows as JSON objects, one a line."""
    return "".join(f"{row.model_dump_json()}\n" for row in rows)


def _cells(row: BenchmarkRow) -> tuple[str, ...]:
    return (
        row.image,
        row.method,
        str(row.colors),
        f"{row.bytes:,}",
        f"{row.bits_per_pixel:.2f}",
        _or_dash(row.psnr, 1),
        _or_dash(row.ssim, 2),
        "yes" if row.kept else "no",
        f"{row.label} {row.probability:.2f}",
    )


def _means(mean: BenchmarkSummary) -> tuple[str, ...]:
    return (
        f"{mean.images} images",
        mean.method,
        str(mean.colors),
        f"{mean.bytes:,.0f}",
        f"{mean.bits_per_pixel:.2f}",
        _or_dash(mean.psnr, 1),
        _or_dash(mean.ssim, 2),
        f"{mean.kept:.0%}",
        "-" if mean.top1 is None else f"{mean.top1:.0%}",
    )


def _or_dash(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def aligned(lines: Iterable[Sequence[str]], *, to_the_left: Container[int]) -> str:
    """Return lines of cells as text in columns, of which those of numbers end at one place."""
    rows = list(lines)
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]

    def cell(column: int, text: str) -> str:
        return text.ljust(widths[column]) if column in to_the_left else text.rjust(widths[column])

    return "".join("  ".join(cell(*each) for each in enumerate(row)).rstrip() + "\n" for row in rows)
