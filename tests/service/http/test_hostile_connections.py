"""Clients that break the rules of HTTP or disconnect, against a real server process that admits one request."""

import json
import socket
from collections.abc import Iterator
from http.client import HTTPResponse

import pytest
from httpx import Client

from tests.service.images import PHOTO
from tests.service.processes import Server, serving, until

HEAD = b"POST /quantize HTTP/1.1\r\nHost: x\r\n"
FORM = b"Content-Type: multipart/form-data; boundary=X\r\n"
FORM_START = b'--X\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nabc'


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    log = tmp_path_factory.mktemp("server") / "log"
    with serving("tests.service.fake_server", log, queue_size="1", max_form_parts="64") as server:
        server.wait_until_ready()
        yield server


@pytest.fixture
def client(server: Server) -> Iterator[Client]:
    with Client(base_url=server.url, timeout=30, trust_env=False) as client:
        yield client


def response(server: Server, sent: bytes) -> tuple[int, str]:
    """Return the status and the name of the problem in the response."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
        connection.sendall(sent)
        response = HTTPResponse(connection, method="POST")
        response.begin()
        return response.status, json.loads(response.read())["type"].rpartition(":")[2]


def status(client: Client) -> int:
    return client.post("/quantize", content=PHOTO).status_code


@pytest.mark.parametrize(
    "start",
    [
        HEAD + b"Content-Length: 1000\r\n\r\n" + PHOTO[:300],
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n12c\r\n" + PHOTO[:300] + b"\r\n",
        HEAD + FORM + b"Content-Length: 1000\r\n\r\n" + FORM_START,
    ],
    ids=["raw", "chunked", "form"],
)
def test_a_client_that_disconnects_during_its_upload_releases_its_ticket(
    server: Server, client: Client, start: bytes
) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
        connection.sendall(start)
        until(lambda: status(client) == 503)
    until(lambda: status(client) == 200)


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (b"Content-Length: -1\r\n\r\n", (400, "malformed-request")),
        (b"Content-Length: 0x10\r\n\r\n", (400, "malformed-request")),
        (b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef", (400, "malformed-request")),
        (b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", (400, "malformed-request")),
        (b"Transfer-Encoding: chunked\r\n\r\nno chunk\r\n", (400, "malformed-request")),
        (b"Content-Length: " + b"9" * 40 + b"\r\n\r\n", (400, "malformed-request")),
        (b"Content-Length: 9999999999\r\n\r\n", (413, "too-large")),
        (b"X-A: 1\r\n" * 5000 + b"\r\n", (431, "head-too-large")),
        (b"X-A: " + b"1" * 40_000 + b"\r\n\r\n", (431, "head-too-large")),
    ],
    ids=lambda value: value.decode()[:40] if isinstance(value, bytes) else "",
)
def test_an_invalid_or_endless_head_is_rejected(server: Server, lines: bytes, expected: tuple[int, str]) -> None:
    assert response(server, HEAD + lines) == expected


def test_a_form_of_a_hundred_thousand_fields_is_rejected_while_it_arrives(client: Client) -> None:
    body = b'--X\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n' * 100_000

    refused = client.post("/quantize", content=body, headers={"Content-Type": "multipart/form-data; boundary=X"})

    assert (refused.status_code, refused.json()["type"]) == (400, "urn:colorcnn:problem:malformed-upload")
    until(lambda: status(client) == 200)
