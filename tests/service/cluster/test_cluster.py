"""`python -m service.cluster` with two replicas of the shipped models, as a user starts it."""

import os
import signal
import socket
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tests.service.processes import ROOT, Server, family, serving, until

pytest.importorskip("ray.serve", reason="the extra `ray` is not installed")

PHOTO = (ROOT / "tests" / "photos" / "cat-32.png").read_bytes()
STARTED_WITHIN = 300.0  # seconds; a dozen Python processes start
REQUESTS = 60


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving("service.cluster", tmp_path_factory.mktemp("cluster") / "log", load="defaults") as server:
        server.wait_until_ready(within=STARTED_WITHIN)
        until(lambda: len(replicas(server)) == 2)
        yield server


def replicas(server: Server) -> list[int]:
    """Return the process ids of the replicas, which Ray names in their command line."""
    return [pid for pid in family(server.process.pid) if command(pid).startswith(b"ray::ServeReplica")]


def command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:  # the process has ended meanwhile
        return b""


def quantize(server: Server, number: int = 0) -> httpx.Response:
    headers = {"X-Request-ID": f"request-{number}"}
    return httpx.post(f"{server.url}/quantize?colors=4", content=PHOTO, headers=headers, timeout=60, trust_env=False)


def test_an_image_is_quantized(cluster: Server) -> None:
    response = quantize(cluster, 5)

    assert response.status_code == 200
    assert response.content.startswith(b"\x89PNG")
    assert response.headers.get_list("X-Request-ID") == ["request-5"]
    assert response.headers["X-Colors"] == "4"


def test_an_error_is_the_problem_of_the_service(cluster: Server) -> None:
    response = httpx.post(f"{cluster.url}/quantize?colors=1", content=PHOTO, timeout=60, trust_env=False)

    assert (response.status_code, response.headers["Content-Type"]) == (422, "application/problem+json")


def test_a_body_behind_an_upgrade_is_no_second_request(cluster: Server) -> None:
    hidden = b"GET /healthz HTTP/1.1\r\nHost: service\r\n\r\n"
    head = (
        b"POST /quantize?colors=4 HTTP/1.1\r\nHost: service\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n"
        b"Content-Length: %d\r\n\r\n" % len(hidden)
    )
    with socket.create_connection(("127.0.0.1", cluster.port), timeout=30) as connection:
        connection.sendall(head)
        connection.sendall(hidden)
        received = connection.recv(65536)
        connection.settimeout(1)
        try:
            while chunk := connection.recv(65536):
                received += chunk
        except TimeoutError:  # HAProxy keeps the connection to the client
            pass

    assert received.count(b"HTTP/1.1 ") == 1
    assert b'"alive"' not in received


def test_a_killed_replica_loses_no_request(cluster: Server) -> None:
    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(quantize, cluster, number) for number in range(REQUESTS)]
        until(lambda: sum(request.done() for request in asked) > REQUESTS // 4)
        os.kill(replicas(cluster)[0], signal.SIGKILL)
        statuses = Counter(request.result().status_code for request in asked)

    assert statuses.keys() <= {200, 503}, statuses
    assert statuses[200] > REQUESTS // 4
    assert statuses.total() == REQUESTS


def test_sigterm_ends_every_process(cluster: Server) -> None:
    processes = set(family(cluster.process.pid))

    assert cluster.stop(patience=120) == 0

    until(lambda: not any(command(pid) for pid in processes))
