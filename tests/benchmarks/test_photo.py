"""tests/benchmarks/photo.py: its rows; speed is not tested."""

import json
from pathlib import Path

import pytest

from tests.benchmarks import photo


def test_every_size_has_a_row(tmp_path: Path) -> None:
    out = tmp_path / "photo.json"

    report = photo.main(["--turns", "1", "--scale", "0.001", "--out", str(out)])

    assert json.loads(out.read_text()) == report
    rows = report["rows"]
    assert [row["colors"] for row in rows] == [colors for colors, _ in photo.SIZES]
    assert [1000 * row["megapixels"] for row in rows] == pytest.approx([size for _, size in photo.SIZES], rel=0.05)
    assert [row["ratio"] for row in rows if row["megapixels"] < 0.002] == [1, 1]
    for row in rows:
        assert row["seconds"] > 0 and row["peak_mib_over_idle"] < 1024
    methods = report["methods"]
    assert [(row["method"], row["colors"]) for row in methods[:3]] == [("kmeans", 4), ("default", 4), ("halftone", 4)]
    assert [1000 * row["megapixels"] for row in methods[:: len(methods) // 2]] == pytest.approx([0.4, 12], rel=0.05)
    assert all(row["ratio"] == 1 for row in methods if row["method"] == photo.REFERENCE)
    assert all(row["seconds"] > 0 and row["peak_mib_over_idle"] < 1024 for row in methods)
