"""The examples of README.md run as they stand, against this service."""

import re

import pytest
from httpx import Client

from tests.service.processes import ROOT

README = (ROOT / "README.md").read_text()


def test_the_python_example_prints_what_the_readme_shows(
    client: Client, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    [code, shown] = re.findall(r"```python\n(.*?)```\n\n```console\n(.*?)```", README, re.DOTALL)[0]
    monkeypatch.chdir(ROOT)

    exec(code.replace("http://localhost:8000", str(client.base_url).rstrip("/")), {})

    palette, labels = capsys.readouterr().out.splitlines()
    # Another processor rounds differently, which may move a color by a level and a few pixels to the other one.
    assert re.fullmatch(r"\['#[0-9a-f]{6}', '#[0-9a-f]{6}'\] \[\d+, \d+\]", palette)
    assert labels == shown.splitlines()[1]


def test_the_curl_example_has_the_headers_that_the_readme_shows(client: Client) -> None:
    head = re.search(r"\$ curl .*?-D -\n(.*?)```", README, re.DOTALL)
    assert head
    shown = dict(line.split(": ", 1) for line in head[1].splitlines()[1:])

    with (ROOT / "tests/photos/cat.jpg").open("rb") as photo:
        response = client.post("/quantize", files={"file": photo}, data={"colors": "2"})

    assert shown.keys() <= response.headers.keys()
    fixed = ("x-method", "x-model", "x-recognizers", "x-colors", "x-label-before", "x-label-after", "content-type")
    assert {name: response.headers[name] for name in fixed} == {name: shown[name] for name in fixed}
    # Gradient steps enlarge differences between machines: 0.35 instead of 0.58 on another one, with the same label.
    for name, tolerance in (("content-length", 200), ("x-bits-per-pixel", 0.01), ("x-probability-after", 0.3)):
        assert float(response.headers[name]) == pytest.approx(float(shown[name]), abs=tolerance)
