"""training/report/photograph_sheet.py."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from models.quantizers.classical.catalog import CLASSICAL
from models.rgb import Pixels
from tests.training.workshop import Workshop
from training.data.photographs import scaled
from training.report import photograph_sheet

SIDE, TILE = 40, (32, 24)


@pytest.fixture(scope="module")
def photos(workshop: Workshop, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two photographs of 60x40 pixels whose parts differ."""
    folder = tmp_path_factory.mktemp("photos")
    random = np.random.default_rng(0)
    files = [folder / f"{name}.png" for name in ("one", "two")]
    for file in files:
        Image.fromarray(random.integers(256, size=(40, 60, 3), dtype=np.uint8)).save(file)
    return files


def flags(workshop: Workshop, photos: list[Path], out: Path, *more: str) -> list[str]:
    models = ["--models", str(workshop.models), "--classifier", "stripes", "--quantizer", "stripes-q"]
    shown = ["--methods", "kmeans", "octree", "--shorter-side", str(SIDE), "--tile", *map(str, TILE)]
    return ["--photos", *map(str, photos), *models, *shown, "--out", str(out), *more]


def places(sheet: Pixels, part: Pixels) -> list[tuple[int, int]]:
    """Corners at which the sheet shows the part, pixel by pixel."""
    height, width = part.shape[:2]
    starts = np.argwhere((sheet == part[0, 0]).all(axis=2)).tolist()
    return [(y, x) for y, x in starts if np.array_equal(sheet[y : y + height, x : x + width], part)]


def drawn(file: Path) -> Pixels:
    with Image.open(file) as picture:
        return np.asarray(picture.convert("RGB"))


@pytest.mark.parametrize("ending", ["png", "webp"])
def test_several_photographs_have_a_column_each_and_a_row_for_each_method(
    workshop: Workshop, photos: list[Path], tmp_path: Path, ending: str
) -> None:
    corners = ["--corners", "0", "16", "28", "0"]
    sheet = drawn(
        photograph_sheet.main(flags(workshop, photos, tmp_path / f"sub/a.{ending}", "--colors", "4", *corners))
    )

    boxes = [np.s_[16:40, 0:32], np.s_[0:24, 28:60]]
    originals = [places(sheet, drawn(file)[box]) for file, box in zip(photos, boxes, strict=True)]
    assert [len(found) for found in originals] == [1, 1] and originals[0][0][0] == originals[1][0][0]
    for method in ("kmeans", "octree"):
        quantized = [CLASSICAL[method].quantize(scaled(file, SIDE), 4).render() for file in photos]
        [[left], [right]] = [places(sheet, each[box]) for each, box in zip(quantized, boxes, strict=True)]
        assert left[0] == right[0] and [left[1], right[1]] == [found[0][1] for found in originals]


def test_one_photograph_has_a_row_for_each_number_of_colors(
    workshop: Workshop, photos: list[Path], tmp_path: Path
) -> None:
    sheet = drawn(photograph_sheet.main(flags(workshop, photos[:1], tmp_path / "a.png", "--colors", "2", "8")))

    box = np.s_[8:32, 14:46]  # the middle
    assert len(places(sheet, drawn(photos[0])[box])) == 2
    rows = [places(sheet, CLASSICAL["kmeans"].quantize(scaled(photos[0], SIDE), k).render()[box]) for k in (2, 8)]
    assert [len(found) for found in rows] == [1, 1] and rows[0][0][1] == rows[1][0][1]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--corners", "1", "2"], "--corners needs 4 numbers, two for each photograph"),
        (["--out", "sheet.jpg"], "--out must end with .png or .webp"),
        (["--methods", "magic"], "--methods must be one of "),
    ],
)
def test_options_that_do_not_fit_are_refused(
    workshop: Workshop,
    photos: list[Path],
    tmp_path: Path,
    more: list[str],
    message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit, match="2"):
        photograph_sheet.main(flags(workshop, photos, tmp_path / "a.png", *more))
    assert message in capsys.readouterr().err and not list(tmp_path.iterdir())
