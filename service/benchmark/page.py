"""Benchmarks as self-contained HTML pages: tables, plots as inline SVG, the contact sheet as a data: URI."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from matplotlib.figure import Figure

from models.evaluation.compare import Summary
from models.names import method_name
from models.report import comparison_plots, plots
from models.report.contact_sheet import MOST_TILES
from service.schemas.benchmark_reports import (
    BenchmarkFailedImage,
    BenchmarkFailedRow,
    BenchmarkImage,
    BenchmarkReport,
    BenchmarkRow,
    BenchmarkSummary,
    DatasetReport,
    DatasetSummary,
    ResultsReport,
)


@dataclass(frozen=True)
class Table:
    """Table of a page. In a row with fewer cells than columns, the last cell fills the remaining width."""

    heading: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True)
class Section:
    """Section of a page.

    facts: (name, value) of the measurement. figures: SVG elements. sheet: contact sheet as a data: URI, or empty.
    """

    heading: str
    lead: str
    facts: Sequence[tuple[str, str]]
    figures: Sequence[str]
    sheet: str
    tables: Sequence[Table]


_SUMMARY = (
    *("method", "colors", "images", "kept %", "top-1 %", "bytes", "bits/pixel", "payload bits/pixel", "PSNR dB"),
    *("SSIM", "colors used", "ms"),
)
_DATASET = (*_SUMMARY[:5], "points to originals", *_SUMMARY[5:])
_ROW = (
    *("image", "method", "colors", "label", "kept", "right", "bytes", "bits/pixel", "payload bits/pixel", "PSNR dB"),
    *("SSIM", "colors used", "ms"),
)
_IMAGE = ("image", "size", "bytes", "label", "true label", "notes")
_NO_SHEET = (
    f"The contact sheet is left out, because it has more than {MOST_TILES:,} tiles; request fewer images, methods or "
    "colors."
)
_PROTOCOL = (
    "Protocol A: the classifier was trained on originals and stays fixed; only the quantizer is trained. "
    "Every image is quantized, its palette rounded to 8 bits, written to a file, read back and classified."
)
_SHORT_HASH = 12  # hexadecimal digits


def benchmark_page(report: BenchmarkReport, sheet: bytes) -> str:
    """Return the page of one benchmark. sheet: its contact sheet as a PNG, empty if it was too large."""
    images = [image for image in report.images if isinstance(image, BenchmarkImage)]
    known = [image.right for image in images if image.right is not None]
    classifiers = dict.fromkeys(image.classifier for image in images)
    judges = " and ".join(classifiers) or report.classifier or "none"
    subject = f"{len(images)} image{'s' * (len(images) != 1)}, classified by {judges}"
    rows = [Summary(**means.model_dump()) for means in report.summary]
    figures = [comparison_plots.kept_over_colors(rows, subject), comparison_plots.bytes_over_psnr(rows, subject)]
    if known:
        original = sum(known) / len(known)
        figures.insert(0, comparison_plots.top1_over_colors(rows, subject, original))
    section = Section(
        heading="Few colors, and what a classifier still recognizes",
        lead=f"{subject}. Model: {report.model or 'none'}. {'' if sheet else _NO_SHEET}",
        facts=(),
        figures=_svgs(figures) if rows else (),
        sheet="data:image/png;base64," + base64.b64encode(sheet).decode("ascii") if sheet else "",
        tables=(
            Table("Means", _SUMMARY, [_summary_cells(means) for means in report.summary]),
            Table("Images", _IMAGE, [_image_cells(image) for image in report.images]),
            Table("Rows", _ROW, [_row_cells(row) for row in report.rows]),
        ),
    )
    return _template().render(title="Benchmark", sections=[section])


def results_page(report: ResultsReport) -> str:
    """Return the page of results over whole test sets."""
    return _template().render(title="Results", sections=[_dataset(results) for results in report.results])


def _dataset(results: DatasetReport) -> Section:
    subject = f"{results.dataset}, {results.images:,} images of the {results.split} set"
    rows = [Summary(**means.model_dump()) for means in results.rows]
    return Section(
        heading=results.dataset,
        lead=f"{subject}, classified by {results.classifier}, which recognizes {100 * results.top1_original:.2f} % of "
        f"the originals. Learned network: {results.quantizer or 'none'}. {_PROTOCOL}",
        facts=_facts(results),
        figures=_svgs(
            [
                comparison_plots.top1_over_colors(rows, subject, results.top1_original),
                comparison_plots.top1_over_rate(rows, subject, results.top1_original, payload=False),
                comparison_plots.top1_over_rate(rows, subject, results.top1_original, payload=True),
                comparison_plots.bytes_over_psnr(rows, subject),
            ]
        ),
        sheet="",
        tables=(Table("Means", _DATASET, [_dataset_cells(means, results.top1_original) for means in results.rows]),),
    )


def _facts(results: DatasetReport) -> list[tuple[str, str]]:
    return [
        ("images", f"{results.images:,}"),
        ("command", results.command),
        ("commit", results.commit),
        ("hardware", results.hardware),
        ("torch", results.torch),
        ("seeds", ", ".join(f"{name} {seed}" for name, seed in results.seeds.items())),
        ("sha256", ", ".join(f"{name} {digits[:_SHORT_HASH]}" for name, digits in results.sha256.items())),
    ]


def _svgs(figures: Sequence[Figure]) -> Sequence[str]:
    return [plots.svg(figure) for figure in figures]


def _dataset_cells(means: DatasetSummary, original: float) -> list[str]:
    """Return the cells of a summary, with the distance to the top-1 accuracy on the originals."""
    points = "-" if means.top1 is None else f"{100 * (means.top1 - original):+.1f}"
    cells = _summary_cells(means)
    position = _DATASET.index("points to originals")
    return [*cells[:position], points, *cells[position:]]


def _summary_cells(means: BenchmarkSummary | DatasetSummary) -> list[str]:
    quality = f"quality {means.quality}" if isinstance(means, DatasetSummary) and means.quality else "-"
    return [
        method_name(means.method),
        str(means.colors or quality),
        f"{means.images:,}",
        _number(100 * means.kept, 1),
        _number(means.top1 and 100 * means.top1, 1),
        _number(means.bytes, 0),
        *_measures(means),
    ]


def _row_cells(row: BenchmarkRow | BenchmarkFailedRow) -> list[str]:
    labels = [row.image, method_name(row.method), str(row.colors)]
    if isinstance(row, BenchmarkFailedRow):
        return [*labels, f"{row.error.title}. {row.error.detail}"]
    prediction = [f"{row.label}, {100 * row.probability:.0f} %", _yes(row.kept), _yes(row.right)]
    return [*labels, *prediction, _number(row.bytes, 0), *_measures(row)]


def _measures(measured: BenchmarkRow | BenchmarkSummary | DatasetSummary) -> list[str]:
    return [
        _number(measured.bits_per_pixel, 3),
        _number(measured.payload_bits_per_pixel, 3),
        "exact" if measured.psnr is None else _number(measured.psnr, 2),
        _number(measured.ssim, 3),
        _number(measured.colors_used, 0 if isinstance(measured, BenchmarkRow) else 1),
        _number(measured.milliseconds, 1),
    ]


def _image_cells(image: BenchmarkImage | BenchmarkFailedImage) -> list[str]:
    if isinstance(image, BenchmarkFailedImage):
        return [image.image, f"{image.error.title}. {image.error.detail}"]
    return [
        image.image,
        f"{image.width} x {image.height}",
        _number(image.bytes, 0),
        f"{image.label}, {100 * image.probability:.0f} %",
        image.truth or "-",
        "; ".join(image.notes) or "-",
    ]


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:,.{digits}f}"


def _yes(value: bool | None) -> str:
    return {True: "yes", False: "no", None: "-"}[value]


@cache
def _template() -> Template:
    loader = PackageLoader("service.benchmark")
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.get_template("benchmark.html")
