"""`colorcnn` itself: quick help, the list of commands, completion, the version."""

import subprocess
import sys
import tomllib
from importlib import import_module

import pytest
from click.testing import CliRunner

from service.cli.main import COMMANDS, PROGRAM, cli, main
from tests.service.processes import ROOT

HEAVY = ("pydantic", "torch", "numpy", "PIL", "httpx", "fastapi", "rich", "anyio")
ASK = f"""
import sys
from service.cli.main import cli
try:
    cli(sys.argv[1:], prog_name="colorcnn")
finally:
    print([name for name in {HEAVY} if name in sys.modules], file=sys.stderr)
"""


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["nonsense"], []])
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    done = subprocess.run([sys.executable, "-c", ASK, *arguments], capture_output=True, text=True, cwd=ROOT)
    assert done.stderr.splitlines()[-1] == "[]"
    assert done.returncode == (2 if arguments in (["nonsense"], []) else 0)


@pytest.mark.parametrize("name", COMMANDS)
def test_the_list_has_the_first_line_of_every_command(name: str) -> None:
    command = import_module(f"service.cli.{name}").command
    assert command.short_help == COMMANDS[name]
    shown = CliRunner().invoke(cli, [name, "--help"], prog_name="colorcnn")
    assert shown.exit_code == 0 and f"colorcnn {name}" in shown.output


def test_the_package_installs_the_command() -> None:
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    module, _, function = scripts[PROGRAM].partition(":")
    assert getattr(import_module(module), function) is main


def test_the_list_shows_every_command() -> None:
    shown = CliRunner().invoke(cli, ["-h"]).output
    assert all(name in shown for name in COMMANDS)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script(shell: str) -> None:
    done = CliRunner().invoke(cli, ["completion", shell], prog_name="colorcnn")
    assert done.exit_code == 0 and "_COLORCNN_COMPLETE" in done.stdout


@pytest.mark.parametrize(
    ("words", "offered"), [("colorcnn qua", "quantize"), ("colorcnn quantize -m half", "halftone")]
)
def test_completion_offers_commands_and_methods(words: str, offered: str) -> None:
    variables = {"_COLORCNN_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
    done = CliRunner().invoke(cli, [], env=variables, prog_name="colorcnn")
    assert f"plain,{offered}" in done.stdout.splitlines()


def test_serve_is_the_service(monkeypatch: pytest.MonkeyPatch) -> None:
    served: list[list[str]] = []

    def main(arguments: list[str]) -> int:
        served.append(arguments)
        return 3

    monkeypatch.setattr("service.__main__.main", main)
    assert CliRunner().invoke(cli, ["serve"]).exit_code == 3
    assert served == [[]]
