"""training/report/tables.py: Markdown of what the JSON says."""

from typing import Any

import pytest

from tests.training.conftest import Workshop
from training.report import tables


def row(method: str, **changes: Any) -> dict[str, Any]:
    measured = {"images": 3, "kept": 0.5, "top1": 0.25, "bytes": 99.0, "bits_per_pixel": 1.5, "ssim": 0.5}
    measured |= {"payload_bits_per_pixel": 1.0, "psnr": 20.0, "colors_used": 2.0, "milliseconds": 1.0}
    return {"method": method, "model": None, "colors": None, "quality": None} | measured | changes


REPORT = {
    "top1_original": 0.5,
    "rows": [
        row("colorcnn", colors=2, top1=0.4),
        row("colorcnn", colors=4, psnr=None),
        row("median_cut", colors=2, top1=0.1),
        row("median_cut", colors=4, ssim=None, top1=None),
        row("colorcnn_published", colors=2),
        row("jpeg", quality=20, ssim=0.125),
        row("truecolor_png", psnr=None),
    ],
}


def test_a_line_for_each_method_and_a_column_for_each_k() -> None:
    assert tables.tables(REPORT)["Points of top-1 to the originals"].splitlines() == [
        "| method | K = 2 | K = 4 |",
        "|---|---|---|",
        "| ColorCNN | -10.0 | -25.0 |",
        "| median cut | -40.0 | - |",
        "| ColorCNN as published | -25.0 | - |",
    ]


def test_an_exact_image_has_no_psnr() -> None:
    assert "| ColorCNN | 20.0 | exact |" in tables.tables(REPORT)["PSNR in dB"]


def test_codecs_have_a_table_of_their_own() -> None:
    assert tables.tables(REPORT)["Without a palette"].splitlines()[2:] == [
        "| JPEG | 20 | 25.0 | 1.50 | 1.00 | 20.0 | 0.125 |",
        "| 24-bit PNG | - | 25.0 | 1.50 | 1.00 | exact | 0.500 |",
    ]


def test_the_command_prints_every_table(workshop: Workshop, capsys: pytest.CaptureFixture[str]) -> None:
    text = tables.main(["--results", str(workshop.results)])
    assert capsys.readouterr().out == text + "\n"
    assert all(f"{title}:\n\n{table}" in text for title, table in tables.tables(workshop.report).items())
