"""`python -m service health`: the exit status that container engines use."""

import http.client
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from service.__main__ import main
from service.http.probe import is_ready
from tests.service.processes import ROOT, free_port

READY = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
BUSY = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"


@contextmanager
def responding(response: bytes, heads: list[bytes] | None = None) -> Iterator[int]:
    """Serve one response to one request on loopback; yield the port."""

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            head = connection.recv(10_000)
            connection.sendall(response)
        if heads is not None:
            heads.append(head)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1]
        thread.join()


@pytest.mark.parametrize(
    ("response", "ready"), [(READY, True), (BUSY, False), (b"", False), (b"SSH-2.0-OpenSSH_9.9\r\n", False)]
)
@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
def test_a_server_is_ready_when_readyz_returns_200(host: str, response: bytes, ready: bool) -> None:
    heads: list[bytes] = []
    with responding(response, heads) as port:
        assert is_ready(host, port, 30) is ready

    assert heads[0].startswith(b"GET /readyz HTTP/1.1\r\n")


def test_a_missing_server_is_not_ready() -> None:
    assert not is_ready("127.0.0.1", free_port(), 30)


def test_a_server_that_never_responds_is_not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(self: http.client.HTTPConnection) -> None:
        raise TimeoutError

    with responding(READY) as port, monkeypatch.context() as patch:
        patch.setattr(http.client.HTTPConnection, "getresponse", never)
        assert not is_ready("127.0.0.1", port, 30)


@pytest.mark.parametrize(("response", "status"), [(READY, 0), (BUSY, 1)])
def test_the_command_probes_the_port_of_the_settings(
    monkeypatch: pytest.MonkeyPatch, response: bytes, status: int
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    with responding(response) as port:
        monkeypatch.setenv("COLORCNN_PORT", str(port))
        assert main(["health"]) == status


def test_bad_settings_are_not_healthy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Health checks reserve 2, the exit status of a start with bad settings."""
    monkeypatch.setenv("COLORCNN_PORT", "http")

    assert main(["health"]) == 1


def test_the_command_does_not_import_torch() -> None:
    code = "import sys; from service.__main__ import main; main(['health']); sys.exit('torch' in sys.modules)"
    environment = {"COLORCNN_PORT": str(free_port()), "PYTHONPATH": str(ROOT)}

    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, check=False).returncode == 0
