"""tests/benchmarks/likeness.py: its rows and their table."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from models.quantizers.classical.catalog import CLASSICAL
from tests.benchmarks import likeness


def test_rows_hold_the_psnr_of_each_photograph_and_the_table_their_means(tmp_path: Path) -> None:
    pictures = [np.random.default_rng(seed).integers(0, 256, (24, 24, 3), dtype=np.uint8) for seed in (0, 1)]
    for name, pixels in zip(("b", "a"), pictures, strict=True):
        Image.fromarray(pixels).save(tmp_path / f"{name}.png")
    out = tmp_path / "likeness.json"

    report = likeness.main(["--photos", str(tmp_path), "--out", str(out)])

    assert json.loads(out.read_text()) == report and report["photographs"] == ["a", "b"]
    rows = {(row["method"], row["colors"]): row for row in report["rows"]}
    assert list(rows) == [(method, colors) for method in likeness.METHODS for colors in likeness.COLORS]
    errors = [
        np.square(CLASSICAL["octree"].quantize(each, 16).render() - each.astype(float)).mean() for each in pictures
    ]
    expected = [10 * np.log10(255**2 / error) for error in reversed(errors)]
    assert rows["octree", 16]["psnr_of_each"] == pytest.approx(expected, abs=1e-3)
    assert rows["octree", 16]["psnr"] == pytest.approx(np.mean(expected), abs=1e-3)

    line = next(line for line in likeness.table(report).splitlines() if "`octree_nearest`" in line)
    gain = rows["octree_nearest", 16]["psnr"] - rows["octree", 16]["psnr"]
    assert f"({gain:+.2f})" in line and gain > 0


def test_a_folder_without_photographs_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        likeness.main(["--photos", str(tmp_path), "--out", str(tmp_path / "x.json")])
    assert "there is no PNG file in" in capsys.readouterr().err


def test_every_strong_form_stands_below_its_base() -> None:
    for strong, base in likeness.STRONG.items():
        assert likeness.METHODS.index(strong) == likeness.METHODS.index(base) + 1
