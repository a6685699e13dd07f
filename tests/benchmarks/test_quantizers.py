"""tests/benchmarks/quantizers.py: its rows and their table; speed is not tested."""

import json
from pathlib import Path

from models.quantizers.classical.catalog import CLASSICAL
from tests.benchmarks import quantizers


def test_every_classical_quantizer_has_a_row_in_file_and_table(tmp_path: Path) -> None:
    out = tmp_path / "quantizers.json"

    report = quantizers.main(["--turns", "1", "--width", "96", "--height", "64", "--out", str(out)])

    assert json.loads(out.read_text()) == report
    rows = report["rows"]
    assert [(row["method"], row["colors"]) for row in rows] == [
        (name, colors) for name in CLASSICAL for colors in quantizers.COLORS
    ]
    assert {row["method"] for row in rows if "to_same" in row} == set(quantizers.PILLOW)
    heading, _, *lines = quantizers.table(report).splitlines()
    assert {line.count("|") for line in lines} == {heading.count("|")} and len(lines) == len(rows)
