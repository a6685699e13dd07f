"""A short campaign passes, and the client and the campaign detect each kind of failure."""

import json
import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from models.decoding.decode import decode
from models.errors import ColorCNNError
from tests.fuzz.__main__ import main
from tests.fuzz.campaign import passed
from tests.fuzz.cases import ENDPOINTS, Case, make
from tests.fuzz.client import CLOSED, Client
from tests.fuzz.mutations import mutate
from tests.fuzz.seeds import seeds

PROTOCOL_PATHS = tuple(path for path in ENDPOINTS if path.startswith("/v2"))


def test_a_short_campaign_finds_no_failure(tmp_path: Path) -> None:
    """With the fake engine. Only a long campaign can measure the growth of memory."""
    out = tmp_path / "fuzz.json"
    main(["--cases", "600", "--seed", "2", "--out", str(out)], module="tests.service.fake_server")

    report = json.loads(out.read_text())
    assert report["failures"] == {"cases": 0, "reasons": {}, "first": []}
    assert (report["log"]["errors"], report["log"]["tracebacks"], report["log"]["first"]) == (0, 0, [])
    assert report["cases"] == 600 == sum(report["by_status"].values())
    assert {"200", "400", "404", "413", "422"} <= report["by_status"].keys()
    assert all(report["by_endpoint"][path]["answered_200"] for path in ("/quantize", "/classify", *PROTOCOL_PATHS))


def test_seed_and_number_determine_a_case() -> None:
    cases = [make(0, number) for number in range(400)]

    assert cases == [make(0, number) for number in range(400)]
    assert make(0, 7) != make(1, 7)
    assert {case.path for case in cases} == ENDPOINTS.keys()
    assert {make(0, number, "/v2").path for number in range(50)} == set(PROTOCOL_PATHS)
    assert {case.image.split()[0] for case in cases} >= {"PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "BPG", "PACKED"}


@pytest.mark.parametrize("name", seeds())
def test_seed_files_are_valid(name: str) -> None:
    assert decode(seeds()[name]).format == name.split()[0]


def test_some_mutants_decode_and_some_do_not() -> None:
    chance, decoded = random.Random(0), 0
    for name, data in list(seeds().items()) * 5:
        other = chance.choice(list(seeds().values()))
        try:
            decoded += decode(mutate(data, other, chance), max_pixels=100_000).format == name.split()[0]
        except ColorCNNError:
            continue

    assert 0.1 < decoded / (5 * len(seeds())) < 0.9


@contextmanager
def server_that_sends(data: bytes) -> Iterator[int]:
    """Run a server that sends `data` to any request and closes; without data it never responds. Yield its port."""
    given_up = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def handle(self) -> None:
            while self.rfile.readline().strip():
                pass
            self.wfile.write(data)
            if not data:
                given_up.wait(30)

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server.server_port
        finally:
            given_up.set()
            server.shutdown()
            thread.join()


def response(status: str, body: bytes, *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


PROBLEM = "Content-Type: application/problem+json"
REQUEST = Case(0, "/quantize", "PNG", b"POST /quantize HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", framed=True)


@pytest.mark.parametrize(
    ("given", "status", "complaint"),
    [
        (response("200 OK", b"x"), "200", ""),
        (response("200 OK", b""), "200", "invalid "),
        (response("200 OK", b"\x89PNG\r\n", "Content-Type: image/png"), "200", "invalid image/png"),
        (response("200 OK", b"{", "Content-Type: application/json"), "200", "invalid application/json"),
        (response("422 No", b'{"status": 422, "detail": "why"}', PROBLEM), "422", ""),
        (
            response("422 No", b'{"status": 400, "detail": "why"}', PROBLEM),
            "422",
            "problem details without status or detail",
        ),
        (response("422 No", b"why"), "422", "status 422 without problem details"),
        (response("503 Later", b'{"status": 503, "detail": "why"}', PROBLEM, "Retry-After: 2"), "503", ""),
        (response("503 Later", b'{"status": 503, "detail": "why"}', PROBLEM), "503", "status 503"),
        (response("500 Oh", b'{"status": 500, "detail": "why"}', PROBLEM), "500", "status 500"),
        (b"no HTTP\r\n\r\n", CLOSED, "no response"),
        (b"", CLOSED, "no response within 0.3 s"),
    ],
)
def test_invalid_responses_are_reported(given: bytes, status: str, complaint: str) -> None:
    with server_that_sends(given) as port, Client(port, {"/quantize": 30 if given else 0.3}) as client:
        outcome = client.send(REQUEST)

    assert (outcome.status, outcome.complaint) == (status, complaint)


@pytest.mark.parametrize(
    ("given", "framed", "complaint"),
    [
        (response("404 No", b'{"error": "why"}', "Content-Type: application/json"), True, ""),
        (response("404 No", b'{"status": 404, "detail": "why"}', PROBLEM), True, "without an error of the protocol"),
        (response("404 No", b'{"status": 404, "detail": "why"}', PROBLEM), False, ""),
        (response("400 No", b'{"status": 400, "detail": "why"}', PROBLEM), True, ""),
        (response("200 OK", b"{}x", "Inference-Header-Content-Length: 2"), True, "no JSON object before binary data"),
        (response("200 OK", b'{"a":1}x', "Inference-Header-Content-Length: 7"), True, ""),
    ],
)
def test_errors_below_v2_have_the_form_of_the_protocol(given: bytes, framed: bool, complaint: str) -> None:
    path = "/v2/models/classify/infer"
    with server_that_sends(given) as port, Client(port) as client:
        outcome = client.send(replace(REQUEST, path=path, framed=framed))

    assert outcome.complaint.endswith(complaint) and bool(outcome.complaint) == bool(complaint)


def test_an_incomplete_request_needs_no_response() -> None:
    with server_that_sends(b"no HTTP\r\n\r\n") as port, Client(port) as client:
        outcome = client.send(replace(REQUEST, framed=False))

    assert (outcome.status, outcome.complaint) == (CLOSED, "")


def test_any_failure_fails_a_campaign() -> None:
    def report(failures: int = 0, errors: int = 0, tracebacks: int = 0, growth: float = 1.0) -> dict[str, Any]:
        log = {"errors": errors, "tracebacks": tracebacks, "first": []}
        return {"failures": {"cases": failures}, "log": log, "memory_mb": {"growth": growth}}

    assert passed(report())
    assert not any(map(passed, (report(failures=1), report(errors=1), report(tracebacks=1), report(growth=1.5))))
