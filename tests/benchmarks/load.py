"""A load of requests over keep-alive connections, by a client that costs little beside what it measures.

It sends bytes that were made once and looks at no more of an answer than its status and where it ends.
"""

import asyncio
import time
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from typing import cast

import uvloop

_END_OF_HEAD = b"\r\n\r\n"
_LENGTH = b"content-length: "
_OK = f"HTTP/1.1 {HTTPStatus.OK.value} ".encode()


@dataclass
class _Connection(asyncio.Protocol):
    """Sends the same request again as soon as it is answered, until `end`, in seconds of `perf_counter`.

    milliseconds: of each answer. done: settled by the first answer after the end, or by whatever is no 200.
    """

    request: bytes
    end: float
    milliseconds: list[float]
    done: asyncio.Future[None]
    _received: bytearray = field(default_factory=bytearray)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._ask()

    def data_received(self, data: bytes) -> None:
        self._received += data
        head_end = self._received.find(_END_OF_HEAD)
        if head_end < 0:
            return
        at = self._received.index(_LENGTH, 0, head_end + 2) + len(_LENGTH)
        length = int(self._received[at : self._received.index(b"\r", at)])
        if len(self._received) == head_end + len(_END_OF_HEAD) + length:
            self._answered()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(exc or ConnectionError("the server closed the connection"))

    def _ask(self) -> None:
        self._received.clear()
        self._asked = time.perf_counter()
        self._transport.write(self.request)

    def _answered(self) -> None:
        if not self._received.startswith(_OK):
            self.done.set_exception(RuntimeError(bytes(self._received).decode("latin-1")))
            self._transport.close()
            return
        now = time.perf_counter()
        self.milliseconds.append(1000 * (now - self._asked))
        if now < self.end:
            self._ask()
        else:
            self.done.set_result(None)
            self._transport.close()


def saturate(port: int, request: bytes, clients: int, seconds: float) -> tuple[list[float], float]:
    """Milliseconds of each answer, and seconds until the last one, of so many clients that ask for so many seconds.

    All of them want the same of loopback's `port`. Raises RuntimeError for an answer that is no 200, with its text.
    """
    return uvloop.run(_saturate(port, request, clients, seconds))


async def _saturate(port: int, request: bytes, clients: int, seconds: float) -> tuple[list[float], float]:
    loop = asyncio.get_running_loop()
    milliseconds: list[float] = []
    started = time.perf_counter()
    waits = [loop.create_future() for _ in range(clients)]
    for done in waits:
        connection = partial(_Connection, request, started + seconds, milliseconds, done)
        await loop.create_connection(connection, "127.0.0.1", port)
    await asyncio.gather(*waits)
    return milliseconds, time.perf_counter() - started
