"""training/figures.py."""

from pathlib import Path

import numpy as np
from PIL import Image

from models.recognizer import Prediction
from tests.training.conftest import Workshop
from training import figures
from training.figures import Tile


def test_the_sheet_holds_the_tiles_as_they_are_and_says_kept_or_lost_by_colour() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (60, 200, 3), dtype=np.uint8)
    kept = Tile(pixels, "kept", Prediction("cat", 3, 0.9), True)
    lost = Tile(255 - pixels, "lost", Prediction("dog", 5, 0.4), False)
    picture = np.asarray(figures.sheet([[kept, lost]]))
    assert np.array_equal(picture[8:68, 8:208], pixels)
    assert np.array_equal(picture[8:68, 216:416], 255 - pixels)
    captions = picture[68 + 22 :].astype(int)
    green, red = captions[:, :208], captions[:, 216:]
    assert (green[..., 1] > green[..., 0] + 50).any() and not (green[..., 0] > green[..., 1] + 50).any()
    assert (red[..., 0] > red[..., 1] + 50).any() and not (red[..., 1] > red[..., 0] + 50).any()


def test_the_command_draws_a_row_for_each_method(workshop: Workshop, tmp_path: Path) -> None:
    photo = next((workshop.data / "test").rglob("*.png"))
    flags = ["--models", str(workshop.models), "--photo", str(photo), "--methods", "octree", "median_cut"]
    file = figures.main([*flags, "--colors", "2", "4", "--out", str(tmp_path / "sub" / "sheet.png")])
    with Image.open(file) as picture:
        assert picture.size == (3 * (16 + 8) + 8, 3 * (16 + 44 + 8) + 8)
