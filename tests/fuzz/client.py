"""A client that sends any bytes over a connection that it keeps, and judges what comes back."""

import json
import socket
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from typing import Any, Self

from tests.fuzz.cases import Case

LIMITS = {"/quantize": 5.0, "/classify": 5.0, "/compress": 60.0, "/benchmark": 60.0}
"""Seconds that an answer may take. The last two work at low priority, in processes that may have to start first."""

CLOSED = "closed"
"""In place of a status, where the connection ended without an answer."""


@dataclass(frozen=True)
class Outcome:
    """What came of a case: its status or `CLOSED`, how long that took, and what is wrong with it; empty for nothing."""

    number: int
    path: str
    image: str
    status: str
    milliseconds: float
    complaint: str


class Client:
    """One connection to a port of loopback, opened when it is needed; an answer may take as long as `limits` say."""

    def __init__(self, port: int, limits: Mapping[str, float] = LIMITS) -> None:
        self._port, self._limits = port, limits
        self._connection: socket.socket | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._hang_up()

    def send(self, case: Case) -> Outcome:
        """Send a case and wait for its answer. One whose length may lie gets a connection of its own."""
        if not case.framed:
            self._hang_up()
        started = time.perf_counter()
        try:
            status, complaint = self._exchange(case)
        except TimeoutError:
            self._hang_up()
            status, complaint = CLOSED, f"no answer within {self._limits[case.path]:g} s"
        milliseconds = 1000 * (time.perf_counter() - started)
        if not case.framed:
            self._hang_up()
        return Outcome(case.number, case.path, case.image, status, milliseconds, complaint)

    def _exchange(self, case: Case) -> tuple[str, str]:
        kept = self._connection is not None
        response, body = self._respond(case)
        if response is None and kept:  # the server may have ended it meanwhile, as HTTP allows
            response, body = self._respond(case)
        if response is None:
            return CLOSED, "no answer" if case.framed else ""
        return str(response.status), complaint(response, body)

    def _respond(self, case: Case) -> tuple[HTTPResponse | None, bytes]:
        try:
            connection = self._connected()
            connection.settimeout(self._limits[case.path])
            with suppress(BrokenPipeError, ConnectionResetError):  # it may have answered before it read all
                connection.sendall(case.request)
                if not case.framed:
                    connection.shutdown(socket.SHUT_WR)
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

    def _hang_up(self) -> None:
        if self._connection:
            self._connection.close()
        self._connection = None


def complaint(response: HTTPResponse, body: bytes) -> str:
    """What is wrong with an answer to whatever a client may send; empty for nothing."""
    media_type = (response.headers["Content-Type"] or "").partition(";")[0]
    if response.status == 200:
        return "" if _is_whole(media_type, body) else f"{media_type} that is none"
    if response.status >= 500 and (response.status != 503 or "Retry-After" not in response.headers):
        return f"status {response.status}"
    if media_type != "application/problem+json":
        return f"status {response.status} without problem details"
    problem = _parsed(body)
    return "" if problem.get("status") == response.status and problem.get("detail") else "a problem that says nothing"


def _is_whole(media_type: str, body: bytes) -> bool:
    match media_type:
        case "image/png":
            return body.startswith(b"\x89PNG") and body.endswith(b"IEND\xaeB`\x82")
        case "application/json":
            return bool(_parsed(body))
        case _:
            return bool(body)


def _parsed(body: bytes) -> dict[str, Any]:
    """A JSON object; an empty one where it is none."""
    try:
        parsed = json.loads(body)
    except ValueError:
        return {}
    return parsed if isinstance(parsed, dict) else {}
