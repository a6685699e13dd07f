"""training/evaluate/photographs.py and the modules beside it, and the tables and figure made of its report."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from models.codecs import png
from models.evaluation.compare import Setting
from models.evaluation.metrics import bits_per_pixel, mean_squared_error, psnr
from models.evaluation.reports import PhotographsReport, read
from models.quantizers.base import Quantizer
from models.quantizers.classical.catalog import CLASSICAL
from models.quantizers.learned.colorcnn import load_quantizer
from models.quantizers.learned.refined import RefinedQuantizer
from models.recognizer import load_recognizer
from models.zoo.registry import Registry
from tests.training.synthetic import stripes
from tests.training.workshop import Workshop
from training.data.datasets import DatasetError
from training.data.photographs import Photograph, scaled
from training.evaluate import photographs
from training.evaluate.photograph_measurements import ORIGINAL, Bench, Measurement, MeasurementFile
from training.evaluate.photograph_summary import interval
from training.report import kinds, tables

pytestmark = pytest.mark.usefixtures("pool_in_this_process")

SIDE = 24
FILES = ["1.png", "2.jpg", "3.png", "4.png"]
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four photographs in landscape format, a file that is no image, and true classes in another order."""
    folder = tmp_path_factory.mktemp("photographs")
    for name, image in zip(FILES, stripes(4, seed=2).images, strict=True):
        Image.fromarray(image.permute(1, 2, 0).numpy()).resize((48, 32)).save(folder / name)
    (folder / "LICENSE").write_text("free")
    (folder / "labels.txt").write_text("".join(f"./{name}, {i % 2}\n" for i, name in enumerate(FILES[::-1])))
    return folder


def flags(workshop: Workshop, folder: Path, out: Path, *more: str) -> list[str]:
    models = ["--models", str(workshop.models), "--classifier", "stripes", "--quantizer", "stripes-q"]
    chosen = ["--methods", "kmeans", "halftone", "--colors", "2", "4", "--side", str(SIDE), "--skip", "1"]
    return ["--photos", str(folder), *models, *chosen, "--images", "2", "--workers", "1", "--out", str(out), *more]


def wide(workshop: Workshop, folder: Path) -> list[str]:
    """Two sizes, two classifiers, codecs and true classes; the folder of imported models holds the same classifier."""
    codecs = ["--codecs", "jpeg", "avif", "--qualities", "10", "60"]
    readers = ["--foreign", "stripes-again", "--imported", str(folder / "imported")]
    return ["--sides", "16", str(SIDE), "--labels", str(folder / "labels.txt"), *codecs, *readers]


@pytest.fixture(scope="module")
def results(workshop: Workshop, folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("results") / "photographs.json"
    photographs.main(flags(workshop, folder, out))
    return out


@pytest.fixture(scope="module")
def wide_results(workshop: Workshop, folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    shipped, imported = Registry.open(workshop.models), Registry.open_or_create(folder / "imported")
    entry = replace(shipped.entry("stripes"), name="stripes-again", results=None)
    file = folder / "imported" / entry.file
    file.parent.mkdir(parents=True)
    file.write_bytes((workshop.models / entry.file).read_bytes())
    imported.with_model(entry).write()
    out = tmp_path_factory.mktemp("results") / "photographs.json"
    photographs.main(flags(workshop, folder, out, *wide(workshop, folder)))
    return out


def report_in(results: Path) -> PhotographsReport:
    report = read(results)
    assert isinstance(report, PhotographsReport)
    return report


def test_every_method_has_a_row_for_every_k_after_the_originals(results: Path) -> None:
    report = report_in(results)
    methods = [("colorcnn", "stripes-q"), ("kmeans", None), ("halftone", None)]
    assert [row.setting for row in report.rows] == [ORIGINAL, *(Setting(*each, k) for each in methods for k in (2, 4))]
    assert {row.images for row in report.rows} == {report.images} == {2}
    assert report.rows[0].kept == 1 and report.rows[0].view_psnr is None and report.rows[0].top1 is None
    assert {(row.side, row.reader, row.role) for row in report.rows} == {(SIDE, "stripes", "own")}
    assert report.split == "files 2 to 3 by name"
    assert list(report.sha256) == ["stripes", "stripes-q"]
    assert report.commits.keys() == {"truecolor_png", "colorcnn", "kmeans", "halftone"}


@pytest.mark.parametrize(("place", "method"), [(1, "colorcnn"), (3, "kmeans")])
def test_a_row_equals_the_results_image_by_image(
    workshop: Workshop, folder: Path, results: Path, place: int, method: str
) -> None:
    registry = Registry.open(workshop.models)
    recognizer = load_recognizer(registry, "stripes", CPU)
    quantizer: Quantizer = CLASSICAL.get(method) or load_quantizer(registry, "stripes-q", CPU)
    originals = [scaled(folder / name, SIDE) for name in FILES[1:3]]
    images = [quantizer.quantize(each, 2) for each in originals]
    pairs = [(original, image.render()) for original, image in zip(originals, images, strict=True)]
    errors = [mean_squared_error(*map(recognizer.view, pair)) for pair in pairs]

    row = report_in(results).rows[place]
    kept = [recognizer.predict(first)[0].label == recognizer.predict(second)[0].label for first, second in pairs]
    assert row.method == method and row.kept == float(np.mean(kept))
    assert row.bits_per_pixel == np.mean([bits_per_pixel(len(png.encode(each)), SIDE, 36) for each in images])
    assert row.view_psnr == pytest.approx(psnr(float(np.mean(errors))))


def test_sizes_classifiers_and_codecs_have_rows_of_their_own(wide_results: Path) -> None:
    report = report_in(wide_results)
    assert {row.side for row in report.rows} == {16, SIDE}
    assert {(row.reader, row.role) for row in report.rows} == {("stripes", "own"), ("stripes-again", "foreign")}
    assert {(row.method, row.quality) for row in report.rows if row.quality} == {
        (codec, quality) for codec in ("jpeg", "avif") for quality in (10, 60)
    }
    assert len(report.rows) == 2 * 2 * (1 + 6 + 4)
    for first, second in zip(report.rows[::2], report.rows[1::2], strict=True):
        assert (first.kept, first.top1) == (second.kept, second.top1)  # the same network twice
    assert all(row.top1 is not None and row.top1_low is not None for row in report.rows)
    assert report.split == "files 2 to 3 of the labels"


def test_top1_is_the_share_of_true_classes(workshop: Workshop, folder: Path, wide_results: Path) -> None:
    recognizer = load_recognizer(Registry.open(workshop.models), "stripes", CPU)
    truths = {FILES[2]: 1, FILES[1]: 0}
    right = [recognizer.predict(scaled(folder / name, 16))[0].index == truths[name] for name in truths]
    row = report_in(wide_results).rows[0]
    assert row.setting == ORIGINAL and row.side == 16 and row.top1 == float(np.mean(right))


def test_differences_are_those_of_the_shares(wide_results: Path) -> None:
    report = report_in(wide_results)
    shares = {(row.side, row.reader, row.setting): row.kept for row in report.rows}
    assert {each.method for each in report.differences} == {"colorcnn", "halftone"}
    for each in report.differences:
        beside = shares[each.side, each.reader, Setting("kmeans", None, each.colors)]
        assert each.points == pytest.approx(shares[each.side, each.reader, each.setting] - beside)
        assert each.low <= each.points <= each.high


def test_finished_measurements_survive_an_interruption(
    workshop: Workshop, folder: Path, results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, add, seen = tmp_path / "photographs.json", MeasurementFile.add, []

    def stop(self: MeasurementFile, found: Sequence[Measurement]) -> None:
        seen.append(found[0].photograph)
        if len(seen) == 2:
            raise KeyboardInterrupt
        add(self, found)

    monkeypatch.setattr(MeasurementFile, "add", stop)
    with pytest.raises(KeyboardInterrupt):
        photographs.main(flags(workshop, folder, out))
    photographs.main(flags(workshop, folder, out))
    assert sorted(seen) == [FILES[1], FILES[2], FILES[2]] or sorted(seen) == [FILES[1], FILES[1], FILES[2]]
    assert report_in(out).rows == report_in(results).rows
    assert [file.name for file in tmp_path.iterdir()] == [out.name]


def test_commands_with_other_methods_fill_one_file(
    workshop: Workshop, folder: Path, results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, out = tmp_path / "rows.jsonl", tmp_path / "photographs.json"
    for method in ("kmeans", "halftone"):
        photographs.main(flags(workshop, folder, out, "--rows", str(rows), "--methods", method))
    with monkeypatch.context() as patch:
        patch.setattr(Bench, "measure", None)
        photographs.main(flags(workshop, folder, out, "--rows", str(rows)))
    assert report_in(out).rows == report_in(results).rows
    photographs.main(flags(workshop, folder, out, "--rows", str(rows), "--colors", "2", "4", "8"))
    assert len(rows.read_text().splitlines()) == 2 * (1 + 3 * 3)


def measurement(photograph: str = "1.png", kept: int = 0) -> Measurement:
    return Measurement(
        "wu", None, 2, photograph=photograph, side=8, truth=None, bits_per_pixel=1.0, view_mse=0.5, milliseconds=2.0,
        classes={"stripes": kept}, commit="unknown",
    )  # fmt: skip


def test_refined_methods_follow_the_classifiers_with_a_part(
    workshop: Workshop, folder: Path, wide_results: Path, tmp_path: Path
) -> None:
    rows, out = tmp_path / "rows.jsonl", tmp_path / "photographs.json"
    more = ["--methods", "refined_fast", "--alone", "refined_fast", "--fidelities", "1", "--colors", "2"]
    readers = ["--involved", "stripes-again", "--imported", str(folder / "imported"), "--rows", str(rows)]
    photographs.main(flags(workshop, folder, out, *more, *readers))

    registry = Registry.open(workshop.models)
    recognizer = load_recognizer(registry, "stripes", CPU)
    expected = {
        (None, None): RefinedQuantizer((recognizer, recognizer), quick=True),  # the same network under two names
        ("stripes", None): RefinedQuantizer((recognizer,), quick=True),
        (None, 1.0): RefinedQuantizer((recognizer,), 1.0, quick=True),
    }
    found = {(row.model, row.fidelity): row for row in report_in(out).rows if row.method == "refined_fast"}
    assert found.keys() == expected.keys()
    for key, quantizer in expected.items():
        files = [png.encode(quantizer.quantize(scaled(folder / name, SIDE), 2)) for name in FILES[1:3]]
        assert found[key].bits_per_pixel == np.mean([bits_per_pixel(len(file), SIDE, 36) for file in files])
    lines = tables.tables(read(out))["Agreement in %, K = 2 at 24 pixels"]
    for name in ("refined, few steps", "refined, few steps for one reader", "refined, few steps, fidelity 1"):
        assert f"| {name} | " in lines


def test_cells_select_pairs_of_sides_and_colors(workshop: Workshop, folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "photographs.json"
    photographs.main(
        flags(workshop, folder, out, "--sides", "16", "24", "--cells", "16:2", "24:4", "--methods", "kmeans")
    )
    pairs = [(row.side, row.colors) for row in report_in(out).rows if row.method == "kmeans"]
    assert pairs == [(16, 2), (24, 4)]
    with pytest.raises(SystemExit, match="2"):
        photographs.main(flags(workshop, folder, out, "--cells", "2"))


def test_a_report_of_unfinished_measurements_states_the_photographs_of_each_row(
    workshop: Workshop, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, out = tmp_path / "rows.jsonl", tmp_path / "photographs.json"
    photographs.main(flags(workshop, folder, out, "--rows", str(rows), "--methods", "kmeans"))
    photographs.main(flags(workshop, folder, out, "--rows", str(rows), "--methods", "halftone", "--images", "1"))
    monkeypatch.setattr(Bench, "measure", None)
    more = ["--rows", str(rows), "--methods", "kmeans", "halftone", "wu", "--report-only"]
    photographs.main(flags(workshop, folder, out, *more))
    report = report_in(out)
    assert {(row.method, row.images) for row in report.rows if row.colors == 2} == {
        ("colorcnn", 2), ("kmeans", 2), ("halftone", 1)
    }  # fmt: skip
    assert {each.method for each in report.differences} == {"colorcnn", "halftone"}
    rows.write_text("")
    with pytest.raises(DatasetError, match="holds no measurement of these photographs"):
        photographs.main(flags(workshop, folder, out, *more))


def test_a_line_that_was_cut_off_counts_as_missing(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    MeasurementFile(file).add([measurement()])
    with file.open("a") as text:
        text.write(file.read_text()[:40].replace("1.png", "2.png"))
    again = MeasurementFile(file)
    again.add([measurement("3.png", kept=1)])
    found = MeasurementFile(file)
    for name, expected in (("1.png", measurement()), ("2.png", None), ("3.png", measurement("3.png", kept=1))):
        assert found.find(Photograph(Path("any") / name, None), 8, Setting("wu", None, 2)) == expected


@pytest.mark.parametrize("line", ['{"epoch": 1}', "[1, 2]", '{"method": "wu", "colors": 1000}'])
def test_a_file_of_other_lines_is_refused(tmp_path: Path, line: str) -> None:
    file = tmp_path / "log.jsonl"
    file.write_text(f"{line}\n")
    with pytest.raises(DatasetError, match="holds other lines than measurements: name another file"):
        MeasurementFile(file)
    assert file.read_text() == f"{line}\n"


def test_the_interval_encloses_the_share_and_narrows_with_more_photographs() -> None:
    few, many = (np.arange(20) < 12).astype(float), (np.arange(2000) < 1200).astype(float)
    for kept, width in ((few, 0.43), (many, 0.043)):  # 2 x 1.96 x sqrt(0.6 x 0.4 / n)
        low, high = interval(kept)
        assert low < 0.6 < high
        assert high - low == pytest.approx(width, rel=0.2)  # steps of 1/20, and a deviation from 2,000 resamples
    assert interval(few) == interval(few)
    assert interval(np.ones(5)) == (1, 1)


def test_a_paired_difference_has_a_narrower_interval_than_its_shares() -> None:
    first = (np.arange(400) % 2 == 0).astype(float)
    second = np.where(np.arange(400) < 20, 1.0, first)  # differs in 10 photographs only
    low, high = interval(second - first)
    assert 0 < low < 10 / 400 < high < 0.045
    assert high - low < 0.4 * np.subtract(*interval(first)[::-1])


def test_tables_have_a_line_for_each_method(results: Path) -> None:
    shown = tables.tables(read(results))
    row = report_in(results).rows[3]
    assert list(shown) == ["Prediction kept, in %", "PSNR in the view, in dB", "Bits per pixel"]
    lines = shown["Prediction kept, in %"].splitlines()
    assert lines[0] == "| method | K = 2 | K = 4 |"
    interval = f"({100 * row.kept_low:.1f} to {100 * row.kept_high:.1f})"
    assert lines[3].startswith(f"| k-means | {100 * row.kept:.1f} {interval} | ")
    assert shown["Bits per pixel"].splitlines()[3].startswith(f"| k-means | {row.bits_per_pixel:.2f} | ")


def test_wide_tables_have_a_column_for_each_classifier(wide_results: Path) -> None:
    shown = tables.tables(read(wide_results))
    head, _, original, *lines = shown["Agreement in %, K = 2 at 24 pixels"].splitlines()
    sizes = " PSNR in the view | bits per pixel | photographs |"
    assert head == f"| method | stripes (own) | stripes-again (no part) |{sizes}"
    assert original.startswith("| 24-bit PNG | 100.0 (100.0 to 100.0) | 100.0 (100.0 to 100.0) | exact | ")
    assert [line.split(" | ")[0] for line in lines] == ["| ColorCNN", "| k-means", "| halftone"]
    assert len(shown["Codecs at 16 pixels"].splitlines()) == 2 + 4
    assert "| ColorCNN | " in shown["Points above k-means, K = 4 at 16 pixels"]
    assert shown["Top-1 in %, K = 2 at 24 pixels"].splitlines()[0] == head.removesuffix(sizes)


def test_the_figure_has_a_panel_for_each_size_and_classifier(wide_results: Path, results: Path) -> None:
    [figure] = kinds.figures(read(wide_results)).values()
    assert [axes.get_title(loc="left") for axes in figure.axes] == [
        f"{reader}, {side} pixels" for side in (16, 24) for reader in ("stripes", "stripes-again")
    ]
    rows = [
        row for row in report_in(wide_results).rows if row.side == 16 and row.role == "own" and row.method == "jpeg"
    ]
    [line] = [line for line in figure.axes[0].get_lines() if line.get_label() == "JPEG"]
    points = sorted((row.bits_per_pixel, 100 * row.kept) for row in rows)
    assert np.allclose(np.asarray(line.get_xydata()), points)
    assert not kinds.figures(read(results))


def test_a_measurement_is_one_line_of_json(workshop: Workshop, folder: Path, tmp_path: Path) -> None:
    rows = tmp_path / "rows.jsonl"
    photographs.main(flags(workshop, folder, tmp_path / "out.json", "--rows", str(rows)))
    line = json.loads(rows.read_text().splitlines()[0])
    assert line["photograph"] in FILES[1:3] and line["classes"].keys() == {"stripes"} and line["milliseconds"] > 0


def test_a_fixed_palette_is_that_of_every_method(workshop: Workshop, folder: Path, tmp_path: Path) -> None:
    methods = ["--methods", "refined_fast", "refined_flat", "halftone", "nearest", "floyd_steinberg"]
    more = ["--quantizer", "", "--against", "floyd_steinberg", "--palette", "gameboy"]
    arguments = flags(workshop, folder, tmp_path / "palette.json", *methods, *more)
    at = arguments.index("--methods")
    photographs.main([*arguments[:at], *arguments[at + 3 :]])
    report = report_in(tmp_path / "palette.json")
    assert [(row.method, row.colors) for row in report.rows] == [
        ("truecolor_png", None),
        *((method, 4) for method in methods[1:]),
    ]
    assert json.loads((tmp_path / "palette.json").read_text())["palette"] == "gameboy"
    assert {each.against for each in report.differences} == {"floyd_steinberg"}


@pytest.mark.parametrize(
    ("more", "text"),
    [
        (["--palette", "gameboys"], "no palette named"),
        (["--palette", "gameboy"], "colorcnn does not support --palette"),
        (["--methods", "nearest"], "nearest needs --palette"),
    ],
)
def test_methods_and_palettes_that_do_not_fit_are_refused(
    workshop: Workshop, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], more: list[str], text: str
) -> None:
    arguments = flags(workshop, folder, tmp_path / "palette.json")
    at = arguments.index("--methods")
    kept = arguments if "--methods" not in more else [*arguments[:at], *arguments[at + 3 :]]
    with pytest.raises(SystemExit):
        photographs.main([*kept, *more])
    assert text in " ".join(capsys.readouterr().err.replace("│", " ").split())
