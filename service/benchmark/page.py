"""The page of POST /benchmark: tables, plots as inline SVG, the contact sheet as a data: URI."""

from __future__ import annotations

from models.evaluation.compare import Summary
from models.names import method_name
from models.report import comparison_plots
from models.report.contact_sheet import MOST_TILES
from service.benchmark.layout import Section, Table, measures, number, picture, render, svgs
from service.schemas.benchmark_reports import (
    BenchmarkFailedImage,
    BenchmarkFailedRow,
    BenchmarkImage,
    BenchmarkReport,
    BenchmarkRow,
    BenchmarkSummary,
    DatasetSummary,
)

SUMMARY = (
    *("method", "colors", "images", "kept %", "top-1 %", "bytes", "bits/pixel", "payload bits/pixel", "PSNR dB"),
    *("SSIM", "colors used", "ms"),
)
_ROW = (
    *("image", "method", "colors", "label", "kept", "right", "bytes", "bits/pixel", "payload bits/pixel", "PSNR dB"),
    *("SSIM", "colors used", "ms"),
)
_IMAGE = ("image", "size", "bytes", "label", "true label", "notes")
_NO_SHEET = (
    f"The contact sheet is left out, because it has more than {MOST_TILES:,} tiles; request fewer images, methods or "
    "colors."
)


def benchmark_page(report: BenchmarkReport, sheet: bytes) -> str:
    """Return the page of one benchmark. sheet: its contact sheet as a PNG, empty if it was too large."""
    images = [image for image in report.images if isinstance(image, BenchmarkImage)]
    known = [image.right for image in images if image.right is not None]
    classifiers = dict.fromkeys(image.classifier for image in images)
    judges = " and ".join(classifiers) or report.classifier or "none"
    subject = f"{len(images)} image{'s' * (len(images) != 1)}, classified by {judges}"
    rows = [Summary(**means.model_dump(exclude={"model_sha256"})) for means in report.summary]
    figures = [comparison_plots.kept_over_colors(rows, subject), comparison_plots.bytes_over_psnr(rows, subject)]
    if known:
        original = sum(known) / len(known)
        figures.insert(0, comparison_plots.top1_over_colors(rows, subject, original))
    section = Section(
        heading="Few colors, and what a classifier still recognizes",
        lead=f"{subject}. Model: {report.model or 'none'}. {'' if sheet else _NO_SHEET}",
        facts=(),
        figures=svgs(figures) if rows else (),
        sheet=picture(sheet),
        tables=(
            Table("Means", SUMMARY, [summary_cells(means) for means in report.summary]),
            Table("Images", _IMAGE, [_image_cells(image) for image in report.images]),
            Table("Rows", _ROW, [_row_cells(row) for row in report.rows]),
        ),
    )
    return render("Benchmark", [section])


def summary_cells(means: BenchmarkSummary | DatasetSummary) -> list[str]:
    """Return the cells of means in the columns SUMMARY."""
    quality = f"quality {means.quality}" if isinstance(means, DatasetSummary) and means.quality else "-"
    return [
        method_name(means.method),
        str(means.colors or quality),
        f"{means.images:,}",
        number(100 * means.kept, 1),
        number(means.top1 and 100 * means.top1, 1),
        number(means.bytes, 0),
        *measures(means),
    ]


def _row_cells(row: BenchmarkRow | BenchmarkFailedRow) -> list[str]:
    labels = [row.image, method_name(row.method), str(row.colors)]
    if isinstance(row, BenchmarkFailedRow):
        return [*labels, f"{row.error.title}. {row.error.detail}"]
    prediction = [f"{row.label}, {100 * row.probability:.0f} %", _yes(row.kept), _yes(row.right)]
    return [*labels, *prediction, number(row.bytes, 0), *measures(row)]


def _image_cells(image: BenchmarkImage | BenchmarkFailedImage) -> list[str]:
    if isinstance(image, BenchmarkFailedImage):
        return [image.image, f"{image.error.title}. {image.error.detail}"]
    return [
        image.image,
        f"{image.width} x {image.height}",
        number(image.bytes, 0),
        f"{image.label}, {100 * image.probability:.0f} %",
        image.truth or "-",
        "; ".join(image.notes) or "-",
    ]


def _yes(value: bool | None) -> str:
    return {True: "yes", False: "no", None: "-"}[value]
