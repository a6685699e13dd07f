"""The clients of Triton and KServe, and the examples of docs/inference-protocol.md, against this service.

They run in processes of their own: the clients start event loops, and warn of their own dependencies when imported.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import pytest
from httpx import Client

from tests.service.processes import ROOT, outside

PAGE = (ROOT / "docs" / "inference-protocol.md").read_text()
PROGRAMS = Path(__file__).parent / "programs"
PACKAGES = {"triton": ("tritonclient", "geventhttpclient"), "kserve": ("kserve",)}
ERRORS = {
    "model": (404, "There is no model 'nobody'"),
    "datatype": (400, "The datatype of the input 'image' is 'INT32'"),
    "shape": (400, "The shape of the input 'image' is [1, 1]"),
    "name": (400, "The model 'quantize' has no input 'pixels'"),
    "option": (400, "Input should be less than or equal to 256"),
}

pytestmark = pytest.mark.skipif("COLORCNN_KEY" in os.environ, reason="the programs send no key")


def run(folder: Path, *command: str) -> str:
    environment = outside() | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def need(packages: Sequence[str]) -> None:
    for package in packages:
        if find_spec(package) is None:
            pytest.skip(f"the package {package} is not installed")


def address(client: Client) -> str:
    return str(client.base_url).rstrip("/")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the photographs of the examples."""
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "photos").symlink_to(ROOT / "tests" / "photos")
    return tmp_path


@pytest.mark.parametrize("name", PACKAGES)
def test_a_foreign_client_passes_ready_metadata_and_infer(client: Client, folder: Path, name: str) -> None:
    need(PACKAGES[name])
    printed = json.loads(run(folder, sys.executable, str(PROGRAMS / f"{name}_client.py"), address(client)))

    known = client.get("/v2/models/quantize").json()
    assert printed["live"] is True and printed["ready"] is True
    assert printed["models"] == {"quantize": True, "nobody": False}
    assert printed.get("metadata", known) == known
    photo = (ROOT / "tests" / "photos" / "cat.jpg").read_bytes()
    file = client.post("/quantize", content=photo, params={"colors": "2"})
    assert bytes.fromhex(printed["image"]) == file.content
    assert printed["label"] == file.headers["x-label-after"]
    assert printed["top"] == client.post("/classify", content=photo).json()["predictions"][0]["label"]
    assert printed["errors"].keys() == ERRORS.keys()
    for mistake, (status, told) in ERRORS.items():
        assert printed["errors"][mistake][0] == status and printed["errors"][mistake][1].startswith(told)


@pytest.mark.parametrize("number", range(2))
def test_a_python_example_prints_what_the_page_shows(client: Client, folder: Path, number: int) -> None:
    code, shown = re.findall(r"```python\n(.*?)```\n\n```console\n(.*?)```", PAGE, re.DOTALL)[number]
    need(list(PACKAGES.values())[number])
    host = address(client).removeprefix("http://")
    printed = run(folder, sys.executable, "-c", code.replace("127.0.0.1:8000", host))

    assert re.sub("#[0-9a-f]{6}", "COLOR", printed) == re.sub("#[0-9a-f]{6}", "COLOR", shown)
    assert (folder / "out.png").read_bytes().startswith(b"\x89PNG")


def test_the_curl_example_prints_what_the_page_shows(client: Client, folder: Path) -> None:
    [block] = re.findall(r"```console\n(\$ echo .*?)```", PAGE, re.DOTALL)
    *commands, shown = block.strip().splitlines()
    script = "\n".join(line.removeprefix("$ ") for line in commands)
    printed = json.loads(run(folder, "bash", "-c", script.replace("http://127.0.0.1:8000", address(client))))

    expected = json.loads(shown)
    for each in (printed, expected):  # another processor rounds differently
        each["outputs"][2]["data"] = [round(value, 2) for value in each["outputs"][2]["data"]]
    assert printed["outputs"] == expected["outputs"]
    assert printed["parameters"] == expected["parameters"]
