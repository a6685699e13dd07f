"""A client that costs little beside the server that it loads: HTTP/1.1, one request at a time on a kept connection."""

import asyncio
import itertools
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import cast

import httptools

CONNECTIONS = 400
"""Most connections at a time; who finds none free waits, and the wait counts."""


@dataclass(frozen=True)
class Request:
    """A request that can be sent again and again."""

    method: str
    path: str
    body: bytes = b""
    content_type: str = "application/octet-stream"

    def with_id(self, request_id: str) -> bytes:
        """Its bytes, with an X-Request-ID of ASCII."""
        head = f"{self.method} {self.path} HTTP/1.1\r\nHost: service\r\nX-Request-ID: {request_id}\r\n"
        head += f"Content-Type: {self.content_type}\r\n" if self.body else ""
        return f"{head}Content-Length: {len(self.body)}\r\n\r\n".encode() + self.body


@dataclass
class Answer:
    """What came back; header names are in lower case."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """What became of one request.

    sent: when there was room for its connection, in seconds of time.monotonic. ended: when its whole answer had come,
    or it was clear that none would. seconds: until then, from when it was to be sent. status: 0 where the connection
    was refused or ended first.
    """

    request_id: str
    sent: float
    seconds: float
    ended: float
    status: int
    headers: Mapping[str, str]


class Client:
    """Sends requests to a port of loopback on at most `CONNECTIONS` connections, the one used last first."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._idle: list[_Connection] = []
        self._pixel_budget = asyncio.Semaphore(CONNECTIONS)
        self._numbers = itertools.count()

    async def ask(self, request: Request, due: float) -> Outcome:
        """Send a request that was due some time ago. Nothing is sent twice, whatever becomes of it."""
        request_id = f"load-{next(self._numbers)}"
        async with self._pixel_budget:
            sent = time.monotonic()
            try:
                response = await self._exchange(request.with_id(request_id))
            except OSError:
                response = Answer()
        ended = time.monotonic()
        return Outcome(request_id, sent, ended - due, ended, response.status, response.headers)

    def close(self) -> None:
        """Close the connections that are kept."""
        for connection in self._idle:
            connection.transport.close()

    async def _exchange(self, data: bytes) -> Answer:
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
        self._respond = Answer()
        self._done: asyncio.Future[Answer] | None = None

    @property
    def kept(self) -> bool:
        """Whether another request may be sent."""
        return self._respond.headers.get("connection") != "close" and not self.transport.is_closing()

    async def exchange(self, data: bytes) -> Answer:
        """The answer to a request; raises ConnectionError when the connection ends before it."""
        self._respond = Answer()
        self._done = asyncio.get_running_loop().create_future()
        self.transport.write(data)
        return await self._done

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is none by its class

    def connection_lost(self, exc: Exception | None) -> None:
        if self._done and not self._done.done():
            self._done.set_exception(ConnectionError("ended before the answer"))

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._respond.headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        self._respond.status = self._parser.get_status_code()

    def on_message_complete(self) -> None:
        if self._done and not self._done.done():
            self._done.set_result(self._respond)


async def at_rate(client: Client, kinds: list[Request], rate: float, goes_on: Callable[[], bool]) -> list[Outcome]:
    """Offer `rate` requests a second, in turns of all kinds, however the server is: open loop.

    What is still under way when it no longer `goes_on` is waited for.
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
    """The requests of one client that waits for each answer before it asks again: closed loop."""
    outcomes: list[Outcome] = []
    for request in itertools.cycle(kinds):
        if not goes_on():
            break
        outcomes.append(await client.ask(request, time.monotonic()))
    return outcomes
