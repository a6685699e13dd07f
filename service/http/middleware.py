"""The outermost middleware: request id, access log, request metrics, common headers, and the last-resort response."""

from __future__ import annotations

import logging
import re
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import quote

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.http.headers import MODELS_DIGEST_HEADER, REQUEST_ID_HEADER, SECURITY_HEADERS
from service.http.problems import internal_error
from service.runtime.logs import Event, request_id_here
from service.schemas.problems import INTERNAL

CLIENT_CLOSED = 499  # nginx's status for a client that disconnected; only in the log and in the metrics

log = logging.getLogger("colorcnn.access")

_SAFE_ID = re.compile(r"[A-Za-z0-9._~-]{1,128}")
_PROBES = frozenset({"/healthz", "/readyz", "/metrics", "/v2/health/live", "/v2/health/ready"})
_SECURITY = tuple((name.lower().encode(), value.encode()) for name, value in SECURITY_HEADERS.items())
_LONGEST_PATH = 200  # characters in the log


class CountRequest(Protocol):
    """Counts a request that has ended."""

    def __call__(
        self, path: str | None, method: str, status: int, *, seconds: float, body_bytes: int, problem: str | None
    ) -> None:
        """path: the template of its route, None without a route. problem: the name of the problem in the response."""


def request_id(headers: Headers) -> str:
    """Return the client's request id if it is short and safe in a header, a URN and a log line; else a new one."""
    client_id = headers.get(REQUEST_ID_HEADER, "")
    return client_id if _SAFE_ID.fullmatch(client_id) else uuid.uuid4().hex


@dataclass
class _Exchange:
    """A request and its response, as far as the log and the metrics report them."""

    scope: Scope
    request_id: str
    started: float = field(default_factory=time.perf_counter)
    status: int = 0
    bytes_in: int = 0
    bytes_out: int = 0

    @property
    def route(self) -> str | None:
        """Path template of the route that handles the request; None without a route."""
        path: str | None = getattr(self.scope.get("route"), "path", None) or self.scope["state"].get("path")
        return path

    @property
    def problem(self) -> str | None:
        """Name of the problem in the response."""
        name: str | None = self.scope["state"].get("problem")
        return name

    @property
    def seconds(self) -> float:
        return time.perf_counter() - self.started

    def add_headers(self, headers: MutableHeaders, *, models_digest: str | None, close: bool) -> None:
        """Add the headers that all responses share."""
        # Headers are a list, so that each access by name compares all names.
        present = {name for name, _ in headers.raw}
        headers[REQUEST_ID_HEADER] = self.request_id
        if models_digest:
            headers[MODELS_DIGEST_HEADER] = models_digest
        headers.raw.extend(header for header in _SECURITY if header[0] not in present)
        total = f"total;dur={1000 * self.seconds:.1f}"
        stages = headers.get("Server-Timing") if b"server-timing" in present else None
        headers["Server-Timing"] = f"{stages}, {total}" if stages else total
        if close:
            headers["Connection"] = "close"

    def log_fields(self, seconds: float) -> dict[str, str | int | float]:
        """Return the fields of the line in the access log."""
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
    """ASGI middleware around everything else. It sets `request.state.request_id` and the X-Request-ID of a response.

    Args:
        is_ending: whether the service is shutting down. Responses then close their connection: on an open connection,
            a client might send its next request just as the server closes it.
        models_digest: returns what distinguishes the weights of this service from others; None before they are loaded.
        count: called once for each request.
    """

    def __init__(
        self,
        app: ASGIApp,
        is_ending: Callable[[], bool],
        models_digest: Callable[[], str | None],
        count: CountRequest,
    ) -> None:
        self._app = app
        self._is_ending = is_ending
        self._models_digest = models_digest
        self._count = count

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = _Exchange(scope, request_id(Headers(scope=scope)))
        scope.setdefault("state", {})["request_id"] = exchange.request_id
        token = request_id_here.set(exchange.request_id)
        try:
            await self._respond(exchange, _counting_receive(exchange, receive), self._finishing_send(exchange, send))
        finally:
            self._record(exchange)
            request_id_here.reset(token)

    def _finishing_send(self, exchange: _Exchange, send: Send) -> Send:
        async def finish_and_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                exchange.status = message["status"]
                exchange.add_headers(
                    MutableHeaders(scope=message), models_digest=self._models_digest(), close=self._is_ending()
                )
            if exchange.scope["method"] != "HEAD":  # the server drops the body of a response to HEAD
                exchange.bytes_out += len(message.get("body", b""))
            await send(message)

        return finish_and_send

    async def _respond(self, exchange: _Exchange, receive: Receive, send: Send) -> None:
        try:
            await self._app(exchange.scope, receive, send)
        except ClientDisconnect:
            exchange.status = CLIENT_CLOSED
        except Exception:
            log.exception("unexpected error request_id=%s", exchange.request_id)
            if exchange.status:  # a part of the response is sent, so the server must close the connection
                raise
            exchange.scope["state"]["problem"] = INTERNAL.name
            response = internal_error(exchange.request_id, Request(exchange.scope))
            await response(exchange.scope, receive, send)

    def _record(self, exchange: _Exchange) -> None:
        seconds = exchange.seconds
        self._count(
            exchange.route,
            exchange.scope["method"],
            exchange.status,
            seconds=seconds,
            body_bytes=exchange.bytes_in,
            problem=exchange.problem,
        )
        level = logging.DEBUG if exchange.route in _PROBES else logging.INFO
        log.log(level, Event("request", exchange.log_fields(seconds)))


def _counting_receive(exchange: _Exchange, receive: Receive) -> Receive:
    async def receive_and_count() -> Message:
        message = await receive()
        exchange.bytes_in += len(message.get("body", b""))
        return message

    return receive_and_count
