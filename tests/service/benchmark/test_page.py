"""Cells, titles and figures of the pages about benchmarks."""

from __future__ import annotations

from typing import Any

import pytest

from service.benchmark import layout, page, results_page
from service.benchmark.layout import Section, measures, number, picture
from service.benchmark.page import SUMMARY, benchmark_page, summary_cells
from service.benchmark.results_page import results_page as page_of
from service.schemas.benchmark_reports import (
    BenchmarkReport,
    BenchmarkRow,
    BenchmarkSummary,
    DatasetSummary,
    PhotographsReport,
    ResultsReport,
)
from tests.service.benchmark.test_results import MEASURED, summary

MEASURES: dict[str, Any] = {
    "bytes": 12345,
    "bits_per_pixel": 1.2344,
    "payload_bits_per_pixel": 0.6366,
    "psnr": 21.256,
    "ssim": 0.8125,
    "colors_used": 3,
    "milliseconds": 12.34,
}
ROW: dict[str, Any] = {
    "image": "a.png",
    "method": "median_cut",
    "model": None,
    "colors": 4,
    "mse": 500.0,
    "label": "cat",
    "probability": 0.876,
    "kept": True,
    "right": None,
    **MEASURES,
}
IMAGE: dict[str, Any] = {
    "image": "a.png",
    "width": 40,
    "height": 24,
    "bytes": 4321,
    "classifier": "brightness",
    "label": "cat",
    "probability": 0.934,
    "truth": None,
    "right": None,
    "notes": [],
}
PROBLEM: dict[str, Any] = {"type": "t", "title": "Bad", "status": 400, "detail": "It is damaged."}


def row(**values: Any) -> BenchmarkRow:
    return BenchmarkRow.model_validate(ROW | values)


def means(**values: Any) -> BenchmarkSummary:
    fields = {name: value for name, value in ROW.items() if name in BenchmarkSummary.model_fields}
    given = {"images": 1234, "kept": 0.5, "top1": None, "quality": None, "colors_used": 2.5}
    known = {name: value for name, value in given.items() if name in BenchmarkSummary.model_fields}
    return BenchmarkSummary.model_validate(fields | known | values)


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [(None, 2, "-"), (0.0, 1, "0.0"), (1234.567, 2, "1,234.57"), (1234.5, 0, "1,234"), (1e6, 0, "1,000,000")],
)
def test_a_number_has_its_decimals(value: float | None, digits: int, text: str) -> None:
    assert number(value, digits) == text


def test_a_picture_is_a_data_uri_or_nothing() -> None:
    assert (picture(b"png"), picture(b"")) == ("data:image/png;base64,cG5n", "")


def test_measures_have_their_decimals() -> None:
    assert measures(row()) == ["1.234", "0.637", "21.26", "0.812", "3", "12.3"]
    assert measures(row(psnr=None, ssim=None))[2:4] == ["exact", "-"]
    assert measures(means())[4] == "2.5"


def test_a_mean_has_a_cell_for_each_column() -> None:
    cells = summary_cells(means())

    assert cells[:6] == ["median cut", "4", "1,234", "50.0", "-", "12,345"]
    assert len(cells) == len(SUMMARY) == 12
    assert summary_cells(means(top1=0.126))[4] == "12.6"
    assert summary_cells(means(top1=0.0))[4] == "0.0"


@pytest.mark.parametrize(("colors", "quality", "cell"), [(2, None, "2"), (None, 30, "quality 30"), (None, None, "-")])
def test_a_mean_without_colors_has_a_quality_or_a_dash(colors: int | None, quality: int | None, cell: str) -> None:
    assert summary_cells(DatasetSummary.model_validate(summary("jpeg", colors, quality)))[1] == cell


def test_rows_and_images_have_their_cells() -> None:
    report = BenchmarkReport.model_validate(benchmark())

    assert page._row_cells(row(kept=False, right=True))[:7] == [
        *("a.png", "median cut", "4", "cat, 88 %", "no", "yes", "12,345"),
    ]
    assert len(page._row_cells(row())) == len(page._ROW)
    assert page._row_cells(row())[4:6] == ["yes", "-"]
    assert page._image_cells(report.images[0]) == ["a.png", "40 x 24", "4,321", "cat, 93 %", "-", "-"]
    assert page._image_cells(report.images[1]) == ["b.png", "Bad. It is damaged."]
    assert page._row_cells(report.rows[-1]) == ["b.png", "median cut", "4", "Bad. It is damaged."]
    assert len(page._image_cells(report.images[0])) == len(page._IMAGE)


def benchmark(**values: Any) -> dict[str, Any]:
    failed = {"image": "b.png", "method": "median_cut", "colors": 4, "error": PROBLEM}
    return {
        "model": None,
        "classifier": "brightness",
        "images": [IMAGE, {"image": "b.png", "error": PROBLEM}],
        "rows": [ROW, {name: failed[name] for name in ("image", "method", "colors", "error")}],
        "summary": [means().model_dump()],
    } | values


@pytest.fixture
def sections(monkeypatch: pytest.MonkeyPatch) -> list[Section]:
    """Sections of the pages that a test draws."""
    drawn: list[Section] = []

    def keep(title: str, found: list[Section]) -> str:
        drawn.extend(found)
        return title

    for module in (page, results_page):
        monkeypatch.setattr(module, "render", keep)
    monkeypatch.setattr(page, "svgs", list)
    monkeypatch.setattr(results_page, "svgs", list)
    return drawn


@pytest.mark.parametrize(
    ("images", "lead"),
    [
        ([IMAGE], "1 image, classified by brightness. Model: none. "),
        ([IMAGE, IMAGE | {"classifier": "second"}], "2 images, classified by brightness and second. Model: none. "),
        ([], "0 images, classified by brightness. Model: none. "),
    ],
)
def test_the_lead_counts_images_and_names_classifiers(
    images: list[dict[str, Any]], lead: str, sections: list[Section]
) -> None:
    benchmark_page(BenchmarkReport.model_validate(benchmark(images=images)), b"png")

    assert sections[0].lead == lead and sections[0].sheet.startswith("data:")
    assert [len(table.rows) for table in sections[0].tables] == [1, len(images), 2]


def test_a_page_without_room_for_its_sheet_says_so(sections: list[Section]) -> None:
    benchmark_page(BenchmarkReport.model_validate(benchmark(model="gray-steps")), b"")

    assert sections[0].sheet == "" and "Model: gray-steps. The contact sheet is left out" in sections[0].lead
    assert "1,142 tiles" in sections[0].lead


@pytest.mark.parametrize(("right", "figures"), [([None, None], 2), ([True, None], 3), ([True, False], 3)])
def test_accuracy_is_drawn_where_true_classes_are_known(
    right: list[bool | None], figures: int, sections: list[Section]
) -> None:
    images = [IMAGE | {"right": each} for each in right]
    report = benchmark(images=images, summary=[means(top1=0.5).model_dump()])
    benchmark_page(BenchmarkReport.model_validate(report), b"")

    assert len(sections[0].figures) == figures
    benchmark_page(BenchmarkReport.model_validate(report | {"summary": []}), b"")
    assert len(sections[1].figures) == 0
    if figures == 3:
        figure: Any = sections[0].figures[0]
        share = {2: 50.0, 1: 100.0}[sum(each is not None for each in right)]
        assert f"originals: {share:.1f} %" in [text.get_text() for text in figure.axes[0].texts]


def results(**values: Any) -> ResultsReport:
    return ResultsReport.model_validate({"results": [MEASURED], "photographs": []} | values)


def test_results_name_the_images_and_their_facts(sections: list[Section]) -> None:
    page_of(results(results=[MEASURED | {"dataset": "cifar10", "sha256": {"brightness": "0123456789abcdef" * 4}}]))

    [section] = sections
    assert section.heading == "CIFAR-10: gray-steps"
    assert section.lead.startswith(
        "CIFAR-10, 10,000 images of the test set, classified by brightness, which recognizes"
    )
    assert "90.45 %" in section.lead and len(section.figures) == 4
    facts = dict(section.facts)
    assert facts["images"] == "10,000" and facts["sha256"] == "brightness 0123456789ab"
    assert facts["seeds"] == "brightness 7, gray-steps 8"
    table = section.tables[0]
    assert table.columns[5] == "points to originals" and len(table.columns) == len(table.rows[0]) == 13
    assert table.rows[0][4:6] == ["71.2", "-19.2"]


def test_reports_about_the_same_images_and_network_share_a_section(sections: list[Section]) -> None:
    extra = MEASURED | {"rows": [summary("wu", 2, None, top1=None), summary("colorcnn", 2, None, top1=0.1)]}
    other = MEASURED | {"classifier": "second"}
    page_of(results(results=[MEASURED, extra, other]))

    first, second = sections
    assert [row[0] for row in first.tables[0].rows][-1] == "Wu" and first.tables[0].rows[-1][5] == "-"
    assert len(first.tables[0].rows) == len(MEASURED["rows"]) + 1  # the first row of a method counts
    assert len(first.facts) == 2 * len(second.facts)


def test_a_kept_share_has_its_interval() -> None:
    row_type: Any = PhotographsReport.model_fields["rows"].annotation
    [kind] = row_type.__args__
    shown = kind.model_construct(images=500, bits_per_pixel=1.2344, kept=0.876, kept_low=0.844, kept_high=0.906)

    assert results_page._kept(shown) == "88 (84 to 91)" and results_page._kept(None) == "-"
    assert results_page._common(shown) == ["500", "1.234"]


def test_a_template_is_read_once_and_escapes() -> None:
    assert layout._template() is layout._template()
    shown = layout.render("<T>", [Section("<h>", "<l>", (), (), "", ())])
    assert "&lt;h&gt;" in shown and "<h>" not in shown
