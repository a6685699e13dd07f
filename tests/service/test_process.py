"""A real uvicorn process on loopback: behavior that ASGI alone cannot show."""

import hashlib
import json
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPResponse
from pathlib import Path

import httpx
import pytest
from httpx import Client

from models.codecs import bpg
from models.names import ModelKind
from models.zoo.manifest import SHIPPED
from models.zoo.registry import Registry
from service.settings import Settings
from tests.service.images import PHOTO, encoded, opened, ramp
from tests.service.processes import ROOT, STOPPED_WITHIN, Server, outside, serving, until, workers_of

LIMIT = 200_000
WARM = "encoders of /compress are warm"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    log = tmp_path_factory.mktemp("server") / "log"
    with serving("tests.service.fake_server", log, max_upload_bytes=str(LIMIT), log_level="debug", prot="80") as server:
        server.wait_until_ready()
        yield server


@pytest.fixture
def client(server: Server) -> Iterator[Client]:
    with Client(base_url=server.url, timeout=30, trust_env=False) as client:
        yield client


def test_a_photo_becomes_a_one_bit_png(client: Client) -> None:
    response = client.post("/quantize", files={"file": ("photo.jpg", PHOTO)}, data={"colors": "2"})

    assert response.status_code == 200
    assert opened(response.content).size == (40, 24)
    assert response.content[24:26] == bytes([1, 3])  # one bit, palette
    assert response.headers["x-model"] == "gray-steps"
    assert "server" not in response.headers


def test_a_chunked_raw_body_is_accepted(client: Client) -> None:
    response = client.post("/quantize", content=iter([PHOTO[:99], PHOTO[99:]]), params={"colors": "2"})

    assert response.headers["content-type"] == "image/png"


@pytest.mark.parametrize("chunked", [False, True], ids=["announced", "chunked"])
def test_a_client_that_sends_too_much_still_reads_the_response(client: Client, chunked: bool) -> None:
    """Twenty times the limit is more than the socket buffers hold, so the service responds while the client sends."""
    pieces = [b"x" * 50_000] * (20 * LIMIT // 50_000)

    response = client.post("/quantize", content=iter(pieces) if chunked else b"".join(pieces))
    after = client.get("/healthz")

    assert response.status_code == 413
    assert response.headers["content-type"] == "application/problem+json"
    assert after.status_code == 200


def test_one_connection_serves_good_and_bad_requests(client: Client) -> None:
    statuses = [client.post("/quantize", content=data).status_code for data in (PHOTO, b"", b"text", PHOTO)]

    assert statuses == [200, 400, 400, 200]


def test_the_service_survives_clients_that_disconnect(server: Server, client: Client) -> None:
    """One announces more than it sends, one sends half a form, one does not wait for its response."""
    head = "POST /quantize HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\nContent-Type: {}\r\nX-Request-ID: {}\r\n\r\n"
    half_form = b'--X\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nabc'
    for request in (
        head.format(1000, "image/jpeg", "left-1").encode() + PHOTO[:500],
        head.format(1000, "multipart/form-data; boundary=X", "left-2").encode() + half_form,
        head.format(len(PHOTO), "image/jpeg", "left-3").encode() + PHOTO,
    ):
        with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
            connection.sendall(request)

    after = client.post("/quantize", content=PHOTO)

    assert after.status_code == 200
    assert "ERROR" not in server.log.read_text()


def ticks(pid: int) -> int:
    """Return the processor time of a process, in hundredths of a second."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def test_the_encoders_start_before_their_first_request(server: Server) -> None:
    until(lambda: WARM in server.log.read_text())

    assert len(workers_of(server.process.pid)) == Settings().compress_workers


def test_a_disconnect_ends_the_encoding(server: Server, client: Client) -> None:
    """An encoding of nine megapixels takes many seconds, for which a process that nobody ends would stay."""
    image = encoded(ramp(3000, 3000), "JPEG")
    head = f"POST /compress HTTP/1.1\r\nHost: x\r\nContent-Length: {len(image)}\r\n\r\n".encode()
    until(lambda: WARM in server.log.read_text())
    encoders = workers_of(server.process.pid)
    idle = sum(map(ticks, encoders))
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.sendall(head + image)
        until(lambda: sum(map(ticks, encoders)) > idle + 20)
    until(lambda: set(encoders) - set(workers_of(server.process.pid)))

    after = client.post("/compress", content=PHOTO, headers={"Accept": "image/bpg"})

    assert bpg.decode(after.content).shape == (24, 40, 3)


def test_simultaneous_clients_get_equal_responses(client: Client) -> None:
    with ThreadPoolExecutor(8) as pool:
        responses = list(pool.map(lambda _: client.post("/quantize", content=PHOTO), range(24)))

    assert {response.status_code for response in responses} == {200}
    assert len({response.content for response in responses}) == 1


def test_the_log_has_one_line_for_each_request(server: Server, client: Client) -> None:
    client.get("/models", headers={"X-Request-ID": "look-for-me"})
    until(lambda: "look-for-me" in server.log.read_text())  # it is written after the response

    [line] = [line for line in server.log.read_text().splitlines() if "look-for-me" in line]
    assert "colorcnn.access method=GET path=/models status=200" in line


@pytest.mark.parametrize("path", ["/models", "/benchmark", "/healthz", "/readyz", "/docs", "/openapi.json"])
def test_head_is_get_without_the_body(client: Client, path: str) -> None:
    got, head = client.get(path), client.head(path)

    assert (head.status_code, head.content) == (200, b"")
    for name in ("content-type", "content-length"):
        assert head.headers[name] == got.headers[name]


@pytest.mark.parametrize(
    ("proxies", "client"), [({}, "127.0.0.1"), ({"trusted_proxies": "127.0.0.0/8"}, "192.0.2.7")], ids=["none", "ours"]
)
def test_only_a_trusted_proxy_names_the_client(tmp_path: Path, proxies: dict[str, str], client: str) -> None:
    with serving("tests.service.fake_server", tmp_path / "log", **proxies) as server:
        server.wait_until_ready()
        httpx.get(f"{server.url}/models", headers={"X-Forwarded-For": "192.0.2.7"}, trust_env=False)
        until(lambda: "path=/models" in server.log.read_text())

    assert f"client={client} " in server.log.read_text()


def test_a_misspelled_setting_is_named_in_the_log(server: Server) -> None:
    [line] = [line for line in server.log.read_text().splitlines() if "WARNING" in line]
    assert "no such setting: COLORCNN_PROT;" in line


def test_sigterm_ends_the_process_in_order(tmp_path: Path) -> None:
    with serving("tests.service.fake_server", tmp_path / "log", log_format="json") as server:
        server.wait_until_ready()
        status = server.stop()

    assert status == 0
    lines = [json.loads(line) for line in server.log.read_text().splitlines()]
    assert "Application shutdown complete." in [line["message"] for line in lines]
    assert all({"time", "level", "logger"} <= line.keys() for line in lines)


def test_sigterm_while_the_models_are_loaded_ends_the_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without waiting for the thread that loads them, which no signal reaches."""
    monkeypatch.setenv("LOADING", "300")
    with serving("tests.service.fake_server", tmp_path / "log", shutdown_delay="60") as server:
        server.wait_until_ready("/healthz")
        status = server.stop()

    assert status == 0
    assert "in the middle of the work of 1 threads" in server.log.read_text()


def test_sigterm_while_torch_is_imported_ends_the_process(tmp_path: Path) -> None:
    with serving("tests.service.fake_server", tmp_path / "log", threads="") as server:
        until(lambda: "SigCgt" in server.status() and int(server.status()["SigCgt"], 16) >> (signal.SIGTERM - 1) & 1)
        status = server.stop()

    assert status == 0


@pytest.mark.parametrize(("parts", "status"), [(3000, 0), (1, 1)], ids=["with pauses", "without a pause"])
def test_sigterm_during_long_work_ends_the_process_after_the_grace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, parts: int, status: int
) -> None:
    """The work takes longer than the test waits; where it pauses, it ends in order."""
    for name, number in (("SLOW", 300), ("PARTS", parts)):
        monkeypatch.setenv(name, str(number))
    with serving("tests.service.fake_server", tmp_path / "log", shutdown_timeout="1", shutdown_delay="0") as server:
        server.wait_until_ready()
        head = f"POST /quantize HTTP/1.1\r\nHost: x\r\nContent-Length: {len(PHOTO)}\r\n\r\n".encode()
        with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
            connection.sendall(head + PHOTO)
            until(lambda: in_flight(server) == 1)
            ended = server.stop()

    assert ended == status
    assert ("requests did not end in time" in server.log.read_text()) is bool(status)


def test_a_request_that_ends_within_the_grace_gets_its_response(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLOW", "1")
    with serving("tests.service.fake_server", tmp_path / "log", shutdown_delay="0") as server:
        server.wait_until_ready()
        with ThreadPoolExecutor(1) as pool:
            response = pool.submit(
                httpx.post, f"{server.url}/quantize", content=PHOTO, timeout=STOPPED_WITHIN, trust_env=False
            )
            until(lambda: in_flight(server) == 1)
            status = server.stop()

    assert (status, response.result().status_code) == (0, 200)


def in_flight(server: Server) -> float:
    """Return the number of requests to /quantize and /classify in the service."""
    text = httpx.get(f"{server.url}/metrics", timeout=5, trust_env=False).text
    return next(float(line.split()[-1]) for line in text.splitlines() if 'requests_inside{queue="images"}' in line)


def test_a_client_without_a_request_is_cut_off(tmp_path: Path) -> None:
    with serving("tests.service.fake_server", tmp_path / "log", header_timeout="0.2") as server:
        server.wait_until_ready()
        for start in (b"", b"GET /healthz HTTP/1.1\r\nHost:"):
            with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
                connection.sendall(start)
                assert connection.recv(1000) == b""


@pytest.mark.parametrize(
    ("sent", "status", "name"),
    [(b"no HTTP\r\n\r\n", 400, "malformed-request"), (b"GET /" + b"x" * 40_000, 431, "head-too-large")],
)
def test_bytes_that_are_no_request_are_a_problem(server: Server, sent: bytes, status: int, name: str) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
        connection.sendall(sent)
        response = HTTPResponse(connection)
        response.begin()
        problem = json.loads(response.read())

    assert (response.status, response.headers["content-type"]) == (status, "application/problem+json")
    assert problem["type"] == f"urn:colorcnn:problem:{name}"


def run(arguments: list[str], **variables: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "service", *arguments]
    return subprocess.run(
        command, cwd=ROOT, env=outside() | variables, capture_output=True, text=True, timeout=120, check=False
    )


def test_bad_settings_are_named_and_end_the_process() -> None:
    done = run([], COLORCNN_PORT="http", COLORCNN_WORKERS="0", COLORCNN_LOAD="a, b")

    assert done.returncode == 2
    for name in ("PORT", "WORKERS", "LOAD"):
        assert f"\nCOLORCNN_{name}: " in f"\n{done.stderr}"
    assert "Traceback" not in done.stderr


def test_models_that_cannot_be_loaded_end_the_process(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text("{}")

    done = run([], COLORCNN_MODELS_FOLDER=str(tmp_path), COLORCNN_PORT="0", COLORCNN_SHUTDOWN_DELAY="0")

    assert done.returncode == 1
    assert "the models could not be loaded" in done.stderr
    assert "manifest.json" in done.stderr


def test_a_checkpoint_with_another_hash_ends_the_process_with_one_line(tmp_path: Path) -> None:
    folder = tmp_path / "models"
    shutil.copytree(SHIPPED, folder, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    entry = Registry.open(folder).default(ModelKind.CLASSIFIER)
    damaged = bytearray((folder / entry.file).read_bytes())
    damaged[-1] ^= 1
    (folder / entry.file).write_bytes(damaged)

    done = run([], COLORCNN_MODELS_FOLDER=str(folder), COLORCNN_PORT="0", COLORCNN_SHUTDOWN_DELAY="0")

    assert done.returncode == 1
    [line] = [line for line in done.stderr.splitlines() if "CRITICAL" in line]
    for fact in (str(folder / entry.file), entry.sha256, hashlib.sha256(damaged).hexdigest()):
        assert fact in line
    assert "Traceback" not in done.stderr


def test_help_lists_every_setting() -> None:
    done = run(["--help"])

    assert done.returncode == 0
    assert "COLORCNN_MAX_UPLOAD_BYTES=33554432" in done.stdout


# Prints the policy at the first attempt to import torch, and ends the process.
FIRST_IMPORT_OF_TORCH = """
import os, sys
class Finder:
    def find_spec(self, name, *_):
        if name == "torch":
            print(os.environ.get("OMP_WAIT_POLICY"))
            sys.exit()
sys.meta_path.insert(0, Finder())
"""


@pytest.mark.parametrize(
    "command",
    ["from service.__main__ import main; main([])", "import training.train_classifier"],
    ids=["service", "training"],
)
def test_openmp_is_told_to_sleep_before_torch_is_loaded(command: str) -> None:
    environment = {name: value for name, value in outside().items() if name != "OMP_WAIT_POLICY"}
    done = subprocess.run(
        [sys.executable, "-c", FIRST_IMPORT_OF_TORCH + command],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )

    assert done.stdout == "PASSIVE\n"
