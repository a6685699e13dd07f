"""tests/benchmarks/network.py: its rows and their table; speed is not tested."""

import json
from pathlib import Path

import pytest
import torch

from models.networks.precision import has_int8
from tests.benchmarks import network


def test_every_size_and_number_of_colors_has_a_row_of_both_ways(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(network, "find_spec", lambda name: None)
    out = tmp_path / "network.json"

    report = network.main(["--turns", "1", "--batch", "2", "--side", "48", "--out", str(out)])

    assert json.loads(out.read_text()) == report
    places = [(row["device"], row["side"], row["batch"], row["colors"]) for row in report["rows"]]
    assert places == [("cpu", side, batch, k) for side, batch in ((32, 2), (48, 1)) for k in network.COLORS]
    for row in report["rows"]:
        assert abs(row["ratio"] - row["published_ms"] / row["served_ms"]) < 0.01
        assert abs(row["one_pass_ratio"] - row["published_ms"] / row["one_pass_ms"]) < 0.01
        assert 0 < row["one_pass_multiply_adds"] < row["served_multiply_adds"]
        # The search runs the classifier up to nine times for each image; tests/models/networks counts one pass alone.
        assert 0 < row["served_multiply_adds"] < 3 * row["published_multiply_adds"]
    measured = [(row["runtime"], row["batch"]) for row in report["runtimes"] if "skipped" not in row]
    integer = ("torch int8",) if has_int8(torch.device("cpu")) else ()
    assert measured == [(name, batch) for batch in (2, 1) for name in ("torch", "torch bfloat16", *integer)]
    assert {row["runtime"] for row in report["runtimes"] if "skipped" in row} == {"onnxruntime", "openvino"}
    heading, _, *lines = network.table(report).splitlines()
    assert {line.count("|") for line in lines} == {heading.count("|")} and len(lines) == len(report["rows"])
