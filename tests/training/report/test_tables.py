"""training/report/tables.py: Markdown of what the JSON says."""

import pytest

from models.evaluation.report_kinds import Kind
from models.evaluation.reports import BadReport, parse
from tests.training.report.reports import report, row
from tests.training.workshop import Workshop
from training.report import tables

REPORT = parse(
    report(
        Kind.EVALUATION,
        row("colorcnn", colors=2, top1=0.4),
        row("colorcnn", colors=4, psnr=None),
        row("median_cut", colors=2, top1=0.1),
        row("median_cut", colors=4, ssim=None, top1=None),
        row("colorcnn_published", colors=2),
        row("jpeg", quality=20, ssim=0.125),
        row("truecolor_png", psnr=None),
    )
)


def test_a_line_for_each_method_and_a_column_for_each_k() -> None:
    assert tables.tables(REPORT)["Top-1 minus top-1 of the originals, in points"].splitlines() == [
        "| method | K = 2 | K = 4 |",
        "|---|---|---|",
        "| ColorCNN | -10.0 | -25.0 |",
        "| median cut | -40.0 | - |",
        "| ColorCNN as published | -25.0 | - |",
    ]


def test_an_exact_image_has_no_psnr() -> None:
    assert "| ColorCNN | 20.0 | exact |" in tables.tables(REPORT)["PSNR in dB"]


def test_codecs_have_a_separate_table() -> None:
    assert tables.tables(REPORT)["Codecs without a palette"].splitlines()[2:] == [
        "| JPEG | 20 | 25.0 | 1.50 | 1.00 | 20.0 | 0.125 |",
        "| 24-bit PNG | - | 25.0 | 1.50 | 1.00 | exact | 0.500 |",
    ]


def test_the_command_prints_every_table(workshop: Workshop, capsys: pytest.CaptureFixture[str]) -> None:
    text = tables.main(["--results", str(workshop.results)])
    assert capsys.readouterr().out == text + "\n"
    assert all(f"{title}:\n\n{table}" in text for title, table in tables.tables(parse(workshop.report)).items())


def test_a_kind_without_tables_is_refused() -> None:
    published = parse({"kind": "published", "schema_version": 1, "about": "others", "rows": []})
    with pytest.raises(BadReport, match="'published' has no tables"):
        tables.tables(published)
