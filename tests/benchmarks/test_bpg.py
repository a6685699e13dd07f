"""tests/benchmarks/bpg.py: its rows and their table; speed is not tested."""

import json
from pathlib import Path

from tests.benchmarks import bpg


def test_every_size_and_coding_has_a_row_in_file_and_table(tmp_path: Path) -> None:
    out = tmp_path / "speed.json"

    report = bpg.main(["--repetitions", "1", "--large", "0", "--squares", "2", "--out", str(out)])

    assert json.loads(out.read_text()) == report
    rows = report["rows"]
    places = [(row["width"], row["height"], row["colors"], row["chroma"]) for row in rows]
    assert places == [(side, side, *coding) for side in (32, 64) for coding in bpg.CODINGS]
    assert all(row["images"] == 2 and row["encode_ms"] > 0 and row["decode_ms"] > 0 for row in rows)
    assert all(abs(row["bits_per_pixel"] - 8 * row["bytes"] / row["width"] ** 2) < 0.01 for row in rows)
    heading, _, *lines = bpg.table(report).splitlines()
    assert {line.count("|") for line in lines} == {heading.count("|")} and len(lines) == len(rows)
