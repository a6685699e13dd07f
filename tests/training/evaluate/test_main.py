"""training/evaluate/__main__.py: rows come from files, for every setting; a killed evaluation continues."""

import json
import shutil
from collections.abc import Iterable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
import torch

from models.evaluation.compare import Measured, Sample, Setting, Summary, compare, summarize
from models.quantizers.base import Quantizer
from models.quantizers.classical.catalog import CLASSICAL
from models.quantizers.learned.colorcnn import load_quantizer
from models.recognizer import load_recognizer
from models.zoo.registry import Registry
from tests.training.workshop import Workshop
from training import publish
from training.data.datasets import load
from training.evaluate import __main__ as evaluate
from training.evaluate.quantizers import Measurer

pytestmark = pytest.mark.usefixtures("pool_in_this_process")

CPU = torch.device("cpu")


def row_of(workshop: Workshop, setting: Setting) -> dict[str, Any]:
    [row] = [row for row in workshop.report["rows"] if Summary(**row).setting == setting]
    return dict(row)


def test_every_setting_has_its_row(workshop: Workshop) -> None:
    palettes = [Setting(*quantizer, colors=k) for quantizer in QUANTIZERS for k in (2, 4)]
    codecs = [Setting("jpeg", quality=20), Setting("webp", quality=20), Setting("truecolor_png")]
    assert [Summary(**row).setting for row in workshop.report["rows"]] == palettes + codecs
    assert {row["images"] for row in workshop.report["rows"]} == {200}


QUANTIZERS = [("colorcnn", "stripes-q"), ("median_cut", None), ("kmeans", None)]


def test_the_report_names_the_weights_that_were_measured(workshop: Workshop) -> None:
    registry = Registry.open(workshop.models)
    assert workshop.report["sha256"] == {name: registry.entry(name).sha256 for name in ("stripes", "stripes-q")}
    assert workshop.report["seeds"] == {"stripes": 0, "stripes-q": 0}


def test_two_learned_colors_keep_more_top1_than_median_cut(workshop: Workshop) -> None:
    learned, classical = (row_of(workshop, Setting(*quantizer, colors=2)) for quantizer in QUANTIZERS[:2])
    assert learned["top1"] > classical["top1"] + 0.3
    assert workshop.report["top1_original"] > 0.9


@pytest.mark.parametrize("measured", QUANTIZERS[:2])
def test_a_row_equals_the_results_image_by_image(workshop: Workshop, measured: tuple[str, str | None]) -> None:
    registry, setting = Registry.open(workshop.models), Setting(*measured, colors=4)
    recognizer = load_recognizer(registry, "stripes", CPU)
    learned: Quantizer = load_quantizer(registry, "stripes-q", CPU)
    quantizer = learned if setting.model else CLASSICAL[setting.method]
    data = load(workshop.data, "test", size=16)
    rows = []
    for image, label in zip(data.images.permute(0, 2, 3, 1).numpy(), data.labels.tolist(), strict=True):
        sample = Sample("", image, recognizer.predict(image)[0], label)
        rows.append(compare(sample, setting, quantizer, recognizer)[0])
    [expected] = summarize(rows)
    same = {key: value for key, value in row_of(workshop, setting).items() if key != "milliseconds"}
    assert same == pytest.approx({key: value for key, value in asdict(expected).items() if key != "milliseconds"})


def test_truecolor_is_exact_and_jpeg_is_not(workshop: Workshop) -> None:
    exact, lossy = (row_of(workshop, setting) for setting in (Setting("truecolor_png"), Setting("jpeg", quality=20)))
    assert (exact["psnr"], exact["ssim"], exact["kept"]) == (None, 1, 1)
    assert exact["top1"] == workshop.report["top1_original"]
    assert lossy["psnr"] < 45
    assert 0 < exact["payload_bits_per_pixel"] < exact["bits_per_pixel"]


def test_an_evaluation_continues_after_it_was_killed(workshop: Workshop, tmp_path: Path) -> None:
    out = tmp_path / "again.json"
    header = {key: value for key, value in workshop.report.items() if key not in {"rows", *NOT_OF_THE_HEADER}}
    invented = row_of(workshop, Setting("median_cut", colors=2)) | {"kept": 0.125}
    lines = [json.dumps(header), json.dumps(invented)]
    out.with_name("again.json.partial").write_text("\n".join([*lines, '{"method": "ka']))
    rows = evaluate.main([*workshop.evaluation, "--out", str(out)])
    assert [row.kept for row in rows if row.setting == Setting("median_cut", colors=2)] == [0.125]
    assert len(rows) == len(workshop.report["rows"])
    assert not out.with_name("again.json.partial").exists()


NOT_OF_THE_HEADER = ("command", "hardware", "torch")


def test_a_quantizer_is_also_measured_without_search_and_refined_on_request(workshop: Workshop, tmp_path: Path) -> None:
    models = Path(shutil.copytree(workshop.models, tmp_path / "models"))
    run = ["--models", str(models), "--run", str(workshop.runs / "stripes-q"), "--name", "stripes-q"]
    publish.main([*run, "--structure-scales", "0", "1"])
    flags = ["--data", str(workshop.data), "--models", str(models), "--device", "cpu", "--workers", "1"]
    flags += ["--classifier", "stripes", "--quantizer", "stripes-q", "--methods", "--qualities", "--colors", "2"]

    searched, one_pass, _ = evaluate.main([*flags, "--out", str(tmp_path / "results.json")])

    assert [searched.method, one_pass.method] == ["colorcnn", "colorcnn_one_pass"]
    assert searched.kept >= one_pass.kept
    [refined, _] = evaluate.main([*flags, "--ways", "colorcnn_refined", "--out", str(tmp_path / "refined.json")])
    assert refined.method == "colorcnn_refined" and refined.kept >= searched.kept
    before = Summary(**row_of(workshop, Setting("colorcnn", "stripes-q", 2)))
    assert replace(one_pass, method="colorcnn", milliseconds=before.milliseconds) == before


def test_further_readers_see_the_same_images_in_reports_of_their_own(
    workshop: Workshop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = Path(shutil.copytree(workshop.models, tmp_path / "models"))
    publish.main(["--models", str(models), "--run", str(workshop.runs / "stripes"), "--name", "other"])
    flags = ["--data", str(workshop.data), "--models", str(models), "--device", "cpu", "--workers", "1"]
    flags += ["--classifier", "stripes", "--quantizer", "stripes-q", "--methods", "kmeans", "--qualities"]
    flags += ["--colors", "2", "--out", str(tmp_path / "own.json")]
    measured: list[Setting] = []
    measure = Measurer.__call__

    def counted(measurer: Measurer, setting: Setting) -> Iterable[list[Measured]]:
        measured.append(setting)
        return measure(measurer, setting)

    monkeypatch.setattr(Measurer, "__call__", counted)
    rows = evaluate.main([*flags, "--readers", "other", "stripes"])

    assert len(measured) == len(set(measured)) == len(rows) / 2 == 3
    own, other = (json.loads((tmp_path / name).read_text()) for name in ("own.json", "own-other.json"))
    assert (own["classifier"], other["classifier"]) == ("stripes", "other")
    assert own["rows"] == other["rows"]  # both are of the same weights
    with pytest.raises(SystemExit, match="the ray engine has none"):
        evaluate.main([*flags, "--readers", "other", "--engine", "ray"])
