"""training/evaluate/robustness.py, and the table made of it."""

import json
import shutil
from pathlib import Path

import pytest

from models.evaluation.compare import Setting
from models.evaluation.report_rows import RobustnessRow
from models.evaluation.reports import RobustnessReport, read
from tests.training.workshop import Workshop
from training import publish
from training.evaluate import attack, harness, robustness
from training.report import tables

pytestmark = pytest.mark.usefixtures("pool_in_this_process")

SETTINGS = [
    Setting("original"),
    Setting("bit_depth_2"),
    Setting("kmeans", colors=4),
    Setting("colorcnn_one_pass", "stripes-q", 4),
    Setting("colorcnn", "stripes-q", 4),
]


@pytest.fixture(scope="module")
def models(workshop: Workshop, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Models whose quantizer has a search."""
    folder = Path(shutil.copytree(workshop.models, tmp_path_factory.mktemp("robustness") / "models"))
    run = ["--models", str(folder), "--run", str(workshop.runs / "stripes-q"), "--name", "stripes-q"]
    publish.main([*run, "--structure-scales", "0", "0.5", "1"])
    return folder


def flags(workshop: Workshop, models: Path, out: Path) -> list[str]:
    common = ["--data", str(workshop.data), "--models", str(models), "--device", "cpu", "--workers", "1"]
    paths = ["--quantizer", "stripes-q", "--methods", "kmeans", "--colors", "4", "--bits", "2"]
    chosen = ["--epsilons", "32", "4", "--steps", "4", "--images", "30"]
    return [*common, "--classifier", "stripes", *paths, *chosen, "--out", str(out)]


@pytest.fixture(scope="module")
def results(workshop: Workshop, models: Path) -> Path:
    out = models.parent / "attacked.json"
    robustness.main(flags(workshop, models, out))
    return out


def report_in(file: Path) -> RobustnessReport:
    report = read(file)
    assert isinstance(report, RobustnessReport)
    return report


def test_every_path_has_a_row(results: Path) -> None:
    report = report_in(results)
    assert [row.setting for row in report.rows] == SETTINGS
    assert report.epsilons == (4, 32) and report.steps == 4 and report.split == "test"
    assert {row.images for row in report.rows} == {30} == {report.images}
    assert report.rows[0].top1 == report.top1_original


def test_no_attack_is_stronger_than_all_together(results: Path) -> None:
    for row in report_in(results).rows:
        for epsilon in (4, 32):
            assert row.resists[epsilon] <= min(row.transfer[epsilon], row.identity[epsilon], row.top1)
        assert row.resists[32] <= row.resists[4] and row.identity[32] <= row.identity[4]


def test_the_attack_succeeds_on_every_path(results: Path) -> None:
    for row in report_in(results).rows:
        assert row.resists[32] < row.top1 - 0.3


def test_rows_of_a_killed_run_are_kept(
    workshop: Workshop, models: Path, results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "attacked.json"
    measure = robustness.Study.__call__
    measured: list[Setting] = []

    def die_at_kmeans(study: robustness.Study, setting: Setting, path: attack.Path) -> RobustnessRow:
        measured.append(setting)
        if setting.method == "kmeans" and len(measured) == 3:
            raise KeyboardInterrupt
        return measure(study, setting, path)

    monkeypatch.setattr(robustness.Study, "__call__", die_at_kmeans)
    with pytest.raises(KeyboardInterrupt):
        robustness.main(flags(workshop, models, out))
    assert harness.kept_file(out).exists() and not out.exists()
    rows = robustness.main(flags(workshop, models, out))
    assert measured == [*SETTINGS[:3], *SETTINGS[2:]]
    assert tuple(rows) == report_in(out).rows == report_in(results).rows


def test_held_out_images_are_those_of_the_training_set(workshop: Workshop, models: Path, tmp_path: Path) -> None:
    out = tmp_path / "held-out.json"
    more = ["--split", "held_out", "--steps", "1", "--methods", "--bits", "--epsilons", "4", "--images", "5"]
    [plain, *_] = robustness.main([*flags(workshop, models, out), *more])
    assert report_in(out).split == "held_out" and plain.images == 5


def test_the_table_has_a_line_for_each_path(results: Path) -> None:
    heading, _, *lines = tables.tables(read(results))["Top-1 in % under attack"].splitlines()
    assert heading.startswith("| path | K | no attack | 4/255: transfer | identity | all attacks | 32/255: transfer |")
    first = json.loads(results.read_text())["rows"][0]
    assert lines[0].startswith(f"| no quantizer | - | {100 * first['top1']:.1f} | ")
    assert lines[1].startswith("| 2 bits per channel | - | ")
    assert [line.split(" | ")[1] for line in lines] == ["-", "-", "4", "4", "4"]


@pytest.mark.parametrize("wrong", [["--epsilons", "0"], ["--epsilons"], ["--bits", "8"], ["--steps", "0"]])
def test_settings_out_of_range_are_refused(workshop: Workshop, models: Path, tmp_path: Path, wrong: list[str]) -> None:
    with pytest.raises(SystemExit):
        robustness.main([*flags(workshop, models, tmp_path / "out.json"), *wrong])
