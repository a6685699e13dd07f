"""training/evaluate/fidelity.py, and the tables and the figure made of it."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from models.evaluation.compare import Setting
from models.evaluation.metrics import mean_squared_error, psnr
from models.quantizers.learned.colorcnn import load_quantizer
from models.zoo.registry import Registry
from tests.training.evaluate.summaries import rows_of, summary_report
from tests.training.workshop import Workshop
from training import publish
from training.data.datasets import load
from training.evaluate import fidelity
from training.report import figures, tables

pytestmark = pytest.mark.usefixtures("pool_in_this_process")

PERCENTS = (0, 50, 100)


@pytest.fixture(scope="module")
def models(workshop: Workshop, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Models whose quantizer has a search."""
    folder = Path(shutil.copytree(workshop.models, tmp_path_factory.mktemp("fidelity") / "models"))
    run = ["--models", str(folder), "--run", str(workshop.runs / "stripes-q"), "--name", "stripes-q"]
    publish.main([*run, "--structure-scales", "0", "0.5", "1"])
    return folder


def flags(workshop: Workshop, models: Path, out: Path) -> list[str]:
    common = ["--data", str(workshop.data), "--models", str(models), "--device", "cpu", "--workers", "1"]
    chosen = ["--colors", "2", "4", "--percents", *map(str, PERCENTS)]
    return [*common, "--classifier", "stripes", "--quantizer", "stripes-q", *chosen, "--out", str(out)]


@pytest.fixture(scope="module")
def results(workshop: Workshop, models: Path) -> Path:
    out = models.parent / "study.json"
    fidelity.main(flags(workshop, models, out))
    return out


def test_every_k_has_a_row_at_every_fidelity(results: Path) -> None:
    assert list(rows_of(results)) == [
        Setting("colorcnn", "stripes-q", k, fidelity=percent / 100) for k in (2, 4) for percent in PERCENTS
    ]


def test_a_row_matches_the_quantizer_at_its_fidelity(workshop: Workshop, models: Path, results: Path) -> None:
    learned = load_quantizer(Registry.open(models), "stripes-q", torch.device("cpu"))
    images = load(workshop.data, "test", size=16).images.permute(0, 2, 3, 1).numpy()
    for percent in PERCENTS:
        quantized = replace(learned, fidelity=percent / 100).quantize_batch(images, 2)
        errors = [mean_squared_error(image, each.render()) for image, each in zip(images, quantized, strict=True)]
        row = rows_of(results)[Setting("colorcnn", "stripes-q", 2, fidelity=percent / 100)]
        assert row.psnr == pytest.approx(psnr(sum(errors) / len(errors)), abs=1e-4)


def test_fidelity_trades_top1_for_psnr(results: Path) -> None:
    machine, _, human = (
        rows_of(results)[Setting("colorcnn", "stripes-q", 2, fidelity=percent / 100)] for percent in PERCENTS
    )
    assert (machine.top1 or 0) > (human.top1 or 0) + 0.2
    assert (human.psnr or 0) > (machine.psnr or 0)


def test_tables_have_a_line_for_each_fidelity(results: Path) -> None:
    shown = tables.tables(summary_report(results))["Top-1 in % by fidelity"].splitlines()
    row = rows_of(results)[Setting("colorcnn", "stripes-q", 2, fidelity=0.5)]
    assert shown[0] == "| fidelity | K = 2 | K = 4 |"
    assert shown[3].startswith(f"| 0.5 | {100 * (row.top1 or 0):.1f} |")


def test_the_figure_has_a_line_for_each_k(results: Path, tmp_path: Path) -> None:
    [file] = figures.main(["--results", str(results), "--out", str(tmp_path)])
    assert file.name == "study-likeness.png"
    axes = figures.figures_of(results)["likeness"].axes[0]
    assert {line.get_label() for line in axes.get_lines()} >= {"2 colors", "4 colors"}
    assert {"0", "0.5", "1"} <= {text.get_text() for text in axes.texts}


def test_a_network_of_a_single_structure_scale_is_refused(workshop: Workshop, tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="single structure scale"):
        fidelity.main(flags(workshop, workshop.models, tmp_path / "study.json"))
