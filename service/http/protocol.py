"""Limits that uvicorn lacks: how long the head of a request may take, and how large it may be.

Without a time limit, a client that sends a byte now and then keeps its connection forever. Without a size limit, a
client that sends endless header lines fills the memory. service/http/parser.py states why the protocol has a parser of
its own.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from service.http.headers import REQUEST_ID_HEADER, SECURITY_HEADERS
from service.http.parser import RequestParser
from service.http.problems import problem_response
from service.schemas.problems import HEAD_TOO_LARGE, MALFORMED_REQUEST, Problem


def limited_protocol(header_timeout: float, max_header_bytes: int) -> type[HttpToolsProtocol]:
    """Return the protocol class for uvicorn with these limits, in seconds and in bytes."""
    limits = {"header_timeout": header_timeout, "max_header_bytes": max_header_bytes}
    return type("LimitedProtocol", (_LimitedProtocol,), limits)


class OpenTransport:
    """A transport that drops what is written once it closes.

    uvicorn learns of the end of a connection a moment after uvloop has closed it, and never for the first of several
    pipelined requests. A response that is written then would raise an error, which the log would show as the service's.
    """

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(data)


class _LimitedProtocol(HttpToolsProtocol):
    """One connection. The clock runs while a head arrives, and while a body arrives after its response was sent.

    Bytes are counted when the parser emits them, and while it buffers them without emitting anything.
    """

    header_timeout: float
    max_header_bytes: int

    _waits_for_head = True
    _deadline: asyncio.TimerHandle | None = None
    _head_bytes = 0
    _buffered_bytes = 0
    _emitted = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(OpenTransport(transport))  # type: ignore[arg-type]  # has all that uvicorn uses
        self.parser = RequestParser(self)  # type: ignore[assignment]  # uvicorn names the class that it replaces
        self._start_clock()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_clock()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._waits_for_head and not self._deadline:
            self._start_clock()
        self._emitted = False
        super().data_received(data)
        self._buffered_bytes = 0 if self._emitted else self._buffered_bytes + len(data)
        if self._buffered_bytes > self.max_header_bytes and not self.transport.is_closing():
            self.send_400_response("")

    def on_message_begin(self) -> None:
        self._head_bytes = 0
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:  # also for the trailer
        self._count(len(name) + len(value) + len(": \r\n"))
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._emitted = True
        self._waits_for_head = False
        self._stop_clock()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._emitted = True
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._emitted = True
        self._waits_for_head = True
        self._stop_clock()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        if not self._waits_for_head and self.cycle.response_complete:  # no pipelined request is sending its body
            self._start_clock()
        super().on_response_complete()

    def send_400_response(self, msg: str) -> None:
        """Send a problem and close; uvicorn calls this for everything that the parser rejects."""
        if max(self._head_bytes, self._buffered_bytes) > self.max_header_bytes:
            detail = (
                f"The head of a request may have at most {self.max_header_bytes} bytes; send fewer or shorter headers."
            )
            self._refuse(HEAD_TOO_LARGE, detail)
        else:
            self._refuse(MALFORMED_REQUEST, "The request is not HTTP/1.1 as RFC 9112 defines it.")

    def _refuse(self, problem: Problem, detail: str) -> None:
        request_id = uuid.uuid4().hex
        response = problem_response(problem, detail, request_id, {**SECURITY_HEADERS, REQUEST_ID_HEADER: request_id})
        self.transport.write(_raw(problem.status, response.headers, bytes(response.body)))
        self.transport.close()

    def _count(self, size: int) -> None:
        self._head_bytes += size
        if self._head_bytes > self.max_header_bytes:
            raise ValueError("the head is too large")  # stops the parser, which reports it to uvicorn as its own error

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
