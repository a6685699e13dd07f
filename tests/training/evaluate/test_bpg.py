"""training/evaluate/bpg.py and the figures made of it."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from models.codecs import bpg
from models.decoding.decode import decode
from models.evaluation.compare import Setting
from models.evaluation.reports import BpgReport
from models.quantizers.learned.colorcnn import load_quantizer
from models.zoo.registry import Registry
from tests.training.evaluate.summaries import rows_of, summary_report
from tests.training.workshop import Workshop
from training.data.datasets import load
from training.evaluate.bpg import main
from training.report import figures

pytestmark = pytest.mark.usefixtures("pool_in_this_process")


@pytest.fixture(scope="module")
def results(workshop: Workshop, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("bpg") / "study.json"
    common = ["--data", str(workshop.data), "--models", str(workshop.models), "--device", "cpu", "--workers", "1"]
    chosen = ["--images", "6", "--colors", "2", "--qps", "10", "40", "--chroma", "444"]
    main([*common, "--classifier", "stripes", "--quantizer", "stripes-q", *chosen, "--out", str(out)])
    return out


def test_originals_and_palettes_have_a_row_at_every_qp(results: Path) -> None:
    sources = [Setting("bpg"), Setting("colorcnn", "stripes-q", 2)]
    assert list(rows_of(results)) == [replace(source, qp=qp) for source in sources for qp in (10, 40)]
    assert {row.images for row in rows_of(results).values()} == {6}


def test_a_row_equals_the_results_image_by_image(workshop: Workshop, results: Path) -> None:
    data = load(workshop.data, "test", size=16)
    quantizer = load_quantizer(Registry.open(workshop.models), "stripes-q", torch.device("cpu"))
    images = data.images[:6].permute(0, 2, 3, 1).numpy()
    files = [bpg.encode(quantizer.quantize(image, 2), qp=40, chroma="444") for image in images]
    row = rows_of(results)[Setting("colorcnn", "stripes-q", 2, qp=40)]
    assert row.bytes == pytest.approx(sum(map(len, files)) / 6)
    errors = [
        ((decode(file).pixels - image.astype(float)) ** 2).mean() for file, image in zip(files, images, strict=True)
    ]
    assert row.psnr == pytest.approx(10 * torch.log10(torch.tensor(255**2 * 6 / sum(errors))).item(), abs=1e-4)


def test_a_higher_qp_takes_fewer_bits(results: Path) -> None:
    rows = rows_of(results)
    assert rows[Setting("bpg", qp=40)].bits_per_pixel < rows[Setting("bpg", qp=10)].bits_per_pixel


def test_the_study_has_its_figures(results: Path, tmp_path: Path) -> None:
    files = figures.main(["--results", str(results), "--out", str(tmp_path)])
    assert [file.name for file in files] == [
        f"study-{name}.png" for name in ("bits", "bits-payload", "rate", "likeness")
    ]
    report, drawn = summary_report(results), figures.figures_of(results)
    assert isinstance(report, BpgReport) and report.codec == "BPG 4:4:4"
    shown = {line.get_label() for line in drawn["bits"].axes[0].get_lines()}
    assert shown == {"originals", "2 colors"}
    titles = {figure.axes[0].get_title(loc="left") for figure in drawn.values()}
    assert {"Top-1 over size of BPG", "PSNR to the original over size of BPG"} <= titles


def test_an_invalid_qp_is_rejected() -> None:
    with pytest.raises(SystemExit):
        main(["--classifier", "a", "--quantizer", "b", "--out", "c.json", "--qps", "52"])
