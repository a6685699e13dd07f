"""training/evaluate/bytes.py, its report and its table."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch

from models.codecs import bpg, packed, webp
from models.decoding.decode import decode
from models.evaluation.report_rows import BytesRow
from models.evaluation.reports import BytesReport, read
from models.quantizers.classical.catalog import CLASSICAL
from models.quantizers.learned.colorcnn import load_quantizer
from models.quantizers.smoothing import smoothed
from models.recognizer import load_recognizer
from models.zoo.registry import Registry
from tests.training.workshop import Workshop
from training.data.datasets import load
from training.data.workers import Images, worker_pool
from training.evaluate import bytes
from training.evaluate.bytes import BytesOptions
from training.report import tables

pytestmark = pytest.mark.usefixtures("pool_in_this_process")

BUDGET = 90
IMAGES = 5


@pytest.fixture(scope="module")
def report(workshop: Workshop, tmp_path_factory: pytest.TempPathFactory) -> BytesReport:
    out = tmp_path_factory.mktemp("bytes") / "bytes.json"
    common = ["--data", str(workshop.data), "--models", str(workshop.models), "--device", "cpu", "--workers", "1"]
    chosen = ["--ways", "colorcnn_one_pass", "--images", str(IMAGES), "--held-out", "400", "--budget", str(BUDGET)]
    chosen += ["--containers", "packed", "packed-smoothed", "png"]
    bytes.main([*common, "--classifier", "stripes", "--quantizer", "stripes-q", *chosen, "--out", str(out)])
    found = read(out)
    assert isinstance(found, BytesReport)
    return found


def row_of(report: BytesReport, method: str, container: str) -> BytesRow:
    [row] = [row for row in report.rows if (row.method, row.container) == (method, container)]
    return row


def test_every_way_has_a_row(report: BytesReport) -> None:
    containers = ("packed", "packed-smoothed", "png")
    palettes = [(method, each) for method in ("colorcnn_one_pass", "kmeans") for each in containers]
    codecs = [
        (each, each) for each in ("bpg", "webp", "avif", "jxl", "jpeg") if each != "jxl" or find_spec("pillow_jxl")
    ]
    assert [(row.method, row.container) for row in report.rows] == [*palettes, *codecs]
    assert {row.images for row in report.rows} == {IMAGES}
    assert report.split == "held-out part of train" and report.budget == BUDGET
    assert list(report.originals) == ["stripes"] and report.originals["stripes"] == report.top1_original


def test_a_palette_has_the_most_colors_that_fit(workshop: Workshop, report: BytesReport) -> None:
    _, held_out = load(workshop.data, "train", size=16).hold_out(400)
    registry = Registry.open(workshop.models)
    quantizer = load_quantizer(registry, "stripes-q", torch.device("cpu")).for_method("colorcnn_one_pass")
    chosen = []
    for image in held_out.images[:IMAGES].permute(0, 2, 3, 1).numpy():
        files = [packed.encode(quantizer.quantize(image, colors)) for colors in (8, 6, 4, 3, 2)]
        chosen += [file for file in files if len(file) <= BUDGET][:1]
    row = row_of(report, "colorcnn_one_pass", "packed")
    recognizer = load_recognizer(registry, "stripes", torch.device("cpu"))
    seen = [recognizer.predict(decode(file).pixels)[0].index for file in chosen]

    assert row.fits == len(chosen) / IMAGES > 0
    assert row.bytes == pytest.approx(sum(map(len, chosen)) / len(chosen))
    assert row.setting == pytest.approx(sum(packed.Header.parse(file).colors for file in chosen) / len(chosen))
    if row.fits == 1:
        right = sum(index == truth for index, truth in zip(seen, held_out.labels.tolist()[:IMAGES], strict=True))
        assert row.top1["stripes"] == right / IMAGES


def noise(count: int) -> Images:
    return np.random.default_rng(0).integers(0, 256, (count, 16, 16, 3), dtype=np.uint8)


def test_an_index_map_is_smoothed_only_until_the_file_fits() -> None:
    [pixels] = noise(1)
    image = CLASSICAL["kmeans"].quantize(pixels, 2)
    sizes = [len(packed.encode(version)) for version in (image, *smoothed(image, pixels))]
    for budget in (sizes[0], sizes[0] - 1, 30):
        chosen = bytes._file_of_palette(packed.encode, budget, True, image, pixels)
        assert chosen is not None and chosen.size == next(size for size in sizes if size <= budget)
        assert np.array_equal(chosen.pixels, image.render()) == (budget == sizes[0])
    assert bytes._file_of_palette(packed.encode, 5, True, image, pixels) is None
    assert bytes._file_of_palette(packed.encode, sizes[0] - 1, False, image, pixels) is None


def test_smoothing_is_for_images_that_no_number_of_colors_fits(tmp_path: Path) -> None:
    options = BytesOptions(
        out=tmp_path,
        dataset="stripes",
        classifier="stripes",
        quantizer="stripes-q",
        colors=(2, 4),
        containers=("packed", "packed-smoothed"),
        budget=45,
    )
    images = noise(3)
    images[2, :, 8:] = images[2, :, :8] = 99  # one that fits as it is
    images[2, 0, :5] = np.arange(15).reshape(5, 3)
    with worker_pool(1) as pool:
        found = bytes._largest_palettes(options, images, CLASSICAL["kmeans"], pool, "k-means")
    assert [file and file.setting for file in found["packed"]] == [None, None, 4]
    assert [file and file.setting for file in found["packed-smoothed"]] == [2, 2, 4]


def test_a_codec_has_the_best_setting_that_fits(workshop: Workshop) -> None:
    [image] = load(workshop.data, "test", size=16).images[:1].permute(0, 2, 3, 1).numpy()
    budget = len(bpg.encode(image, qp=30, chroma="420"))
    chosen = bytes._best_quality("bpg", budget, image)
    assert chosen is not None and chosen.size <= budget
    assert len(bpg.encode(image, qp=chosen.setting, chroma="420")) == chosen.size
    assert len(bpg.encode(image, qp=chosen.setting - 1, chroma="420")) > budget

    least = len(webp.encode(image, 1))
    assert bytes._best_quality("webp", least - 1, image) is None
    largest = bytes._best_quality("webp", 10_000, image)
    assert largest is not None and largest.setting == 100


def test_jpeg_never_fits_and_is_not_recognized(report: BytesReport) -> None:
    row = row_of(report, "jpeg", "jpeg")
    assert (row.fits, row.bytes, row.setting, row.top1) == (0, None, None, {"stripes": 0})


def test_the_table_begins_with_the_originals(report: BytesReport) -> None:
    [(title, table)] = tables.tables(report).items()
    _, _, originals, *lines = table.splitlines()
    assert title == f"Top-1 in % in at most {BUDGET} bytes"
    assert originals.startswith("| originals | - | - | - | - | ") and len(lines) == len(report.rows)
    assert lines[0].startswith("| ColorCNN, one pass | packed | ")
    assert lines[-1] == "| original | JPEG | 0.0 | - | - | 0.0 |"


def test_the_test_set_is_read_only_on_request(workshop: Workshop, tmp_path: Path) -> None:
    common = ["--data", str(workshop.data), "--models", str(workshop.models), "--device", "cpu", "--workers", "1"]
    chosen = [
        "--ways",
        "colorcnn_one_pass",
        "--methods",
        "kmeans",
        "--codecs",
        "webp",
        "--images",
        "2",
        "--colors",
        "2",
    ]
    out = tmp_path / "test.json"
    bytes.main(
        [*common, "--classifier", "stripes", "--quantizer", "stripes-q", *chosen, "--split", "test", "--out", str(out)]
    )
    found = read(out)
    assert isinstance(found, BytesReport) and found.split == "test"


def test_jpeg_xl_is_left_out_without_its_package(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(bytes, "find_spec", lambda name: None)
    assert bytes._available(("jxl", "webp")) == ["webp"]
    assert "pillow-jxl-plugin" in capsys.readouterr().out
