"""Options that several commands share: their limits and their defaults."""

from __future__ import annotations

from typing import Any

import click
import pytest
from click.testing import CliRunner

from service.cli import shared
from service.cli.session import Target
from tests.service.cli.conftest import Run

GIVEN: dict[str, Any] = {"server": None, "api_key": "k", "timeout": 7.0}


@pytest.mark.parametrize(("cpus", "jobs"), [(1, 1), (3, 3), (4, 4), (16, 4)])
def test_as_many_images_at_once_as_cpus_up_to_four(cpus: int, jobs: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared, "available_cpus", lambda: cpus)

    assert shared.target_of(GIVEN, networks=True) == Target(None, "k", 7.0, True, jobs)
    assert shared.target_of(GIVEN | {"jobs": None}, networks=False) == Target(None, "k", 7.0, False, jobs)
    assert shared.target_of(GIVEN | {"jobs": 9}, networks=False).jobs == 9


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["-j", "1"], 0),
        (["-j", "64"], 0),
        (["-j", "0"], 2),
        (["-j", "65"], 2),
        (["--timeout", "0.1"], 0),
        (["--timeout", "0"], 2),
        (["--timeout", "-1"], 2),
        ([], 2),
    ],
)
def test_numbers_have_limits_and_a_file_is_required(arguments: list[str], code: int) -> None:
    @click.command()
    @shared.inputs
    @shared.run_options
    @shared.server_options
    def command(**parameters: Any) -> None:
        click.echo(parameters)

    files = ["a.png"] if arguments else []
    assert CliRunner().invoke(command, [*arguments, *files]).exit_code == code


def test_flags_are_off_and_an_image_may_take_three_minutes() -> None:
    seen: list[dict[str, Any]] = []

    @click.command()
    @shared.inputs
    @shared.run_options
    @shared.server_options
    @shared.output_options("-x.png")
    def command(**parameters: Any) -> None:
        seen.append(parameters)

    CliRunner().invoke(command, ["a.png", "b.png"], env={"COLORCNN_API_KEY": "from outside"})
    assert seen == [
        {
            "inputs": ("a.png", "b.png"),
            "recursive": False,
            "jobs": None,
            "as_json": False,
            "quiet": False,
            "server": None,
            "api_key": "from outside",
            "timeout": 180.0,
            "output": None,
            "out_dir": None,
            "ext": None,
            "force": False,
        }
    ]


@pytest.mark.parametrize("ending", ["a/b.png", "a\\b.png"])
def test_an_ending_is_no_folder(ending: str) -> None:
    parameters: dict[str, Any] = {"ext": ending, "output": None, "out_dir": None, "force": False}
    with pytest.raises(click.UsageError, match="--out-dir"):
        shared.outputs_of(parameters, ".png")
    assert shared.outputs_of(parameters | {"ext": None}, ".png").ending == ".png"
    assert shared.outputs_of(parameters | {"ext": "-x.gif"}, ".png").ending == "-x.gif"


def test_models_shows_a_dash_where_a_method_has_no_network(colorcnn: Run) -> None:
    lines = colorcnn("models").stdout.splitlines()
    start = next(at for at, line in enumerate(lines) if line.startswith("default for"))
    defaults = [line.split() for line in lines[start:]]

    assert defaults[1:] == [
        ["small", "images", "colorcnn", "gray-steps", "brightness"],
        ["photographs", "refined_fast", "second", "second"],
    ]
    assert ["gray-steps", "colorcnn", "nothing", "32"] in [line.split() for line in lines]
