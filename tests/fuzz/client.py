"""A client that sends arbitrary bytes over a kept connection and checks the responses."""

import gzip
import json
import socket
import time
import zlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from typing import Any, Self

from tests.fuzz.cases import PROTOCOL, Case

REFINED = 12  # times the limit, for a refined picture
LIMITS = {
    **dict.fromkeys(("/quantize", "/classify", "/v2/models/quantize/infer", "/v2/models/classify/infer"), 5.0),
    **dict.fromkeys(("/compress", "/benchmark"), 60.0),
}
"""Seconds until a response. The last two work in processes of low priority, which may have to start first."""

_BEFORE_ROUTING = (400, 431)  # also of what is no HTTP, which has no path yet
CLOSED = "closed"
"""Takes the place of a status when the connection ended without a response."""


@dataclass(frozen=True)
class Outcome:
    """Outcome of a case: status or `CLOSED`, latency, and a complaint, which is empty for a valid response."""

    number: int
    path: str
    image: str
    status: str
    milliseconds: float
    complaint: str


class Client:
    """One connection to a port of loopback, opened on demand. limits: seconds until a response, by path."""

    def __init__(self, port: int, limits: Mapping[str, float] = LIMITS) -> None:
        self._port, self._limits = port, limits
        self._connection: socket.socket | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._hang_up()

    def send(self, case: Case) -> Outcome:
        """Send a case and wait for its response. A case that is not framed gets a connection of its own."""
        if not case.framed:
            self._hang_up()
        started = time.perf_counter()
        try:
            status, complaint = self._exchange(case)
        except TimeoutError:
            self._hang_up()
            status, complaint = CLOSED, f"no response within {self._limit(case):g} s"
        milliseconds = 1000 * (time.perf_counter() - started)
        if not case.framed:
            self._hang_up()
        return Outcome(case.number, case.path, case.image, status, milliseconds, complaint)

    def _exchange(self, case: Case) -> tuple[str, str]:
        kept = self._connection is not None
        response, body = self._exchange_once(case)
        if response is None and kept:  # HTTP allows the server to close an idle connection
            response, body = self._exchange_once(case)
        if response is None:
            return CLOSED, "no response" if case.framed else ""
        return str(response.status), complaint(response, body, case)

    def _exchange_once(self, case: Case) -> tuple[HTTPResponse | None, bytes]:
        try:
            connection = self._connected()
            connection.settimeout(self._limit(case))
            with suppress(BrokenPipeError, ConnectionResetError):
                # The server may respond, and hang up, before it has read everything.
                connection.sendall(case.request)
                if not case.framed:
                    _end_of_requests(connection)
            response = HTTPResponse(connection, method="POST")
            response.begin()
            body = response.read()
        except (ConnectionError, HTTPException):
            self._hang_up()
            return None, b""
        if response.will_close:
            self._hang_up()
        return response, body

    def _connected(self) -> socket.socket:
        if self._connection is None:
            self._connection = socket.create_connection(("127.0.0.1", self._port))
            self._connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self._connection

    def _limit(self, case: Case) -> float:
        return self._limits[case.path] * (REFINED if case.refined else 1)

    def _hang_up(self) -> None:
        if self._connection:
            self._connection.close()
        self._connection = None


def _end_of_requests(connection: socket.socket) -> None:
    with suppress(OSError):  # "not connected" after the server has reset the connection
        connection.shutdown(socket.SHUT_WR)


def complaint(response: HTTPResponse, body: bytes, case: Case) -> str:
    """Return what is wrong with a response to an arbitrary request, or an empty text."""
    media_type = (response.headers["Content-Type"] or "").partition(";")[0]
    if response.headers["Content-Encoding"] == "gzip":
        body = _inflated(body)
    length = response.headers["Inference-Header-Content-Length"]
    if response.status == 200 and length:
        return "" if _parsed(body[: int(length)]) else "no JSON object before binary data"
    if response.status == 200:
        return "" if _is_whole(media_type, body) else f"invalid {media_type}"
    if response.status >= 500 and (response.status != 503 or "Retry-After" not in response.headers):
        return f"status {response.status}"
    if case.path.startswith(PROTOCOL):
        if media_type == "application/json" and _parsed(body).keys() == {"error"}:
            return ""
        if case.framed and response.status not in _BEFORE_ROUTING:  # a damaged head may have another path
            return f"status {response.status} without an error of the protocol"
    if media_type != "application/problem+json":
        return f"status {response.status} without problem details"
    problem = _parsed(body)
    return (
        ""
        if problem.get("status") == response.status and problem.get("detail")
        else "problem details without status or detail"
    )


def _inflated(body: bytes) -> bytes:
    """Return what gzip compressed; nothing for a body that is no whole file of gzip."""
    try:
        return gzip.decompress(body)
    except (OSError, EOFError, zlib.error):
        return b""


def _is_whole(media_type: str, body: bytes) -> bool:
    match media_type:
        case "image/png":
            return body.startswith(b"\x89PNG") and body.endswith(b"IEND\xaeB`\x82")
        case "application/json":
            return bool(_parsed(body))
        case _:
            return bool(body)


def _parsed(body: bytes) -> dict[str, Any]:
    """Return the JSON object in `body`, or an empty one."""
    try:
        parsed = json.loads(body)
    except ValueError:
        return {}
    return parsed if isinstance(parsed, dict) else {}
