"""The page of GET /benchmark: results over whole test sets and over photographs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from models.evaluation.compare import Summary
from models.names import method_name
from models.report import comparison_plots
from service.benchmark.layout import Section, Table, number, render, svgs
from service.benchmark.page import SUMMARY, summary_cells
from service.schemas.benchmark_reports import (
    DatasetReport,
    DatasetSummary,
    PhotographsReport,
    PhotographsRow,
    ResultsReport,
)

_DATASET = (*SUMMARY[:5], "points to originals", *SUMMARY[5:])
_PROTOCOL = (
    "Protocol A: the classifier was trained on originals and stays fixed; only the quantizer is trained. "
    "Every image is quantized, its palette rounded to 8 bits, written to a file, read back and classified."
)
_SHORT_HASH = 12  # hexadecimal digits


_TITLES: Mapping[str, str] = {
    "cifar10": "CIFAR-10",
    "tiny-imagenet-200": "Tiny-ImageNet-200",
    "ilsvrc2012-val": "ILSVRC-2012",
}


def results_page(report: ResultsReport) -> str:
    """Return the page of results over photographs and whole test sets."""
    photographs = [_photographs(results) for results in report.photographs]
    return render("Results", [*photographs, *(_dataset(results) for results in _merged(report.results))])


def _merged(reports: Sequence[DatasetReport]) -> list[Sequence[DatasetReport]]:
    """Return the reports of the same images, classifier and network together, in their order."""
    groups: dict[object, list[DatasetReport]] = {}
    for each in reports:
        groups.setdefault((each.dataset, each.split, each.images, each.classifier, each.quantizer), []).append(each)
    return list(groups.values())


def _dataset(reports: Sequence[DatasetReport]) -> Section:
    """Return the section of one or more reports about the same images, classifier and network."""
    first = reports[0]
    title = _TITLES.get(first.dataset, first.dataset)
    subject = f"{title}, {first.images:,} images of the {first.split} set"
    known: dict[tuple[object, ...], DatasetSummary] = {}
    for row in (row for report in reports for row in report.rows):
        known.setdefault((row.method, row.colors, row.quality), row)
    methods = list(dict.fromkeys(method for method, _, _ in known))
    means = sorted(known.values(), key=lambda row: methods.index(row.method))
    rows = [Summary(**row.model_dump()) for row in means]
    original = first.top1_original
    return Section(
        heading=f"{title}: {first.quantizer or first.classifier}",
        lead=f"{subject}, classified by {first.classifier}, which recognizes {100 * original:.2f} % of the originals. "
        f"Learned network: {first.quantizer or 'none'}. {_PROTOCOL}",
        facts=[fact for report in reports for fact in _facts(report)],
        figures=svgs(
            [
                comparison_plots.top1_over_colors(rows, subject, original),
                comparison_plots.top1_over_rate(rows, subject, original, payload=False),
                comparison_plots.top1_over_rate(rows, subject, original, payload=True),
                comparison_plots.bytes_over_psnr(rows, subject),
            ]
        ),
        sheet="",
        tables=(Table("Means", _DATASET, [_dataset_cells(row, original) for row in means]),),
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


def _dataset_cells(means: DatasetSummary, original: float) -> list[str]:
    """Return the cells of a summary, with the distance to the top-1 accuracy on the originals."""
    points = "-" if means.top1 is None else f"{100 * (means.top1 - original):+.1f}"
    cells = summary_cells(means)
    position = _DATASET.index("points to originals")
    return [*cells[:position], points, *cells[position:]]


def _photographs(results: PhotographsReport) -> Section:
    """Return the section of methods on photographs, with the labels that several classifiers keep."""
    title = _TITLES.get(results.dataset, results.dataset)
    readers = list(dict.fromkeys((row.reader, row.role) for row in results.rows))
    cells: dict[tuple[str, int | None, int], dict[str, PhotographsRow]] = {}
    for row in results.rows:
        cells.setdefault((row.method, row.colors, row.side), {})[row.reader] = row
    return Section(
        heading="Photographs",
        lead=f"Up to {results.images} photographs of {title}, scaled to a shorter side of so many pixels, quantized, "
        f"written to a file and read back. Refined photographs are optimized for {results.classifier} (own) and for "
        "those that are involved; foreign ones took no part. Cells: labels of the original that stay, in %, with an "
        "interval of 95 %.",
        facts=[
            ("command", results.command),
            ("commit", results.commit),
            ("hardware", results.hardware),
            ("torch", results.torch),
        ],
        figures=(),
        sheet="",
        tables=(
            Table(
                "Labels that stay",
                (
                    *("method", "side", "colors", "images", "bits/pixel"),
                    *(f"{reader} ({role})" for reader, role in readers),
                ),
                [
                    [
                        method_name(method),
                        str(side),
                        str(colors or "-"),
                        *_common(next(iter(by_reader.values()))),
                        *(_kept(by_reader.get(reader)) for reader, _ in readers),
                    ]
                    for (method, colors, side), by_reader in cells.items()
                ],
            ),
        ),
    )


def _common(row: PhotographsRow) -> list[str]:
    return [str(row.images), number(row.bits_per_pixel, 3)]


def _kept(row: PhotographsRow | None) -> str:
    if row is None:
        return "-"
    return f"{100 * row.kept:.0f} ({100 * row.kept_low:.0f} to {100 * row.kept_high:.0f})"
