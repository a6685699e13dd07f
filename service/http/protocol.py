"""What uvicorn does not limit by itself: how long and how large the head of a request may be.

Without this, a client that sends a byte now and then, or none, keeps its connection for ever, and one that sends header
lines without an end fills the memory.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Mapping
from http import HTTPStatus

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from service.http.headers import HEADER, SECURITY_HEADERS
from service.http.problems import HEAD_TOO_LARGE, MALFORMED_REQUEST, Problem, problem_response


def limited_protocol(header_timeout: float, max_header_bytes: int) -> type[HttpToolsProtocol]:
    """The protocol class for uvicorn with these limits, in seconds and in bytes."""
    limits = {"header_timeout": header_timeout, "max_header_bytes": max_header_bytes}
    return type("LimitedProtocol", (_LimitedProtocol,), limits)


class _LimitedProtocol(HttpToolsProtocol):
    """One connection. The clock runs for each head, and for what still comes of a body that is answered already.

    The bytes are counted where the parser hands them on, and where it keeps them without handing on anything.
    """

    header_timeout: float
    max_header_bytes: int

    _waits_for_head = True
    _deadline: asyncio.TimerHandle | None = None
    _head_bytes = 0
    _kept_bytes = 0
    _handed_on = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._start_clock()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_clock()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._waits_for_head and not self._deadline:
            self._start_clock()
        self._handed_on = False
        super().data_received(data)
        self._kept_bytes = 0 if self._handed_on else self._kept_bytes + len(data)
        if self._kept_bytes > self.max_header_bytes and not self.transport.is_closing():
            self.send_400_response("")

    def on_message_begin(self) -> None:
        self._head_bytes = 0
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:  # of the trailer as well
        self._count(len(name) + len(value) + len(": \r\n"))
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._handed_on = True
        self._waits_for_head = False
        self._stop_clock()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._handed_on = True
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._handed_on = True
        self._waits_for_head = True
        self._stop_clock()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        if not self._waits_for_head and self.cycle.response_complete:  # and no pipelined request sends its body
            self._start_clock()
        super().on_response_complete()

    def send_400_response(self, msg: str) -> None:
        """Say what is wrong and close; uvicorn calls this for whatever the parser refuses."""
        if max(self._head_bytes, self._kept_bytes) > self.max_header_bytes:
            detail = f"The head of a request may have {self.max_header_bytes} bytes; send fewer or shorter headers."
            self._refuse(HEAD_TOO_LARGE, detail)
        else:
            self._refuse(MALFORMED_REQUEST, "This is not HTTP/1.1 as RFC 9112 has it.")

    def _refuse(self, problem: Problem, detail: str) -> None:
        request_id = uuid.uuid4().hex
        response = problem_response(problem, detail, request_id, SECURITY_HEADERS | {HEADER: request_id})
        self.transport.write(_raw(problem.status, response.headers, bytes(response.body)))
        self.transport.close()

    def _count(self, size: int) -> None:
        self._head_bytes += size
        if self._head_bytes > self.max_header_bytes:
            raise ValueError("the head is too large")  # the parser stops and hands it to uvicorn as its own error

    def _start_clock(self) -> None:
        self._stop_clock()
        self._deadline = self.loop.call_later(self.header_timeout, self.transport.close)

    def _stop_clock(self) -> None:
        if self._deadline:
            self._deadline.cancel()
            self._deadline = None


def _raw(status: int, headers: Mapping[str, str], body: bytes) -> bytes:
    lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "connection: close", "", ""]).encode("latin-1") + body
