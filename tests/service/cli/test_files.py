"""Inputs and outputs of a run are decided before work begins."""

from pathlib import Path
from typing import Any

import click
import pytest

from service.cli.files import Outputs, pictures, plan

K4 = "-k4.png"


def outputs(file: str | None = None, folder: Path | None = None, ending: str = K4, force: bool = False) -> Outputs:
    return Outputs(file, folder, ending, force)


def names(inputs: list[str], *, recursive: bool = False, **arguments: Any) -> list[tuple[str, str]]:
    tasks = plan(inputs, outputs(**arguments), recursive=recursive).tasks
    return [(str(task.source), str(task.output)) for task in tasks]


@pytest.fixture(autouse=True)
def _tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("in/a.png", "in/b.JPG", "in/c/d.webp", "in/.e.png", "in/.f/g.png", "in/h.txt", "in/a-k4.png"):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()


def test_a_folder_gives_its_images_but_no_hidden_ones_and_no_outputs() -> None:
    assert [str(each.path) for each in pictures(["in"], recursive=False, ending=K4)] == ["in/a.png", "in/b.JPG"]
    assert [str(each.path) for each in pictures(["in"], recursive=True, ending=K4)] == [
        "in/a.png",
        "in/b.JPG",
        "in/c/d.webp",
    ]
    assert "in/a-k4.png" in [str(each.path) for each in pictures(["in"], recursive=False)]


def test_outputs_lie_beside_their_images_or_keep_the_tree() -> None:
    assert names(["in/b.JPG"]) == [("in/b.JPG", "in/b-k4.png")]
    assert names(["in", "in/b.JPG"], recursive=True, folder=Path("out")) == [
        ("in/a.png", "out/a-k4.png"),
        ("in/b.JPG", "out/b-k4.png"),
        ("in/c/d.webp", "out/c/d-k4.png"),
    ]


def test_a_file_that_is_named_is_taken_whatever_its_name() -> None:
    assert names(["in/h.txt", "missing.png"]) == [("in/h.txt", "in/h-k4.png"), ("missing.png", "missing-k4.png")]


def test_images_whose_output_exists_are_left_out_unless_they_are_replaced() -> None:
    found = plan(["in"], outputs(), recursive=False)
    assert [str(task.source) for task in found.tasks] == ["in/b.JPG"] and found.existing == 1
    assert len(plan(["in"], outputs(force=True), recursive=False).tasks) == 2


def test_one_image_may_have_a_named_output() -> None:
    assert names(["in/a.png"], file="x.png") == [("in/a.png", "x.png")]
    assert names(["in/a.png"], file="-") == [("in/a.png", "None")]
    assert names(["-"]) == [("None", "None")]
    assert names(["-"], file="x.png") == [("None", "x.png")]


@pytest.mark.parametrize(
    ("inputs", "arguments", "reason"),
    [
        (["in/a.png", "in/b.JPG"], {"file": "x.png"}, "there are 2 images"),
        (["in/a.png"], {"file": "in/h.txt"}, "--force"),
        (["in/a.png"], {"file": "x.png", "folder": Path("out")}, "leave out --out-dir"),
        (["-", "in"], {}, "no other file"),
        (["-"], {"folder": Path("out")}, "without a name"),
        (["in/a.png", "other/a.jpg"], {"folder": Path("out")}, "in/a.png and other/a.jpg would both write"),
        (["in/a.png", "in/a.jpg"], {}, "would both write in/a-k4.png"),
        (["in/a.png", "in/a-k4.png"], {"ending": "-k4.png"}, "which is an input"),
        (["in/a.png"], {"ending": ".png"}, "which is an input"),
    ],
)
def test_what_would_lose_a_file_is_refused(inputs: list[str], arguments: dict[str, Any], reason: str) -> None:
    with pytest.raises(click.UsageError, match=reason):
        names(inputs, **arguments)


def test_an_image_may_replace_itself_where_that_is_forced() -> None:
    assert names(["in/a.png"], ending=".png", force=True) == [("in/a.png", "in/a.png")]
