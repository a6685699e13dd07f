"""The examples of docs/clients.md run as they stand: the command in an own folder, Python against this service."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from httpx import Client

from tests.service.processes import ROOT, outside

PAGE = (ROOT / "docs" / "clients.md").read_text()
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", PAGE, re.DOTALL)
PYTHON = [code for language, code in BLOCKS if language == "python"]
COMMANDS = [
    (line, shown)
    for language, text in BLOCKS
    if language == "console"
    for line, shown in re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", text, re.MULTILINE)
]
NUMBER = re.compile(r"\d[\d,.]*")


def without_numbers(text: str) -> str:
    """Another processor rounds differently, which moves a color by a level and a file by a few bytes."""
    return re.sub(" +", " ", NUMBER.sub("N", re.sub(r"#[0-9a-f]{6}", "COLOR", text)))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    shutil.copy(ROOT / "tests" / "photos" / "cat.jpg", folder)
    return folder


@pytest.mark.parametrize(("line", "shown"), COMMANDS, ids=[line for line, _ in COMMANDS])
def test_a_command_prints_what_the_page_shows(folder: Path, line: str, shown: str) -> None:
    environment = outside() | {"PYTHONPATH": str(ROOT)}
    command = line.replace("colorcnn", f"{sys.executable} -m service.cli.main", 1)
    done = subprocess.run(command, shell=True, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert without_numbers(done.stdout + done.stderr) == without_numbers(shown)


@pytest.mark.skipif("COLORCNN_KEY" in os.environ, reason="the examples send no key")
def test_the_python_examples_print_what_the_page_shows(
    client: Client, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    shown = dict(re.findall(r"```python\n(.*?)```\n\n```console\n(.*?)```", PAGE, re.DOTALL))
    for code in PYTHON:
        exec(code.replace("http://127.0.0.1:8000", str(client.base_url).rstrip("/")), {"__name__": "example"})
        printed = capsys.readouterr().out
        if code in shown:
            assert without_numbers(printed) == without_numbers(shown[code])
    assert len(PYTHON) == 3 and len(shown) == 2
