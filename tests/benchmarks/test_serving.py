"""tests/benchmarks/serving.py: it runs all parts and collects their reports by name."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from models.evaluation.report_kinds import Kind, head
from tests.benchmarks import serving
from tests.benchmarks.serving import Report

ROOT = Path(__file__).parents[2]


def test_each_part_runs_with_its_flags(monkeypatch: pytest.MonkeyPatch) -> None:
    def part(argv: Sequence[str]) -> Report:
        return {"flags": list(argv)}

    monkeypatch.setattr(serving, "PARTS", {"one": part, "two": part})

    found = serving.measure({"two": ["--turns", "1"]})

    assert found == {"one": {"flags": ["--out", "one.json"]}, "two": {"flags": ["--turns", "1", "--out", "two.json"]}}


def test_the_stored_report_has_every_part_with_its_command_and_hardware(capsys: pytest.CaptureFixture[str]) -> None:
    report = serving.main(["--table", str(ROOT / "docs" / "results" / "data" / "serving.json")])

    assert json.loads((ROOT / "docs" / "results" / "data" / "serving.json").read_text()) == report
    assert capsys.readouterr().out == f"{serving.table(report)}\n"
    assert report.keys() == head(Kind.SERVING).keys() | serving.PARTS.keys()
    for name in serving.PARTS:
        assert report[name]["kind"] == name and report[name]["command"].startswith("python -m ")
        assert report[name]["hardware"]


def test_methods_for_photographs_have_a_line_beside_kmeans_if_they_were_measured() -> None:
    report = json.loads((ROOT / "docs" / "results" / "data" / "serving.json").read_text())
    report["photo"].pop("methods", None)
    before = serving.table(report).splitlines()
    row = {"colors": 4, "megapixels": 12.0, "seconds": 1.5, "ratio": 3.0, "peak_mib_over_idle": 90.4}
    report["photo"]["methods"] = [row | {"method": "kmeans"}, row | {"method": "halftone"}]

    [line] = [line for line in serving.table(report).splitlines() if line not in before]

    what = "a photo of 12 megapixels, 4 colors, method `halftone`"
    assert line == f"| {what} | k-means | 3.0 times as long, 1.50 s, 90 MiB more memory at the peak |"
