"""Tables of a comparison: columns, dashes and means."""

from __future__ import annotations

from typing import Any, cast

from service.cli.compare_tables import aligned, csv_text, json_text, table
from service.client.benchmark import AsyncBenchmark
from service.schemas.benchmark_reports import BenchmarkRow, BenchmarkSummary

ROW: dict[str, Any] = {
    "image": "a.png",
    "method": "wu",
    "model": None,
    "colors": 4,
    "label": "cat",
    "probability": 0.876,
    "kept": True,
    "right": None,
    "bytes": 12345,
    "bits_per_pixel": 1.236,
    "payload_bits_per_pixel": 1.0,
    "mse": 500.0,
    "psnr": 21.26,
    "ssim": 0.876,
    "colors_used": 4,
    "milliseconds": 1.0,
}


class Run:
    """A benchmark that has ended."""

    def __init__(self, **values: Any) -> None:
        measured = {name: ROW[name] for name in ROW if name in BenchmarkSummary.model_fields}
        given = measured | {"images": 2, "kept": 0.5, "top1": None, "bytes": 1234.5, "colors_used": 4.0} | values
        self.summary = [BenchmarkSummary(**given)]


def of(*rows: BenchmarkRow, **means: Any) -> list[list[str]]:
    return [line.split() for line in table(cast(AsyncBenchmark, Run(**means)), rows).splitlines()]


def row(**values: Any) -> BenchmarkRow:
    return BenchmarkRow(**(ROW | values))


def test_a_row_has_its_cells() -> None:
    heading, cells = of(row())

    assert heading == ["image", "method", "colors", "bytes", "bits/pixel", "PSNR", "SSIM", "kept", "label"]
    assert cells == ["a.png", "wu", "4", "12,345", "1.24", "21.3", "0.88", "yes", "cat", "0.88"]


def test_what_was_not_measured_is_a_dash() -> None:
    assert of(row(psnr=None, ssim=None, kept=False))[1][5:8] == ["-", "-", "no"]


def test_several_images_have_means_and_one_has_none() -> None:
    assert len(of(row(), row(colors=8))) == 3
    several = of(row(), row(image="b.png"))
    assert several[3] == []
    assert several[4:] == [
        ["mean", "of", "method", "colors", "bytes", "bits/pixel", "PSNR", "SSIM", "kept", "top-1"],
        ["2", "images", "wu", "4", "1,234", "1.24", "21.3", "0.88", "50%", "-"],
    ]
    assert of(row(), row(image="b.png"), top1=0.126)[5][-1] == "13%"
    assert of(row(), row(image="b.png"), psnr=None, ssim=None)[5][-4:-2] == ["-", "-"]


def test_text_begins_and_numbers_end_in_one_column() -> None:
    lines = aligned([("a", "colors", "x"), ("bcd", "4", "yz")], to_the_left=(0, 2))

    assert lines == "a    colors  x\nbcd       4  yz\n"


def test_csv_and_json_have_the_keys_of_the_report() -> None:
    run = cast(AsyncBenchmark, Run())
    heading, line = csv_text(run, [row()]).splitlines()

    assert heading.split(",") == list(BenchmarkRow.model_fields)
    assert line.startswith("a.png,") and ",wu," in line
    assert [BenchmarkRow.model_validate_json(each) for each in json_text(run, [row(), row()]).splitlines()] == [
        row()
    ] * 2
