"""The outermost layer: what every request and every answer gets, and an answer for the unforeseen.

A request gets an id, one line in the log and its place in the metrics; an answer gets its id and headers of safety.
"""

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

from service.http.headers import _POLICIES, HEADER, SECURITY_HEADERS
from service.http.problems import INTERNAL, internal_error
from service.lifecycle import Service
from service.metrics import Metrics
from service.runtime.logs import Event, request_id_here

CLIENT_CLOSED = 499  # nginx's number for a client that left; only ever in the log and in the metrics

log = logging.getLogger("colorcnn.access")

_SAFE_ID = re.compile(r"[A-Za-z0-9._~-]{1,128}")
_PROBES = frozenset({"/healthz", "/readyz", "/metrics"})
_LONGEST_PATH = 200  # characters in the log


def request_id(headers: Headers) -> str:
    """The id that the client sent, if it is short and harmless in a header, a URN and a log line; else a new one."""
    given = headers.get(HEADER, "")
    return given if _SAFE_ID.fullmatch(given) else uuid.uuid4().hex


@dataclass
class _Exchange:
    """What the log says about one request and its answer."""

    scope: Scope
    request_id: str
    service: Service
    started: float = field(default_factory=time.perf_counter)
    status: int = 0
    bytes_in: int = 0
    bytes_out: int = 0

    def note_received(self, message: Message) -> None:
        self.bytes_in += len(message.get("body", b""))

    def note_sent(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            headers[HEADER] = self.request_id
            for name, value in _POLICIES.get(self.scope["path"], SECURITY_HEADERS).items():
                headers.setdefault(name, value)
            stages = headers.get("Server-Timing")
            total = f"total;dur={1000 * (time.perf_counter() - self.started):.1f}"
            headers["Server-Timing"] = f"{stages}, {total}" if stages else total
            if self.service.is_ending:  # or a client might send its next request just when the connection is closed
                headers["Connection"] = "close"
        if self.scope["method"] != "HEAD":  # the server drops the body of an answer to HEAD
            self.bytes_out += len(message.get("body", b""))

    @property
    def route(self) -> str | None:
        """The path template of the route that answers, or that would have; None where there is none."""
        path: str | None = getattr(self.scope.get("route"), "path", None) or self.scope["state"].get("path")
        return path

    @property
    def problem(self) -> str | None:
        """The name of the problem that is the answer."""
        name: str | None = self.scope["state"].get("problem")
        return name

    def record(self, metrics: Metrics) -> None:
        """Count it, and write its line."""
        seconds = time.perf_counter() - self.started
        metrics.count_request(
            self.route,
            self.scope["method"],
            self.status,
            seconds=seconds,
            body_bytes=self.bytes_in,
            problem=self.problem,
        )
        level = logging.DEBUG if self.route in _PROBES else logging.INFO
        log.log(level, Event("request", self._fields(seconds)))

    def _fields(self, seconds: float) -> dict[str, str | int | float]:
        client = self.scope.get("client")
        return {
            "method": self.scope["method"],
            "path": self.route or quote(self.scope["path"])[:_LONGEST_PATH],
            "status": self.status,
            "seconds": round(seconds, 4),
            "bytes_in": self.bytes_in,
            "bytes_out": self.bytes_out,
            "client": client[0] if client else "-",
            **({"problem": self.problem} if self.problem else {}),
            "request_id": self.request_id,
        }


class RequestContext:
    """ASGI middleware. `request.state.request_id` is set for everything inside; X-Request-ID is on every answer."""

    def __init__(self, app: ASGIApp, service: Service, metrics: Metrics) -> None:
        self._app = app
        self._service = service
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = _Exchange(scope, request_id(Headers(scope=scope)), self._service)
        scope.setdefault("state", {})["request_id"] = exchange.request_id

        async def receive_and_note() -> Message:
            message = await receive()
            exchange.note_received(message)
            return message

        async def send_and_note(message: Message) -> None:
            exchange.note_sent(message)
            await send(message)

        token = request_id_here.set(exchange.request_id)
        try:
            await self._respond(exchange, receive_and_note, send_and_note)
        finally:
            exchange.record(self._metrics)
            request_id_here.reset(token)

    async def _respond(self, exchange: _Exchange, receive: Receive, send: Send) -> None:
        try:
            await self._app(exchange.scope, receive, send)
        except ClientDisconnect:
            exchange.status = CLIENT_CLOSED
        except Exception:
            log.exception("unexpected error request_id=%s", exchange.request_id)
            if exchange.status:  # half an answer is out: let the server close the connection
                raise
            exchange.scope["state"]["problem"] = INTERNAL.name
            await internal_error(exchange.request_id)(exchange.scope, receive, send)
