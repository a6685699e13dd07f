"""Parser of requests that never changes the protocol of a connection.

httptools stops at the head of a request with `Upgrade`: it skips the body of the request and takes the bytes of the
body for the next request. A client that controls the body could then smuggle a request past a proxy. Java's HTTP client
and `curl --http2` offer h2c with each first request, also with an upload. A server may ignore the offer (RFC 9110,
section 7.8); this parser does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import httptools

_CONNECT = b"CONNECT"
_UPGRADE = b"upgrade"  # uvicorn stores names of headers in lower case


class Callbacks(Protocol):
    """The callbacks of the parser, and what they have stored of the current head."""

    url: bytes
    headers: list[tuple[bytes, bytes]]

    def on_message_begin(self) -> None: ...
    def on_url(self, url: bytes, /) -> None: ...
    def on_header(self, name: bytes, value: bytes, /) -> None: ...
    def on_headers_complete(self) -> None: ...
    def on_body(self, body: bytes, /) -> None: ...
    def on_message_complete(self) -> None: ...


class RequestParser:
    """httptools' request parser, except that a head with `Upgrade` is parsed again without this header.

    The second parser checks the length and the transfer coding of the body as for any other request.
    """

    def __init__(self, callbacks: Callbacks) -> None:
        self._callbacks = callbacks
        self._parser = self._new_parser()

    def feed_data(self, data: bytes) -> None:
        """Parse the next bytes of the connection.

        Raises:
            httptools.HttpParserError: the bytes are not HTTP/1, or ask for a tunnel (CONNECT). The connection must be
                closed.
        """
        rest = memoryview(data)
        while rest:
            try:
                self._parser.feed_data(rest)
                return
            except httptools.HttpParserUpgrade as upgrade:
                head = self._head_without_upgrade()
                rest = rest[upgrade.args[0] :]
            self._parser = self._new_parser()
            self._parser.feed_data(head)

    def get_http_version(self) -> str:
        return self._parser.get_http_version()

    def get_method(self) -> bytes:
        return self._parser.get_method()

    def should_keep_alive(self) -> bool:
        return self._parser.should_keep_alive()

    def should_upgrade(self) -> bool:
        return self._parser.should_upgrade()

    def _new_parser(self) -> httptools.HttpRequestParser:
        parser = httptools.HttpRequestParser(_UntilUpgrade(self._callbacks, self.should_upgrade))
        parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn's own, for pipelined requests
        return parser

    def _head_without_upgrade(self) -> bytes:
        """Return the head of the current request as the callbacks have stored it, without its `Upgrade`."""
        if self.get_method() == _CONNECT:
            raise httptools.HttpParserError("this server opens no tunnels")
        kept = [(name, value) for name, value in self._callbacks.headers if name != _UPGRADE]
        start = b"%s %s HTTP/%s" % (self.get_method(), self._callbacks.url, self.get_http_version().encode())
        return b"\r\n".join([start, *(b"%s: %s" % header for header in kept), b"", b""])


class _UntilUpgrade:
    """The callbacks of one parser of httptools. They do not hear of the end of a head that asks for an upgrade."""

    def __init__(self, callbacks: Callbacks, upgrades: Callable[[], bool]) -> None:
        self.on_message_begin = callbacks.on_message_begin
        self.on_url = callbacks.on_url
        self.on_header = callbacks.on_header
        self.on_body = callbacks.on_body
        self._callbacks = callbacks
        self._upgrades = upgrades

    def on_headers_complete(self) -> None:
        if not self._upgrades():
            self._callbacks.on_headers_complete()

    def on_message_complete(self) -> None:
        if not self._upgrades():
            self._callbacks.on_message_complete()
