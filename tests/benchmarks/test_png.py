"""tests/benchmarks/png.py: its rows; speed is not tested."""

import json
from pathlib import Path

import numpy as np
import pytest

from models.codecs import png as writer
from models.palette_image import PaletteImage
from tests.benchmarks import png


def test_every_row_has_every_writer(tmp_path: Path) -> None:
    for optimizer in ("oxipng", "zopfli"):
        pytest.importorskip(optimizer, reason=f"no {optimizer} for this Python and processor")
    out = tmp_path / "png.json"

    report = png.main(["--turns", "2", "--step", "32", "--out", str(out)])

    assert json.loads(out.read_text())["rows"] == report["rows"]
    found = [(row["method"], row["bits"]) for row in report["rows"]]
    assert found == [*(("median_cut", bits) for bits in (1, 2, 4, 8)), ("colorcnn", 1)]
    for row in report["rows"]:
        assert all(row[name]["bytes"] > 4 * 57 and row[name]["ms"] > 0 for name in png.WRITERS)
        assert abs(row["ratios"]["max_to_oxipng"]["bytes"] - row["max"]["bytes"] / row["oxipng"]["bytes"]) < 1e-3


def test_a_writer_that_changes_the_picture_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def inverted(image: PaletteImage) -> bytes:
        return writer.encode(PaletteImage(image.indices, 255 - image.palette))

    monkeypatch.setattr(png, "WRITERS", {"inverted": inverted})
    pixels = np.zeros((2, 2), np.uint8)

    with pytest.raises(RuntimeError, match="inverted changed"):
        png.write_all(PaletteImage(pixels, pixels[:1, :1].repeat(3, axis=1)), 1)
