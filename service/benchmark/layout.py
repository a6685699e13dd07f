"""Layout of the HTML pages about benchmarks: self-contained files that people save, in the style of the other pages."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from matplotlib.figure import Figure

from models.report import plots
from service.schemas.benchmark_reports import BenchmarkRow, BenchmarkSummary, DatasetSummary

_STYLE = Path(__file__).parents[1] / "web" / "style.css"


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


def render(title: str, sections: Sequence[Section]) -> str:
    """Return a page of these sections."""
    return _template().render(title=title, style=_STYLE.read_text(encoding="utf-8"), sections=sections)


def picture(png: bytes) -> str:
    """Return a PNG as a data: URI; empty for no bytes."""
    return "data:image/png;base64," + base64.b64encode(png).decode("ascii") if png else ""


def svgs(figures: Sequence[Figure]) -> Sequence[str]:
    """Return each figure as an <svg> element."""
    return [plots.svg(figure) for figure in figures]


def number(value: float | None, digits: int) -> str:
    """Return a number with so many decimals; a dash for None."""
    return "-" if value is None else f"{value:,.{digits}f}"


def measures(measured: BenchmarkRow | BenchmarkSummary | DatasetSummary) -> list[str]:
    """Return the cells that rows and means share, from bits per pixel to milliseconds."""
    return [
        number(measured.bits_per_pixel, 3),
        number(measured.payload_bits_per_pixel, 3),
        "exact" if measured.psnr is None else number(measured.psnr, 2),
        number(measured.ssim, 3),
        number(measured.colors_used, 0 if isinstance(measured, BenchmarkRow) else 1),
        number(measured.milliseconds, 1),
    ]


@cache
def _template() -> Template:
    loader = PackageLoader("service.benchmark")
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.get_template("benchmark.html")
