"""The contact sheet of a benchmark: its content, built from events, and its drawing in the worker process."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from models.codecs import truecolor
from models.evaluation import metrics
from models.names import method_name
from models.report import contact_sheet
from models.report.contact_sheet import Row, Tile
from service.benchmark.events import Event, Failure, ImageDone, RowDone
from service.benchmark.job import Job

if TYPE_CHECKING:
    from service.schemas.benchmark_reports import BenchmarkReport


@dataclass(frozen=True, eq=False)
class SheetContent:
    """Headings of the columns, and one row for each image and method, in this order; no rows mean no sheet."""

    columns: Sequence[str] = ()
    rows: Sequence[Row] = ()


@dataclass(frozen=True)
class Sheet:
    """Contact sheet as a 24-bit PNG, with its number of colors and its bits per pixel."""

    png: bytes
    colors: int
    bits_per_pixel: float


def sheet_content(job: Job, events: Sequence[Event]) -> SheetContent:
    """Return the content of the contact sheet of `job` after all its events; empty if the job draws no tiles."""
    if not job.tiles:
        return SheetContent()
    originals = {event.picture: _original_cell(event) for event in events if isinstance(event, ImageDone)}
    quantized = {(event.picture, event.setting): _cell(event) for event in events if isinstance(event, RowDone)}
    rows = []
    for picture, original in originals.items():
        for method in picture.treatment.methods:
            cells = [quantized[picture, each] for each in picture.treatment.settings if each.method == method]
            rows.append(Row(method_name(method), [original, *cells] if isinstance(original, Tile) else [original]))
    colors = dict.fromkeys(setting.colors for picture in originals for setting in picture.treatment.settings)
    return SheetContent(["original", *(f"{count} colors" for count in colors)], rows)


def draw_sheet(content: SheetContent) -> Sheet:
    """Draw the contact sheet."""
    pixels = contact_sheet.draw(content.columns, content.rows)
    height, width = pixels.shape[:2]
    png = truecolor.encode(pixels)
    return Sheet(png, metrics.count_colors(pixels), metrics.bits_per_pixel(len(png), height, width))


def write_benchmark_page(report: BenchmarkReport, content: SheetContent) -> str:
    """Return the HTML page of a benchmark, with its contact sheet if there is content."""
    from service.benchmark import page  # imported here, because the service itself needs no plots

    return page.benchmark_page(report, draw_sheet(content).png if content.rows else b"")


def _original_cell(event: ImageDone) -> Tile | contact_sheet.Failure:
    opened, name = event.outcome, event.picture.name
    if isinstance(opened, Failure):
        return contact_sheet.Failure(f"{name}: {opened.detail}")
    return Tile(opened.tile, name, opened.prediction.label, opened.prediction.probability, kept=True)


def _cell(event: RowDone) -> Tile | contact_sheet.Failure:
    outcome = event.outcome
    if isinstance(outcome, Failure):
        return contact_sheet.Failure(outcome.detail)
    row = outcome.row
    return Tile(outcome.tile, f"{row.bytes:,} bytes", row.label, row.probability, row.kept)
