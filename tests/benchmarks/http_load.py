"""HTTP/1.1 client for load tests; it takes little CPU time and sends one request at a time on each connection."""

import asyncio
import itertools
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import cast

import httptools

CONNECTIONS = 400
"""Most connections at a time. A request that finds none free waits, and its wait counts."""


@dataclass(frozen=True)
class Request:
    """A request that can be sent again and again."""

    method: str
    path: str
    body: bytes = b""
    content_type: str = "application/octet-stream"

    def with_id(self, request_id: str) -> bytes:
        """Return the bytes of the request with an X-Request-ID in ASCII."""
        head = f"{self.method} {self.path} HTTP/1.1\r\nHost: service\r\nX-Request-ID: {request_id}\r\n"
        head += f"Content-Type: {self.content_type}\r\n" if self.body else ""
        return f"{head}Content-Length: {len(self.body)}\r\n\r\n".encode() + self.body


@dataclass
class Response:
    """Status and headers of a response; header names are in lower case."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """Outcome of one request.

    sent: time.monotonic() when a connection was free. ended: time.monotonic() when the whole response had arrived or
    the connection had failed. seconds: from the due time of the request to `ended`. status: 0 when the connection was
    refused or ended early.
    """

    request_id: str
    sent: float
    seconds: float
    ended: float
    status: int
    headers: Mapping[str, str]


class Client:
    """Sends requests to a port of loopback on at most `CONNECTIONS` connections, the most recently used first."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._idle: list[_Connection] = []
        self._free = asyncio.Semaphore(CONNECTIONS)
        self._numbers = itertools.count()

    async def ask(self, request: Request, due: float) -> Outcome:
        """Send a request that was due at `due`, a value of time.monotonic(). A failed request is not sent again."""
        request_id = f"load-{next(self._numbers)}"
        async with self._free:
            sent = time.monotonic()
            try:
                response = await self._exchange(request.with_id(request_id))
            except OSError:
                response = Response()
        ended = time.monotonic()
        return Outcome(request_id, sent, ended - due, ended, response.status, response.headers)

    def close(self) -> None:
        """Close the idle connections."""
        for connection in self._idle:
            connection.transport.close()

    async def _exchange(self, data: bytes) -> Response:
        connection = await self._connected()
        response = await connection.exchange(data)
        if connection.kept:
            self._idle.append(connection)
        return response

    async def _connected(self) -> "_Connection":
        while self._idle:
            connection = self._idle.pop()
            if not connection.transport.is_closing():
                return connection
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(_Connection, "127.0.0.1", self._port)
        return connection


class _Connection(asyncio.Protocol):
    transport: asyncio.Transport

    def __init__(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._response = Response()
        self._done: asyncio.Future[Response] | None = None

    @property
    def kept(self) -> bool:
        """Whether the connection can take another request."""
        return self._response.headers.get("connection") != "close" and not self.transport.is_closing()

    async def exchange(self, data: bytes) -> Response:
        """Send a request and return its response; raises ConnectionError when the connection ends early."""
        self._response = Response()
        self._done = asyncio.get_running_loop().create_future()
        self.transport.write(data)
        return await self._done

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's transport is no subclass

    def connection_lost(self, exc: Exception | None) -> None:
        if self._done and not self._done.done():
            self._done.set_exception(ConnectionError("the connection ended before the response"))

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._response.headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        self._response.status = self._parser.get_status_code()

    def on_message_complete(self) -> None:
        if self._done and not self._done.done():
            self._done.set_result(self._response)


async def at_rate(client: Client, kinds: list[Request], rate: float, goes_on: Callable[[], bool]) -> list[Outcome]:
    """Send `rate` requests a second in an open loop, cycling through all kinds, while `goes_on`.

    Return when the last response has arrived.
    """
    turns = itertools.cycle(kinds)
    tasks: list[asyncio.Task[Outcome]] = []
    started = time.monotonic()
    while goes_on():
        while (due := started + len(tasks) / rate) <= time.monotonic():
            tasks.append(asyncio.create_task(client.ask(next(turns), due)))
        await asyncio.sleep(0.001)
    return await asyncio.gather(*tasks)


async def one_after_another(client: Client, kinds: list[Request], goes_on: Callable[[], bool]) -> list[Outcome]:
    """Send requests in a closed loop: wait for each response before the next request, while `goes_on`."""
    outcomes: list[Outcome] = []
    for request in itertools.cycle(kinds):
        if not goes_on():
            break
        outcomes.append(await client.ask(request, time.monotonic()))
    return outcomes
