"""training/cli/recipe.py: what a recipe may say, and what is told of one that says something else."""

import argparse
from pathlib import Path

import pytest

from training.cli.recipe import Recipe, arguments

HEAD = 'title = "t"\nprotocol = "p"\ncost = "c"\nseeds = [0, 1]\ntrainer = "train_classifier"\n'


def read(folder: Path, text: str) -> Recipe:
    file = folder / "r.toml"
    file.write_text(text)
    return Recipe.read(str(file))


def test_flags_are_named_with_dashes_or_underscores_and_a_gpu_changes_some(tmp_path: Path) -> None:
    recipe = read(tmp_path, HEAD + "[train]\nheld-out = 5\nlr = 0.1\n[gpu]\nheld_out = 6\n")
    assert recipe.flags(gpu=False) == {"held_out": 5, "lr": 0.1}
    assert recipe.flags(gpu=True) == {"held_out": 6, "lr": 0.1}


def test_needed_recipes_lie_beside_the_one_that_needs_them(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text(HEAD + "[train]\n")
    [needed] = read(tmp_path, HEAD + 'needs = ["a"]\n[train]\n').needed()
    assert needed.file == tmp_path / "a.toml" and needed.reference == str(needed.file)


def test_a_shipped_recipe_is_called_by_its_name() -> None:
    assert Recipe.read("cifar10-resnet9").reference == "cifar10-resnet9"
    with pytest.raises(SystemExit, match=r"there is no recipe nope: .*cifar10-resnet9"):
        Recipe.read("nope")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("title = ", "Invalid value"),
        (HEAD, "train is missing"),
        (HEAD + "minutes = 3\n[train]\n", "a recipe has no minutes"),
        (HEAD.replace("[0, 1]", '["0"]') + "[train]\n", "seeds must be a list of int"),
        (HEAD.replace("[0, 1]", "[]") + "[train]\n", "seeds must be a list of int"),
        (HEAD.replace('"t"', "3") + "[train]\n", "title must be a text, not 3"),
        (HEAD + "train = 3\n", "train must be a table"),
        (HEAD + "test = 0\n[train]\n", "test must be true or false, not 0"),
    ],
)
def test_a_file_that_is_no_recipe_is_refused_in_one_line(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(SystemExit, match=told) as refused:
        read(tmp_path, text)
    assert "\n" not in str(refused.value)


@pytest.fixture
def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="python -m training.x")
    made.add_argument("--out", required=True)
    made.add_argument("--epochs", type=int)
    made.add_argument("--lr", type=float)
    made.add_argument("--fp32", action="store_true")
    made.add_argument("--fade", type=int, nargs=2)
    made.add_argument("--some-name")
    return made


def test_a_table_becomes_words_of_a_command(parser: argparse.ArgumentParser) -> None:
    table = {"epochs": 3, "lr": 1, "fp32": True, "fade": [32, 64], "some_name": "n"}
    words = ["--epochs", "3", "--lr", "1", "--fp32", "--fade", "32", "64", "--some-name", "n"]
    assert arguments(parser, table, "here") == words
    assert arguments(parser, {"fp32": False}, "here") == []


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("epoch", 3, "python -m training.x takes no 'epoch' from a recipe"),
        ("out", "runs/x", "takes no 'out'"),
        ("help", True, "takes no 'help'"),
        ("epochs", "3", "epochs must be one int, not '3'"),
        ("epochs", True, "epochs must be one int"),
        ("epochs", [3], "epochs must be one int"),
        ("lr", "fast", "lr must be one float"),
        ("fp32", 1, "fp32 must be true or false"),
        ("fade", 32, "fade must be a list of int"),
        ("some-name", 3, "some-name must be one str"),
    ],
)
def test_a_flag_that_does_not_fit_is_refused(
    parser: argparse.ArgumentParser, key: str, value: object, told: str
) -> None:
    with pytest.raises(SystemExit, match=f"^here: .*{told}"):
        arguments(parser, {key: value}, "here")
