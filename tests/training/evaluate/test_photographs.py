"""training/evaluate/photographs.py, and the tables made of its report."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from models.codecs import png
from models.evaluation.compare import Setting
from models.evaluation.metrics import bits_per_pixel, mean_squared_error, psnr
from models.evaluation.report_rows import PhotographRow
from models.evaluation.reports import PhotographsReport, read
from models.quantizers.base import Quantizer
from models.quantizers.classical.catalog import CLASSICAL
from models.quantizers.learned.colorcnn import load_quantizer
from models.recognizer import load_recognizer
from models.zoo.registry import Registry
from tests.training.synthetic import stripes
from tests.training.workshop import Workshop
from training.data.datasets import DatasetError
from training.evaluate import photographs
from training.report import tables

pytestmark = pytest.mark.usefixtures("pool_in_this_process")

SIDE = 24
FILES = ["1.png", "2.jpg", "3.png", "4.png"]
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four photographs in landscape format, and a file that is no image."""
    folder = tmp_path_factory.mktemp("photographs")
    for name, image in zip(FILES, stripes(4, seed=2).images, strict=True):
        Image.fromarray(image.permute(1, 2, 0).numpy()).resize((48, 32)).save(folder / name)
    (folder / "LICENSE").write_text("free")
    return folder


def flags(workshop: Workshop, folder: Path, out: Path) -> list[str]:
    models = ["--models", str(workshop.models), "--classifier", "stripes", "--quantizer", "stripes-q"]
    chosen = ["--methods", "kmeans", "halftone", "--colors", "2", "4", "--side", str(SIDE), "--skip", "1"]
    return ["--photos", str(folder), *models, *chosen, "--images", "2", "--workers", "1", "--out", str(out)]


@pytest.fixture(scope="module")
def results(workshop: Workshop, folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("results") / "photographs.json"
    photographs.main(flags(workshop, folder, out))
    return out


def report_in(results: Path) -> PhotographsReport:
    report = read(results)
    assert isinstance(report, PhotographsReport)
    return report


def test_every_method_has_a_row_for_every_k(results: Path) -> None:
    report = report_in(results)
    methods = [("colorcnn", "stripes-q"), ("kmeans", None), ("halftone", None)]
    assert [row.setting for row in report.rows] == [Setting(*each, k) for each in methods for k in (2, 4)]
    assert {row.images for row in report.rows} == {report.images} == {2}
    assert report.split == "files 2 to 3 by name" and report.side == SIDE
    assert list(report.sha256) == ["stripes", "stripes-q"]


@pytest.mark.parametrize(("place", "method"), [(0, "colorcnn"), (2, "kmeans")])
def test_a_row_equals_the_results_image_by_image(
    workshop: Workshop, folder: Path, results: Path, place: int, method: str
) -> None:
    registry = Registry.open(workshop.models)
    recognizer = load_recognizer(registry, "stripes", CPU)
    quantizer: Quantizer = CLASSICAL.get(method) or load_quantizer(registry, "stripes-q", CPU)
    originals = [photographs.scaled(folder / name, SIDE) for name in FILES[1:3]]
    images = [quantizer.quantize(each, 2) for each in originals]
    pairs = [(original, image.render()) for original, image in zip(originals, images, strict=True)]
    errors = [mean_squared_error(*map(recognizer.view, pair)) for pair in pairs]

    row = report_in(results).rows[place]
    kept = [recognizer.predict(first)[0].label == recognizer.predict(second)[0].label for first, second in pairs]
    assert row.method == method and row.kept == float(np.mean(kept))
    assert row.bits_per_pixel == np.mean([bits_per_pixel(len(png.encode(each)), SIDE, 36) for each in images])
    assert row.view_psnr == pytest.approx(psnr(float(np.mean(errors))))


def test_a_photograph_is_scaled_to_its_shorter_side(folder: Path) -> None:
    assert photographs.scaled(folder / FILES[0], 24).shape == (24, 36, 3)
    assert photographs.scaled(folder / FILES[0], 64).shape == (64, 96, 3)


def test_finished_rows_survive_an_interruption(
    workshop: Workshop, folder: Path, results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, measure = tmp_path / "photographs.json", photographs.Bench.measure

    def stop(self: photographs.Bench, setting: Setting, file: Path, before: int) -> photographs.Measurement:
        if setting.method == "halftone":
            raise KeyboardInterrupt
        return measure(self, setting, file, before)

    def only_halftone(self: photographs.Bench, setting: Setting, file: Path, before: int) -> photographs.Measurement:
        assert setting.method == "halftone"
        return measure(self, setting, file, before)

    monkeypatch.setattr(photographs.Bench, "measure", stop)
    with pytest.raises(KeyboardInterrupt):
        photographs.main(flags(workshop, folder, out))
    monkeypatch.setattr(photographs.Bench, "measure", only_halftone)
    photographs.main(flags(workshop, folder, out))
    assert report_in(out).rows == report_in(results).rows
    assert [file.name for file in tmp_path.iterdir()] == [out.name]


def test_the_interval_encloses_the_share_and_narrows_with_more_photographs() -> None:
    few, many = np.arange(20) < 12, np.arange(2000) < 1200
    for kept, width in ((few, 0.43), (many, 0.043)):  # 2 x 1.96 x sqrt(0.6 x 0.4 / n)
        low, high = photographs.bootstrap_interval(kept)
        assert low < 0.6 < high
        assert high - low == pytest.approx(width, rel=0.2)  # steps of 1/20, and a deviation from 1,000 resamples
    assert photographs.bootstrap_interval(few) == photographs.bootstrap_interval(few)
    assert photographs.bootstrap_interval(np.ones(5, dtype=np.bool_)) == (1, 1)


@pytest.mark.parametrize(("skip", "message"), [(4, "has 4 image files, of which --skip leaves none"), (0, "no folder")])
def test_a_folder_without_photographs_is_refused(folder: Path, skip: int, message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        photographs.photographs(folder if skip else folder / "none", skip, 1)


def test_tables_have_a_line_for_each_method(results: Path) -> None:
    shown = tables.tables(read(results))
    row = report_in(results).rows[2]
    assert list(shown) == ["Prediction kept, in %", "PSNR in the view, in dB", "Bits per pixel"]
    lines = shown["Prediction kept, in %"].splitlines()
    assert lines[0] == "| method | K = 2 | K = 4 |"
    interval = f"({100 * row.kept_low:.1f} to {100 * row.kept_high:.1f})"
    assert lines[3].startswith(f"| k-means | {100 * row.kept:.1f} {interval} | ")
    assert shown["Bits per pixel"].splitlines()[3].startswith(f"| k-means | {row.bits_per_pixel:.2f} | ")


def test_an_exact_view_has_no_psnr() -> None:
    row = PhotographRow(
        "wu", None, 2, images=1, kept=1.0, kept_low=1.0, kept_high=1.0, bits_per_pixel=1.0, view_psnr=None
    )
    report = PhotographsReport(
        command="", commit="", hardware="", torch="", dataset="", split="", quantizer=None,
        images=1, side=24, classifier="stripes", sha256={}, rows=(row,),
    )  # fmt: skip
    assert tables.tables(report)["PSNR in the view, in dB"].splitlines()[2] == "| Wu | exact |"
