"""The outermost layer: a request id for every request, one line in the log, and an answer for the unforeseen."""

from __future__ import annotations

import logging
import re
import time
import uuid
from dataclasses import dataclass, field
from urllib.parse import quote

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.problems import internal_error

HEADER = "X-Request-ID"
CLIENT_CLOSED = 499  # nginx's number for a client that left; only ever in the log

log = logging.getLogger("colorcnn.access")

_SAFE_ID = re.compile(r"[A-Za-z0-9._~-]{1,128}")
_PROBES = frozenset({"/healthz", "/readyz"})


def request_id(headers: Headers) -> str:
    """The id that the client sent, if it is short and harmless in a header, a URN and a log line; else a new one."""
    given = headers.get(HEADER, "")
    return given if _SAFE_ID.fullmatch(given) else uuid.uuid4().hex


@dataclass
class _Exchange:
    """What the log says about one request and its answer."""

    scope: Scope
    request_id: str
    started: float = field(default_factory=time.perf_counter)
    status: int = 0
    bytes_in: int = 0
    bytes_out: int = 0

    def note_received(self, message: Message) -> None:
        self.bytes_in += len(message.get("body", b""))

    def note_sent(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            MutableHeaders(scope=message)[HEADER] = self.request_id
        if self.scope["method"] != "HEAD":  # the server drops the body of an answer to HEAD
            self.bytes_out += len(message.get("body", b""))

    def write(self) -> None:
        level = logging.DEBUG if self.scope["path"] in _PROBES else logging.INFO
        client = self.scope.get("client")
        log.log(
            level,
            "method=%s path=%s status=%d ms=%.1f bytes_in=%d bytes_out=%d client=%s request_id=%s",
            self.scope["method"],
            quote(self.scope["path"]),
            self.status,
            (time.perf_counter() - self.started) * 1000,
            self.bytes_in,
            self.bytes_out,
            client[0] if client else "-",
            self.request_id,
        )


class RequestContext:
    """ASGI middleware. `request.state.request_id` is set for everything inside; X-Request-ID is on every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = _Exchange(scope, request_id(Headers(scope=scope)))
        scope.setdefault("state", {})["request_id"] = exchange.request_id

        async def receive_and_note() -> Message:
            message = await receive()
            exchange.note_received(message)
            return message

        async def send_and_note(message: Message) -> None:
            exchange.note_sent(message)
            await send(message)

        try:
            await self._answer(exchange, receive_and_note, send_and_note)
        finally:
            exchange.write()

    async def _answer(self, exchange: _Exchange, receive: Receive, send: Send) -> None:
        try:
            await self._app(exchange.scope, receive, send)
        except ClientDisconnect:
            exchange.status = CLIENT_CLOSED
        except Exception:
            log.exception("unexpected error request_id=%s", exchange.request_id)
            if exchange.status:  # half an answer is out: let the server close the connection
                raise
            await internal_error(exchange.request_id)(exchange.scope, receive, send)
