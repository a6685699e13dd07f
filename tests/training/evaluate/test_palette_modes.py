"""training/evaluate/palette_modes.py."""

from pathlib import Path

import pytest
import torch

from models.codecs import bpg, png
from models.codecs.bpg.codec import Coding
from models.codecs.bpg.palette_modes import coarsest_exact
from models.evaluation.report_rows import PaletteModeRow
from models.evaluation.reports import PaletteModesReport, read
from models.quantizers.classical.catalog import CLASSICAL
from tests.training.workshop import Workshop
from training.data.datasets import load
from training.evaluate import palette_modes
from training.evaluate.palette_modes import CODINGS
from training.report import tables

pytestmark = pytest.mark.usefixtures("pool_in_this_process")

PHOTO = Path(__file__).resolve().parents[2] / "photos" / "cat-32.png"


@pytest.fixture(scope="module")
def results(workshop: Workshop, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("modes") / "modes.json"
    common = ["--data", str(workshop.data), "--models", str(workshop.models), "--device", "cpu", "--workers", "1"]
    chosen = ["--quantizer", "stripes-q", "--images", "2", "--held-out", "400", "--colors", "2", "8"]
    palette_modes.main([*common, *chosen, "--photos", str(PHOTO), "--out", str(out)])
    return out


def rows_of(results: Path) -> list[PaletteModeRow]:
    report = read(results)
    assert isinstance(report, PaletteModesReport)
    return list(report.rows)


def test_every_source_method_and_k_goes_through_every_coding(workshop: Workshop, results: Path) -> None:
    codings = {"PNG", "RGB without loss", *CODINGS, "auto"}
    for source, images in ((workshop.data.name, 2), (PHOTO.name, 1)):
        for method in ("colorcnn", "kmeans"):
            for k, more in ((2, {"index plane"}), (8, set[str]())):
                rows = [row for row in rows_of(results) if (row.source, row.method, row.colors) == (source, method, k)]
                assert {row.coding for row in rows} == codings | more
                assert {row.images for row in rows} == {images}


def test_a_row_equals_the_results_image_by_image(workshop: Workshop, results: Path) -> None:
    _, held_out = load(workshop.data, "train", size=16).hold_out(400)
    quantized = [CLASSICAL["kmeans"].quantize(image, 2) for image in held_out.images[:2].permute(0, 2, 3, 1).numpy()]
    found = {
        row.coding: row
        for row in rows_of(results)
        if (row.source, row.method, row.colors) == (workshop.data.name, "kmeans", 2)
    }
    assert found["PNG"].bytes == sum(len(png.encode(image, effort="max")) for image in quantized) / 2
    assert found["auto"].bytes == sum(len(bpg.encode(image, mode="auto")) for image in quantized) / 2
    best = [coarsest_exact(image, Coding(transform_skip=False)) for image in quantized]
    sizes = [len(each.file) for each in best if each]
    assert found["4:4:4, all transformed"].exact == len(sizes) / 2
    assert torch.tensor(sizes, dtype=torch.float64).mean() == found["4:4:4, all transformed"].bytes


def test_the_lossless_file_counts_where_no_qp_is_exact(results: Path) -> None:
    by_case = {(row.source, row.method, row.colors, row.coding): row for row in rows_of(results)}
    lost = [row for row in by_case.values() if row.exact == 0]
    assert lost
    for row in lost:
        assert row.bytes == by_case[row.source, row.method, row.colors, "RGB without loss"].bytes


def test_the_table_has_a_line_for_each_palette(results: Path) -> None:
    [table] = tables.tables(read(results)).values()
    assert len(table.splitlines()) == 2 + 2 * 2 * 2
