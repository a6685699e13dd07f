"""training/evaluate/finetuning.py, and the tables and figures made of it."""

import json
import os
import shutil
from functools import partial
from pathlib import Path

import pytest

from models.evaluation.compare import Setting
from models.evaluation.report_rows import FinetuningRow
from models.evaluation.reports import FinetuningReport, read
from models.names import TRUECOLOR
from models.quantizers.learned.colorcnn import LearnedQuantizer
from models.zoo.registry import Registry
from tests.training.workshop import Workshop
from training import publish, quantize_dataset
from training.data.datasets import load, mean_file_size
from training.evaluate import finetuning
from training.loop.scoring import evaluate, frozen_classifier
from training.loop.state import read_state
from training.report import figures, tables

pytestmark = pytest.mark.usefixtures("pool_in_this_process")

QPS = (20, 51)


def flags(workshop: Workshop, folder: Path, out: str, *more: str) -> list[str]:
    common = ["--data", str(workshop.data), "--models", str(folder / "models"), "--device", "cpu", "--workers", "1"]
    classified = ["--classifier", "stripes", "--quantizer", "stripes-q", "--out", str(folder / out)]
    places = ["--cache", str(folder / "cache"), "--runs", str(folder / "runs")]
    size = ["--train", "200", "--test", "100", "--held-out", "50", "--epochs", "3", "--batch", "25", "--lr", "0.02"]
    return [*common, *classified, *places, *size, *more]


@pytest.fixture(scope="module")
def folder(workshop: Workshop, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study of palettes and one of BPG. The quantizer has no structure, so that fine-tuning has much to learn."""
    folder = tmp_path_factory.mktemp("finetuning")
    shutil.copytree(workshop.models, folder / "models")
    run_flags = ["--run", str(workshop.runs / "stripes-q"), "--name", "stripes-q", "--structure-scales", "0"]
    publish.main(["--models", str(folder / "models"), *run_flags])
    finetuning.main(flags(workshop, folder, "tuned.json", "--colors", "2", "4"))
    finetuning.main(flags(workshop, folder, "tuned-bpg.json", "--colors", "2", "--qps", *map(str, QPS)))
    return folder


def report(folder: Path, name: str) -> FinetuningReport:
    found = read(folder / name)
    assert isinstance(found, FinetuningReport)
    return found


def rows(folder: Path, name: str) -> list[FinetuningRow]:
    return list(report(folder, name).rows)


def test_a_row_is_top1_of_both_classifiers_on_the_quantized_test_set(workshop: Workshop, folder: Path) -> None:
    before = frozen_classifier(Registry.open(workshop.models), "stripes")
    found = rows(folder, "tuned.json")
    assert [row.setting for row in found] == [
        *(Setting("colorcnn", "stripes-q", k) for k in (2, 4)),
        Setting(TRUECOLOR),
    ]
    for row in found:
        dataset = folder / "cache" / (f"k{row.colors}" if row.colors else "originals")
        test = load(dataset, "test", size=16)
        assert row.images == len(test) == 100 and row.top1_before == evaluate(before, test)
        assert row.bits_per_pixel == pytest.approx(8 * mean_file_size(dataset, "test") / 256)
        state = read_state(folder / "runs" / f"stripes-{dataset.name}")
        # One image of fifty may turn where weights are rounded to half precision.
        assert row.held_out_after == pytest.approx(state["scores"]["held_out_top1"], abs=0.021)
        assert (row.minutes, row.quantization_minutes) == (
            state["seconds"] / 60,
            quantize_dataset.seconds(dataset) / 60,
        )


def test_a_published_fine_tuned_classifier_has_its_measured_accuracy(folder: Path, tmp_path: Path) -> None:
    two = rows(folder, "tuned.json")[0]
    named = ["--models", str(tmp_path), "--run", str(folder / "runs" / two.name), "--name", two.name]
    entry = publish.main([*named, "--results", str(folder / "tuned.json")])
    assert (entry.sha256, entry.accuracy["test_top1"]) == (two.sha256, two.top1_after)
    with pytest.raises(SystemExit, match="weights other than"):
        publish.main([*named, "--results", str(folder / "tuned-bpg.json")])


def test_fine_tuning_recovers_accuracy_lost_to_coding(folder: Path) -> None:
    coarsest = max((row for row in rows(folder, "tuned-bpg.json") if not row.colors), key=lambda row: row.qp or 0)
    assert coarsest.top1_after > coarsest.top1_before + 0.1
    assert coarsest.top1_before < report(folder, "tuned-bpg.json").top1_original


def test_each_bpg_row_of_a_palette_has_originals_of_about_equal_size(folder: Path) -> None:
    palettes = [row for row in rows(folder, "tuned-bpg.json") if row.colors]
    originals = [row for row in rows(folder, "tuned-bpg.json") if not row.colors]
    assert [row.setting for row in palettes] == [Setting("colorcnn", "stripes-q", 2, qp=qp) for qp in QPS]
    for row in palettes:
        nearest = min(abs(other.bits_per_pixel - row.bits_per_pixel) for other in originals)
        assert nearest < 0.15 * row.bits_per_pixel


def test_originals_of_equal_size_have_the_nearest_qp(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    sizes = {qp: 10.0 - qp / 10 for qp in range(52)}
    study = finetuning.Study(None, None, None, None, None, sizes)  # type: ignore[arg-type]
    monkeypatch.setattr(finetuning.Study, "dataset", lambda self, setting: tmp_path)
    for wanted, qp in ((10.0, 0), (11.0, 0), (9.52, 5), (9.58, 4), (4.9, 51), (1.0, 51)):
        sampled = partial(lambda bits, *ignored: bits, wanted)
        monkeypatch.setattr(finetuning.Study, "_mean_bits", sampled)
        assert study.equal_rate(Setting("colorcnn", "stripes-q", 2, qp=30)) == Setting("bpg", qp=qp)


def test_a_quantizer_of_another_size_is_refused(
    workshop: Workshop, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LearnedQuantizer, "size", 32)
    with pytest.raises(SystemExit, match="stripes classifies images of 16 pixels, stripes-q quantizes images of 32"):
        finetuning.main(flags(workshop, folder, "other.json"))


def test_bpg_encodes_the_quantized_images(folder: Path) -> None:
    header = json.loads((folder / "cache" / "k2-qp51" / "quantized.json").read_text())
    assert header["setting"]["method"] == "bpg" and header["source"]["setting"]["colors"] == 2


def test_tables_show_top1_before_and_after_fine_tuning(folder: Path) -> None:
    [(title, palettes)] = tables.tables(report(folder, "tuned.json")).items()
    two = rows(folder, "tuned.json")[0]
    assert title == "Top-1 in % before and after fine-tuning on 200 images"
    assert palettes.splitlines()[-1].startswith("| originals | ")
    assert f"| 2 | {two.bits_per_pixel:.2f} | {100 * two.top1_before:.1f} | {100 * two.top1_after:.1f} |" in palettes
    [coded] = tables.tables(report(folder, "tuned-bpg.json")).values()
    lines = coded.splitlines()[2:]
    assert [line.split(" | ")[:2] for line in lines] == [["| 2", str(qp)] for qp in QPS]
    assert all(line.count("|") == 14 for line in lines)


def test_palettes_and_bpg_have_their_figures(folder: Path) -> None:
    shown = figures.figures_of(folder / "tuned.json")["accuracy"].axes[0].get_lines()
    assert {line.get_label() for line in shown} >= {"before", "fine-tuned"}
    reports = [str(folder / name) for name in ("tuned.json", "tuned-bpg.json")]
    files = figures.main(["--results", *reports, "--out", str(folder / "drawn")])
    assert [file.name for file in files] == ["tuned-accuracy.png", "tuned-bpg-before.png", "tuned-bpg-after.png"]
    lines = figures.figures_of(folder / "tuned-bpg.json")["after"].axes[0].get_lines()
    assert {line.get_label() for line in lines} >= {"2 colors", "originals"}


def test_a_call_without_time_makes_one_row_and_the_next_continues(
    workshop: Workshop, folder: Path, tmp_path: Path
) -> None:
    for part in ("cache", "runs", "models"):
        shutil.copytree(folder / part, tmp_path / part)
    hurried = flags(workshop, tmp_path, "tuned.json", "--colors", "2", "4", "--minutes", "0")
    with pytest.raises(SystemExit) as ended:
        finetuning.main(hurried)
    assert ended.value.code == os.EX_TEMPFAIL and not (tmp_path / "tuned.json").exists()
    with pytest.raises(SystemExit):
        finetuning.main(hurried)
    finetuning.main(hurried)
    assert rows(tmp_path, "tuned.json") == rows(folder, "tuned.json")
