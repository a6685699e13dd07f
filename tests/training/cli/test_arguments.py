"""training/cli/arguments.py: flags of a recipe and of the command line, and how a run begins, pauses and goes on."""

import argparse
import json
import math
import os
from pathlib import Path
from types import ModuleType

import pytest
import torch

from tests.training.conftest import Workshop, write_images
from tests.training.synthetic import stripes
from training import train_classifier, train_colorcnn, train_published
from training.cli import arguments
from training.data.datasets import DatasetError
from training.loop import fit

RECIPE = """
title = "t"
protocol = "p"
cost = "c"
seeds = [0]
trainer = "train_colorcnn"
[train]
classifier = "stripes"
held-out = 7
hard_colors = 32
colors = ["2:3", "4"]
fp32 = true
lr = 1
[gpu]
batch = 999
"""


def parsed(folder: Path, *flags: str, trainer: ModuleType = train_colorcnn) -> argparse.Namespace:
    file = folder / "r.toml"
    file.write_text(RECIPE)
    return arguments.parse(trainer._parser(), ["--recipe", str(file), "--out", "unused", *flags])


def test_a_recipe_gives_flags_and_the_command_line_wins(tmp_path: Path) -> None:
    args = parsed(tmp_path, "--hardware", "cpu", "--held-out", "8", "--colors", "16")
    assert (args.classifier, args.held_out, args.hard_colors, args.fp32, args.lr) == ("stripes", 8, 32, True, 1.0)
    assert args.colors == [(16, 1.0)] and args.batch == 128
    assert parsed(tmp_path).colors == [(2, 3.0), (4, 1.0)]


def test_on_a_gpu_a_recipe_may_differ(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert parsed(tmp_path, "--hardware", "gpu").batch == 999
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert [parsed(tmp_path, "--device", device).batch for device in ("auto", "cpu")] == [999, 128]


@pytest.mark.parametrize(("flags", "fast", "bf16"), [([], True, True), ([], False, False), (["--fp32"], True, False)])
def test_bfloat16_is_for_devices_that_are_quick_at_it(
    flags: list[str], fast: bool, bf16: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arguments, "has_bfloat16", lambda device: fast)
    args = train_classifier._parser().parse_args(["--out", "unused", *flags])
    config = arguments.configuration(train_classifier.TrainingConfig, args)
    assert config.bf16 is bf16


def test_a_recipe_for_another_trainer_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"r\.toml is for training\.train_colorcnn"):
        parsed(tmp_path, trainer=train_classifier)


def log_flags(folder: Path, resume: str) -> argparse.Namespace:
    return argparse.Namespace(out=folder, resume=resume, minutes=math.inf, epochs=3, score_every=1)


def test_a_folder_that_holds_a_run_is_not_mixed_with_another(tmp_path: Path) -> None:
    arguments.open_log(log_flags(tmp_path / "a", "never"))
    with pytest.raises(DatasetError, match="--resume"):
        arguments.open_log(log_flags(tmp_path / "a", "never"))
    arguments.open_log(log_flags(tmp_path / "a", "always"))
    rows = [json.loads(line) for line in (tmp_path / "a" / "log.jsonl").read_text().splitlines()]
    assert [row["event"] for row in rows] == ["start", "start"] and rows[0]["options"] == {"epochs": 3}


def test_auto_goes_on_where_there_is_a_state_and_else_begins(tmp_path: Path) -> None:
    assert not arguments.resumes(log_flags(tmp_path, "auto")) and arguments.resumes(log_flags(tmp_path, "always"))
    fit.save_state(tmp_path, {})
    assert arguments.resumes(log_flags(tmp_path, "auto")) and not arguments.resumes(log_flags(tmp_path, "never"))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    write_images(folder / "train", stripes(60))
    return folder


OWN_FLAGS = {
    train_classifier: ["--size", "16", "--width", "4"],
    train_colorcnn: ["--classifier", "stripes", "--colors", "2"],
    train_published: ["--classifier", "stripes", "--colors", "2", "--width", "4"],
}


@pytest.mark.parametrize("trainer", OWN_FLAGS, ids=lambda trainer: trainer.__name__)
def test_one_command_repeated_ends_where_a_whole_run_ends(
    workshop: Workshop, data: Path, tmp_path: Path, trainer: ModuleType
) -> None:
    flags = ["--data", str(data), "--device", "cpu", "--held-out", "20", "--batch", "20", "--epochs", "2"]
    flags += OWN_FLAGS[trainer] + ([] if trainer is train_classifier else ["--models", str(workshop.models)])
    trainer.main([*flags, "--out", str(tmp_path / "whole")])
    repeated = [*flags, "--out", str(tmp_path / "parts"), "--resume", "auto", "--minutes", "0"]
    with pytest.raises(SystemExit) as ended:
        trainer.main(repeated)
    assert ended.value.code == os.EX_TEMPFAIL and fit.read_state(tmp_path / "parts")["epoch"] == 1
    trainer.main(repeated)
    whole, parts = (fit.read_state(tmp_path / name) for name in ("whole", "parts"))
    assert parts["epoch"] == 2 and parts["config"] == whole["config"]
    assert all(torch.equal(value, parts["weights"][name]) for name, value in whole["weights"].items())
