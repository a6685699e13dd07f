"""tests/benchmarks/refinement.py: its rows and their table; speed is not tested."""

import json
from pathlib import Path

from tests.benchmarks import network, refinement


def test_every_size_and_number_of_colors_has_a_row_of_both_methods(tmp_path: Path) -> None:
    out = tmp_path / "refinement.json"
    report = refinement.main(["--turns", "1", "--batch", "2", "--side", "48", "--out", str(out)])
    assert json.loads(out.read_text()) == report
    places = [(row["side"], row["batch"], row["colors"]) for row in report["rows"]]
    assert places == [(side, batch, k) for side, batch in ((32, 2), (48, 1)) for k in network.COLORS]
    for row in report["rows"]:
        assert abs(row["ratio"] - row["refined_ms"] / row["search_ms"]) < 0.01
    heading, _, *lines = refinement.table(report).splitlines()
    assert {line.count("|") for line in lines} == {heading.count("|")} and len(lines) == len(report["rows"])
