"""Content-Encoding of responses (RFC 9110, section 8.4): text in zstd, brotli or gzip, where the client accepts it."""

from __future__ import annotations

from collections.abc import Mapping

import anyio.lowlevel
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette_compress import CompressMiddleware

from service.schemas.media_types import HTML, JSON

# JSON lines are missing: each must leave at once. Images and archives are compressed already.
_TEXT = frozenset({JSON, HTML, "text/css", "text/javascript", "text/plain", "image/svg+xml"})
_SMALLEST = 1024  # bytes; a smaller body fits a packet anyway
_PIECE = 1 << 18  # bytes that are compressed at a time, in at most 10 ms; other requests go on in between
_NO_TRANSFORM = "no-transform"

# A body that is mostly an image in base64 would shrink by a quarter, at a cost of 25 ms per megabyte in gzip. A client
# that saves bytes asks for the image itself.
UNTOUCHED: Mapping[str, str] = {"Cache-Control": f"no-store, {_NO_TRANSFORM}"}
"""Headers of a text that stays as it is."""


class EncodedResponses:
    """ASGI middleware that compresses whole responses of text, and adds Accept-Encoding to their Vary.

    A strong entity tag becomes a weak one, because it names other bytes. `no-transform` in Cache-Control leaves a
    response alone.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._compress = CompressMiddleware(_replay, minimum_size=_SMALLEST)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        held: Message | None = None

        async def hold_and_send(message: Message) -> None:
            nonlocal held
            if message["type"] == "http.response.start" and _is_text(Headers(raw=message["headers"])):
                held = message
                return
            if held is None:
                await send(message)
                return
            start, held = held, None
            if message.get("more_body", False):
                await send(start)
                await send(message)
            else:
                await self._compress({**scope, _REPLAYED: (start, message)}, receive, _weakening(send))

        await self._app(scope, receive, hold_and_send)


_REPLAYED = "colorcnn.response"


async def _replay(scope: Scope, receive: Receive, send: Send) -> None:
    """Send a response again, for the library: a long one in pieces."""
    start, whole = scope[_REPLAYED]
    await send(start)
    body = whole.get("body", b"")
    for at in range(0, len(body) - _PIECE, _PIECE):
        await send({"type": "http.response.body", "body": body[at : at + _PIECE], "more_body": True})
        await anyio.lowlevel.checkpoint()
    done = max(0, (len(body) - 1) // _PIECE * _PIECE)
    await send(whole | {"body": body[done:]})


def _weakening(send: Send) -> Send:
    async def weaken_and_send(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            if "Content-Encoding" in headers and headers.get("ETag", "W/").startswith('"'):
                headers["ETag"] = f"W/{headers['ETag']}"
        await send(message)

    return weaken_and_send


def _is_text(headers: Headers) -> bool:
    media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    return media_type in _TEXT and _NO_TRANSFORM not in headers.get("cache-control", "")
