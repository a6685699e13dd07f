"""Benchmarks in a real server with its real worker process: crashes, disconnects, and the end of the service."""

import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from httpx import Client

from tests.service.images import DRAWING, PHOTO
from tests.service.processes import Server, serving, until, workers_of
from tests.service.waiting import PATIENCE

OPTIONS = {"methods": "colorcnn"}


@pytest.fixture(scope="module")
def traps(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("traps")


@pytest.fixture(scope="module")
def server(traps: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    log = tmp_path_factory.mktemp("server") / "log"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRAPS", str(traps))
        with serving("tests.service.fake_server", log) as server:
            server.wait_until_ready()
            yield server


@pytest.fixture(scope="module", autouse=True)
def encoders(server: Server) -> set[int]:
    """Process ids of the worker processes of /compress."""
    until(lambda: "encoders of /compress are warm" in server.log.read_text())
    return set(workers_of(server.process.pid))


def test_a_worker_that_dies_fails_its_row_and_no_other(server: Server, encoders: set[int], traps: Path) -> None:
    (traps / "3").write_text("die")
    with Client(base_url=server.url, timeout=PATIENCE, trust_env=False) as client:
        response = client.post("/benchmark", content=DRAWING, params=OPTIONS | {"colors": "2,3,4"})

    before, dead, after = response.json()["rows"]
    assert ("error" in before, "error" in after) == (False, False)
    assert dead["error"]["type"] == "urn:colorcnn:problem:internal"
    [worker] = set(workers_of(server.process.pid)) - encoders
    assert worker != int((traps / "3.sprung").read_text())


@pytest.mark.parametrize("accept", ["image/png", "text/html"])
def test_a_worker_that_dies_while_it_draws_is_replaced(
    server: Server, encoders: set[int], traps: Path, accept: str
) -> None:
    (traps / "4").write_text("die drawing")
    with Client(base_url=server.url, timeout=PATIENCE, trust_env=False) as client:
        options = OPTIONS | {"colors": "4"}
        response = client.post("/benchmark", content=DRAWING, params=options, headers={"Accept": accept})

    assert (response.status_code, response.headers["content-type"].partition(";")[0]) == (200, accept)
    [worker] = set(workers_of(server.process.pid)) - encoders
    assert worker != int((traps / "4.sprung").read_text())


def test_a_disconnect_kills_the_worker_and_others_do_not_wait(server: Server, encoders: set[int], traps: Path) -> None:
    (traps / "5").write_text("hang")
    with (
        ThreadPoolExecutor(1) as pool,
        Client(base_url=server.url, timeout=PATIENCE, trust_env=False) as client,
        Client(base_url=server.url, timeout=PATIENCE, trust_env=False) as leaving,
    ):
        request = leaving.build_request("POST", "/benchmark", content=DRAWING, params=OPTIONS | {"colors": "5"})
        request.headers["Accept"] = "application/x-ndjson"
        response = leaving.send(request, stream=True)
        until((traps / "5.sprung").exists)
        [worker] = set(workers_of(server.process.pid)) - encoders
        waiting = pool.submit(client.post, "/benchmark", content=DRAWING, params=OPTIONS | {"colors": "2"})
        quantized = httpx.post(f"{server.url}/quantize", content=PHOTO, timeout=PATIENCE, trust_env=False)
        response.close()
        response = waiting.result(PATIENCE)

    assert quantized.status_code == 200
    assert "error" not in response.json()["rows"][0]
    assert worker not in workers_of(server.process.pid)
    assert "status=499" in server.log.read_text()


def test_the_end_of_the_service_is_the_end_of_its_benchmark_and_of_the_worker(server: Server, traps: Path) -> None:
    """The last test, because it stops the server that the tests share."""
    (traps / "7").write_text("hang")
    with ThreadPoolExecutor(1) as pool, Client(base_url=server.url, timeout=PATIENCE, trust_env=False) as client:
        running = pool.submit(client.post, "/benchmark", content=DRAWING, params=OPTIONS | {"colors": "2,7,8"})
        until((traps / "7.sprung").exists)
        worker = int((traps / "7.sprung").read_text())
        status = server.stop()
        made, *missing = running.result(PATIENCE).json()["rows"]

    assert "error" not in made
    assert {row["error"]["type"] for row in missing} == {"urn:colorcnn:problem:not-ready"}
    assert status in (0, -signal.SIGTERM)
    until(lambda: not Path(f"/proc/{worker}").exists())
    assert "ERROR" not in server.log.read_text().split("Shutting down")[1]
