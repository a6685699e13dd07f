"""training/report/contact_sheet.py."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image

from models.evaluation.compare import Sample
from models.quantizers.classical.catalog import CLASSICAL
from models.recognizer import load_recognizer
from models.rgb import Pixels
from models.zoo.registry import Registry
from tests.training.workshop import Workshop
from training.report import contact_sheet


def test_the_command_draws_the_photo_with_and_without_activation_maps(workshop: Workshop, tmp_path: Path) -> None:
    photo = next((workshop.data / "test").rglob("*.png"))
    flags = ["--models", str(workshop.models), "--photo", str(photo), "--methods", "octree", "median_cut"]
    flags += ["--colors", "2", "4"]
    plain = drawn(contact_sheet.main([*flags, "--out", str(tmp_path / "sub" / "sheet.png")]))
    mapped = drawn(contact_sheet.main([*flags, "--cam", "--out", str(tmp_path / "maps.png")]))

    with Image.open(photo) as picture:
        original = np.asarray(picture.convert("RGB")).repeat(16, axis=0).repeat(16, axis=1)
    corners = np.argwhere((plain == original[0, 0]).all(axis=2)).tolist()
    tiles = [(y, x) for y, x in corners if np.array_equal(plain[y : y + 256, x : x + 256], original)]
    assert len(tiles) == 3 and len({x for _, x in tiles}) == 1, "a row for each method, the original first in each"
    assert plain.shape[1] == tiles[0][1] + 3 * 256 + 2 * 8 + 12, "a column for the original and each number of colors"
    assert mapped.shape == plain.shape
    top = tiles[0][0]
    assert np.ptp(plain[top : top + 256], axis=2).max() < 60, "the photo is gray but for some noise"
    assert np.ptp(mapped[top : top + 256], axis=2).max() > 100, "heat is not"


def test_a_tile_shows_the_probability_of_its_class_in_green_when_right(workshop: Workshop) -> None:
    recognizer = load_recognizer(Registry.open(workshop.models), "stripes", torch.device("cpu"))
    pixels = drawn(next((workshop.data / "test").rglob("*.png")))
    best, *others = recognizer.predict(pixels, len(recognizer.classes))
    maker = contact_sheet.TileMaker(recognizer, 64, cam=False)
    for true, title in ((best, "it"), (others[0], f"it, predicted: {best.label}")):
        sample = Sample("it", pixels, best, true.index)
        shown = maker.original(sample, "it")
        assert (shown.label, shown.probability, shown.title) == (true.label, true.probability, title)
        assert shown.kept == (true is best)
        in_few = maker.quantized(sample, CLASSICAL["median_cut"], 64)
        assert in_few.label == true.label and in_few.kept == (true is best)


def drawn(file: Path) -> Pixels:
    with Image.open(file) as picture:
        return np.asarray(picture)
