"""training/cli/command_line.py: words of a recipe and of the user become validated options."""

from pathlib import Path
from typing import Any

import pytest
import torch

from models.errors import UnknownModel
from training import finetune, publish, train_classifier, train_colorcnn, train_joint, train_published
from training.cli import command_line
from training.cli.options import RecipeOptions
from training.options import Options
from training.train_colorcnn import ColorCNNOptions

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
regularisation = 0.5
[gpu]
batch = 999
"""


def parse(*words: str) -> ColorCNNOptions:
    return command_line.parse(ColorCNNOptions, "training.train_colorcnn", ["--out", "unused", *words])


def parse_with_recipe(folder: Path, *words: str) -> ColorCNNOptions:
    file = folder / "r.toml"
    file.write_text(RECIPE)
    return parse("--recipe", str(file), *words)


def test_the_command_line_overrides_the_recipe(tmp_path: Path) -> None:
    options = parse_with_recipe(tmp_path, "--hardware", "cpu", "--held-out", "8", "--colors", "16")
    assert (options.classifier, options.held_out, options.hard_colors, options.fp32) == ("stripes", 8, 32, True)
    assert (options.lr, options.regularization) == (1.0, 0.5)
    assert options.draws == {16: 1.0} and options.batch == 128
    assert parse_with_recipe(tmp_path).draws == {2: 3.0, 4: 1.0}


def test_a_recipe_may_have_other_options_on_a_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert parse_with_recipe(tmp_path, "--hardware", "gpu").batch == 999
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert [parse_with_recipe(tmp_path, "--device", device).batch for device in ("auto", "cpu")] == [999, 128]


def test_a_recipe_for_another_trainer_is_rejected(tmp_path: Path) -> None:
    file = tmp_path / "r.toml"
    file.write_text(RECIPE)
    with pytest.raises(SystemExit, match=r"r\.toml is for training\.train_colorcnn"):
        command_line.parse(
            train_classifier.ClassifierOptions, "training.train_classifier", ["--recipe", str(file), "--out", "x"]
        )


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--colors", "2:8", "3:1", "--crop", "0"], {"draws": {2: 8.0, 3: 1.0}, "crop": 0}),
        (["--also", "a", "b", "--fp32"], {"also": ("a", "b"), "fp32": True}),
        (["--also"], {"also": ()}),
        (["--resume"], {"resume": "always"}),
        (["--resume", "auto", "--lr=0.5"], {"resume": "auto", "lr": 0.5}),
        (["--regularisation", "0.5", "--hard_colors", "3"], {"regularization": 0.5, "hard_colors": 3}),
        (["--lr", "1", "--lr", "2"], {"lr": 2.0}),
        ([], {"resume": "never", "fp32": False, "start": None, "train": None, "epochs": 20}),
    ],
)
def test_every_form_of_arguments_is_accepted(words: list[str], expected: dict[str, Any]) -> None:
    options = parse("--classifier", "c", *words)
    assert {name: getattr(options, name) for name in expected} == expected


@pytest.mark.parametrize(
    ("kind", "words", "message"),
    [
        (train_classifier.ClassifierOptions, ["--batch", "0"], "--batch must be greater than or equal to 1, not 0"),
        (train_classifier.ClassifierOptions, ["--held-out", "-5"], "--held-out must be greater than or equal to 1"),
        (train_classifier.ClassifierOptions, ["--lr", "nan"], "--lr must be a finite number, not nan"),
        (train_classifier.ClassifierOptions, ["--momentum", "1.1"], "--momentum must be less than or equal to 1"),
        (train_colorcnn.ColorCNNOptions, ["--colors", "1:2"], "--colors must be K:WEIGHT, with K from 2 to 256"),
        (train_colorcnn.ColorCNNOptions, ["--colors", "2:much"], "--colors must be K:WEIGHT"),
        (train_colorcnn.ColorCNNOptions, ["--colors"], "--colors needs at least one value"),
        (train_colorcnn.ColorCNNOptions, ["--contrast", "0"], "--contrast must be greater than 0, not 0"),
        (train_joint.JointOptions, ["--joint-lr", "-1"], "--joint-lr must be greater than or equal to 0"),
        (train_published.PublishedOptions, ["--colors", "300"], "--colors must be less than or equal to 256, not 300"),
        (finetune.FinetuningOptions, ["--epochs", "0"], "--epochs must be greater than or equal to 1, not 0"),
        (publish.PublishOptions, ["--strengths", "-1"], "--structure-scales must be greater than or equal to 0"),
    ],
)
def test_an_error_for_a_value_out_of_range_shows_the_range_in_one_line(
    kind: type[Options], words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    required = {"out": "x", "classifier": "c", "colors": "2", "run": "r", "name": "n"}
    given = [word for name, value in required.items() if kind.model_fields.get(name) for word in (f"--{name}", value)]
    with pytest.raises(SystemExit) as ended:
        command_line.parse(kind, "training.x", [*given, *words])
    assert ended.value.code == 2
    printed = capsys.readouterr().err
    assert printed.startswith(f"error: {message}") and printed.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--out", "x", "--bogus"], "--bogus"),
        (["--out", "x", "--epochs", "two"], "--epochs"),
        (["--out", "x", "--resume", "later"], "--resume"),
        ([], "--out"),
    ],
)
def test_unknown_arguments_are_rejected(words: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        command_line.parse(train_classifier.ClassifierOptions, "training.train_classifier", words)
    assert ended.value.code == 2 and message in capsys.readouterr().err


def test_help_shows_every_option_with_its_default(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parse("--help")
    printed = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert ended.value.code == 0 and "usage: python -m training.train_colorcnn" in printed
    assert all(f"--{name.replace('_', '-')}" in printed for name in ColorCNNOptions.model_fields)
    assert "Peak learning rate of AdamW. (default: 0.002)" in printed


def test_a_table_becomes_command_line_arguments() -> None:
    table = {"epochs": 3, "lr": 1, "fp32": True, "also": ["a", "b"], "hard_colors": 2}
    words = ["--epochs", "3", "--lr", "1", "--fp32", "--also", "a", "b", "--hard-colors", "2"]
    assert command_line.words(ColorCNNOptions, table, "here") == words
    assert command_line.words(ColorCNNOptions, {"fp32": False}, "here") == []


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("epoch", 3, "there is no option 'epoch'"),
        ("out", "runs/x", "there is no option 'out'"),
        ("help", True, "there is no option 'help'"),
        ("epochs", "3", "epochs must be a valid integer, not '3'"),
        ("epochs", True, "epochs must be a valid integer"),
        ("epochs", [3], "epochs must be a valid integer"),
        ("lr", "fast", "lr must be a valid number"),
        ("fp32", 1, "fp32 must be a valid boolean"),
        ("also", "one", "also must be a valid array"),
        ("colors", ["1:2"], "colors must be K:WEIGHT"),
        ("start", 3, "start must be a valid string"),
    ],
)
def test_an_invalid_option_in_a_recipe_is_rejected(key: str, value: object, message: str) -> None:
    with pytest.raises(SystemExit, match=f"^here: {message}"):
        command_line.words(ColorCNNOptions, {key: value}, "here")


def test_an_error_that_the_user_can_fix_is_one_line() -> None:
    def main() -> None:
        raise UnknownModel("there is no model 'nope'")

    with pytest.raises(SystemExit, match="error: there is no model 'nope'"):
        command_line.run(main)


def test_options_are_frozen() -> None:
    with pytest.raises(ValueError, match="frozen"):
        RecipeOptions().device = "cpu"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (OSError(28, "No space left", "state.pt"), "error: state.pt: No space left"),
        (KeyboardInterrupt(), "interrupted"),
    ],
)
def test_what_the_machine_refuses_ends_a_command_with_one_line(error: BaseException, message: str) -> None:
    def main() -> None:
        raise error

    with pytest.raises(SystemExit) as ended:
        command_line.run(main)
    assert ended.value.code == message
