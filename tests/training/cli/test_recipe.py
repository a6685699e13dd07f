"""training/cli/recipe.py: what a recipe may hold, and the errors for everything else."""

from pathlib import Path

import pytest

from training.cli.recipe import SHIPPED, Recipe

HEAD = 'title = "t"\nprotocol = "p"\ncost = "c"\nseeds = [0, 1]\ntrainer = "train_classifier"\n'


def read(folder: Path, text: str) -> Recipe:
    file = folder / "r.toml"
    file.write_text(text)
    return Recipe.read(str(file))


def test_options_have_dashes_or_underscores_and_a_gpu_changes_some(tmp_path: Path) -> None:
    recipe = read(tmp_path, HEAD + "[train]\nheld-out = 5\nlr = 0.1\n[gpu]\nheld_out = 6\n")
    assert recipe.options(gpu=False) == {"held_out": 5, "lr": 0.1}
    assert recipe.options(gpu=True) == {"held_out": 6, "lr": 0.1}


def test_former_names_of_options_are_accepted(tmp_path: Path) -> None:
    assert read(tmp_path, HEAD + "[train]\nregularisation = 0\n").options(gpu=False) == {"regularization": 0}


def test_needed_recipes_are_read_from_the_same_folder(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text(HEAD + "[train]\n")
    [needed] = read(tmp_path, HEAD + 'needs = ["a"]\n[train]\n').needed()
    assert needed.file == tmp_path / "a.toml" and needed.reference == str(needed.file)


def test_a_shipped_recipe_is_referenced_by_name() -> None:
    assert Recipe.read("cifar10-resnet9").reference == "cifar10-resnet9" and len(list(SHIPPED.glob("*.toml"))) > 30
    with pytest.raises(SystemExit, match=r"there is no recipe nope: .*cifar10-resnet9"):
        Recipe.read("nope")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("title = ", "Invalid value"),
        (HEAD, "train is missing"),
        (HEAD + "minutes = 3\n[train]\n", "minutes is unknown"),
        (HEAD.replace("[0, 1]", '["0"]') + "[train]\n", "seeds must be a valid integer, not '0'"),
        (HEAD.replace("[0, 1]", "[]") + "[train]\n", "seeds needs at least one value"),
        (HEAD.replace('"t"', "3") + "[train]\n", "title must be a valid string, not 3"),
        (HEAD + "train = 3\n", "train must be an object"),
        (HEAD + "test = 0\n[train]\n", "test must be a valid boolean, not 0"),
    ],
)
def test_an_invalid_recipe_is_rejected_in_one_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(SystemExit, match=message) as rejected:
        read(tmp_path, text)
    assert "\n" not in str(rejected.value)
