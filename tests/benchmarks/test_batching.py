"""tests/benchmarks/batching.py: its rows; speed is not tested."""

import json
from pathlib import Path

from tests.benchmarks import batching


def test_every_number_of_clients_has_a_row_with_both_modes(tmp_path: Path) -> None:
    out = tmp_path / "batching.json"

    report = batching.main(["--seconds", "0.3", "--turns", "1", "--out", str(out)])

    assert json.loads(out.read_text()) == report
    assert [row["clients"] for row in report["rows"]] == list(batching.CLIENTS)
    for row in report["rows"]:
        rates = [row[mode]["images_per_second"] for mode in ("batched", "one_at_a_time")]
        assert abs(row["ratio"] - rates[0] / rates[1]) < 0.02
        assert row["one_at_a_time"]["images_per_batch"] == 1 <= row["batched"]["images_per_batch"] <= row["clients"]
