"""training/reproduce.py: one command goes through all steps of a row, and does none of them twice."""

import json
import os
import shutil
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

import pytest

from models.zoo.registry import Registry
from tests.training.synthetic import stripes
from tests.training.workshop import write_images
from training import reproduce
from training.cli.recipe import SHIPPED, Recipe
from training.reproduce import ReproduceOptions, Row

ROW = """
title = "two colors for stripes"
protocol = "A"
cost = "a second"
seeds = [4]
needs = ["stripes"]
trainer = "train_published"
[train]
classifier = "stripes"
colors = 2
width = 4
epochs = 2
batch = 20
held-out = 20
[publish]
limits = "only for tests"
[evaluate]
workers = 1
"""
CLASSIFIER = """
title = "a classifier of stripes"
protocol = "originals"
cost = "a second"
seeds = [0, 1]
trainer = "train_classifier"
[train]
size = 16
width = 4
epochs = 1
batch = 20
held-out = 20
"""


_MODULES = {"evaluate": "training.evaluate.__main__"}


class Steps:
    """Runs modules in this process, or returns a given status; records the calls."""

    def __init__(self, status: int | None = None) -> None:
        self.status = status
        self.called: list[str] = []
        self.flags: list[Sequence[str]] = []

    def __call__(self, script: str, flags: Sequence[str]) -> int:
        self.called.append(script)
        self.flags.append(flags)
        if self.status is not None:
            return self.status
        try:
            import_module(_MODULES.get(script, f"training.{script}")).main(flags)
        except SystemExit as ended:
            assert isinstance(ended.code, int)
            return ended.code
        return 0


def call(folder: Path, steps: Steps, *more: str) -> list[str]:
    """Reproduce the row of `folder` with all its folders there; gives the scripts that were called."""
    flags = [word for name in ("data", "runs", "models", "results") for word in (f"--{name}", str(folder / name))]
    reproduce.main([str(folder / "two.toml"), *flags, "--device", "cpu", *more], steps)
    return steps.called


def prepare(folder: Path) -> Path:
    (folder / "two.toml").write_text(ROW)
    (folder / "stripes.toml").write_text(CLASSIFIER)
    return folder


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A row that was made in four calls, each but the last one with time for one step or epoch."""
    folder = prepare(tmp_path_factory.mktemp("row"))
    for split, count in (("train", 60), ("test", 30)):
        write_images(folder / "data" / split, stripes(count))
    steps = Steps()
    for done in range(1, 4):
        with pytest.raises(SystemExit) as ended:
            call(folder, steps, "--minutes", "0")
        assert ended.value.code == os.EX_TEMPFAIL and len(steps.called) == done
    call(folder, steps)
    needed, row = steps.called[:2], steps.called[2:]
    assert needed == ["train_classifier", "publish"]
    assert row == ["train_published", "train_published", "publish", "evaluate", "publish"]
    return folder


def files(folder: Path) -> dict[Path, int]:
    return {file: file.stat().st_mtime_ns for file in folder.rglob("*") if file.is_file()}


@pytest.fixture
def copied(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "copy"))


def test_a_row_is_trained_published_and_measured_by_its_recipe(made: Path) -> None:
    entry = Registry.open(made / "models").entry("two")
    results = json.loads((made / "results" / "two.json").read_text())
    assert results["sha256"]["two"] == entry.sha256 and results["seeds"]["two"] == 4
    row, _ = results["rows"]  # the other is of 24-bit PNG
    assert (row["colors"], row["images"]) == (2, 30) and entry.accuracy["test_top1_2"] == row["top1"]
    assert "only for tests" in (made / "models" / entry.card).read_text()


def test_a_second_call_does_nothing_more(made: Path) -> None:
    before = files(made)
    assert call(made, Steps()) == []
    assert files(made) == before


def test_an_outdated_manifest_does_not_cause_a_second_reading_of_the_test_set(copied: Path) -> None:
    (copied / "two.toml").write_text(ROW.replace("only for tests", "still"))
    assert call(copied, Steps()) == ["publish", "publish"]


def test_results_of_other_weights_are_not_replaced(copied: Path) -> None:
    file = copied / "results" / "two.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"sha256": {"two": "0" * 64}}))
    with pytest.raises(SystemExit, match="of other weights: move it away"):
        call(copied, Steps())


def test_a_run_with_other_options_of_the_recipe_is_rejected(copied: Path) -> None:
    (copied / "two.toml").write_text(ROW.replace("batch = 20", "batch = 10"))
    with pytest.raises(SystemExit, match="trained with other values of: batch"):
        call(copied, Steps())


def test_needed_rows_come_first_and_a_failure_stops_the_command(tmp_path: Path) -> None:
    steps = Steps(status=3)
    with pytest.raises(SystemExit, match="train_classifier ended with status 3"):
        call(prepare(tmp_path), steps, "--minutes", "1e6")
    [flags] = steps.flags
    assert flags[:2] == ["--recipe", str(tmp_path / "stripes.toml")] and "--minutes" in flags
    assert flags[flags.index("--out") + 1] == str(tmp_path / "runs" / "stripes")


@pytest.mark.parametrize("wrong", ["[evaluate]\nqp = 3\n", "[publish]\nfade = 3\n", "cutout = '8'\n", "epoch = 1\n"])
def test_an_invalid_recipe_is_rejected_before_the_first_step(tmp_path: Path, wrong: str) -> None:
    prepare(tmp_path)
    (tmp_path / "two.toml").write_text(CLASSIFIER + wrong)
    steps = Steps(status=0)
    with pytest.raises(SystemExit, match=r"two\.toml"):
        call(tmp_path, steps)
    assert steps.called == []


def test_the_dataset_is_found_among_several_and_another_one_is_refused(tmp_path: Path) -> None:
    recipe = prepare(tmp_path) / "stripes.toml"
    recipe.write_text(CLASSIFIER + 'dataset = "stripes"\n')
    for name in ("dots", "stripes"):
        (tmp_path / name).mkdir()
    flags = [word for name in ("runs", "models", "results") for word in (f"--{name}", str(tmp_path / name))]
    with pytest.raises(SystemExit, match=r"stripes\.toml is of stripes, which is neither .*dots nor in it"):
        reproduce.main([str(recipe), *flags, "--data", str(tmp_path / "dots")], Steps())
    steps = Steps(status=3)
    with pytest.raises(SystemExit, match="ended with status 3"):
        reproduce.main([str(recipe), *flags, "--data", str(tmp_path), "--device", "cpu"], steps)
    [begun] = steps.flags
    assert begun[begun.index("--data") :][:4] == ["--data", str(tmp_path), "--dataset", "stripes"]


def test_each_step_runs_in_its_own_process_by_default(capfd: pytest.CaptureFixture[str]) -> None:
    assert reproduce._in_a_process("nothing", ["--flag"]) == 1
    assert "No module named training.nothing" in capfd.readouterr().err


@pytest.mark.parametrize("hardware", ["cpu", "gpu"])
@pytest.mark.parametrize("name", sorted(file.stem for file in SHIPPED.glob("*.toml")))
def test_every_shipped_recipe_is_accepted_by_all_its_commands(name: str, hardware: str, tmp_path: Path) -> None:
    recipe = Recipe.read(name)
    data = tmp_path / recipe.train["dataset"]
    folders = dict.fromkeys(("runs", "models", "results"), tmp_path)
    options = ReproduceOptions(recipe=name, data=data, device="cpu", hardware=hardware, **folders)
    rows = [Row(recipe, seed, options) for seed in recipe.seeds]
    rows[0].check()
    assert rows[0].name == name and len({row.name for row in rows}) == len(rows)
    named = [recipe.train.get(key) for key in ("classifier", "encoder", "start")]
    more = [*recipe.train.get("also", []), *recipe.publish.get("guides", [])]
    assert {*recipe.needs} == {name for name in [*named, *more] if name}
    assert [needed.file.stem for needed in recipe.needed()] == recipe.needs


def test_a_recipe_without_test_is_trained_and_not_measured(copied: Path) -> None:
    (copied / "two.toml").write_text(ROW.replace('needs = ["stripes"]', 'needs = ["stripes"]\ntest = false'))
    shutil.rmtree(copied / "runs" / "two")
    (copied / "results" / "two.json").unlink()
    assert call(copied, Steps()) == ["train_published"]
    assert not (copied / "results" / "two.json").exists()
