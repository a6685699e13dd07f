"""Limits of the head of a request, in the protocol that uvicorn runs for each connection."""

import json
from collections.abc import Callable, Coroutine
from typing import Any
from unittest.mock import Mock

import pytest
import uvicorn
from hypothesis import given
from hypothesis import strategies as st
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from service.http.headers import SECURITY_HEADERS
from service.http.protocol import limited_protocol

TIMEOUT = 7.0
MOST = 1024
GET = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
POST = b"POST /quantize HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"


class Connection:
    """Protocol with a transport and a loop that record their calls. started: requests that reached the application."""

    def __init__(self) -> None:
        self.started = 0
        self.timers: list[tuple[float, Callable[[], None], Mock]] = []
        self.transport = Mock()
        self.transport.get_extra_info.return_value = None
        self.transport.is_closing.side_effect = lambda: self.transport.close.called
        config = uvicorn.Config(Mock(), log_config=None, ws="none", lifespan="off")
        self.protocol: HttpToolsProtocol = limited_protocol(TIMEOUT, MOST)(
            config, ServerState(), {}, _loop=self._loop()
        )
        self.protocol.connection_made(self.transport)

    def send(self, *pieces: bytes) -> None:
        for piece in pieces:
            if not self.closed:
                self.protocol.data_received(piece)

    @property
    def closed(self) -> bool:
        return bool(self.transport.close.called)

    @property
    def clocks(self) -> list[float]:
        """Seconds of the running timers."""
        return [seconds for seconds, _, handle in self.timers if not handle.cancel.called]

    def let_time_pass(self) -> None:
        """Fire every running timer."""
        for _, ring, handle in self.timers:
            if not handle.cancel.called:
                ring()

    def response(self) -> tuple[bytes, dict[str, str], dict[str, Any]]:
        """Return the status line, the headers and the problem of the response."""
        [call] = self.transport.write.call_args_list
        head, _, body = call.args[0].partition(b"\r\n\r\n")
        status, *lines = head.split(b"\r\n")
        return status, dict(line.decode().split(": ", 1) for line in lines), json.loads(body)

    def _loop(self) -> Mock:
        def call_later(seconds: float, ring: Callable[[], None]) -> Mock:
            self.timers.append((seconds, ring, Mock()))
            return self.timers[-1][2]

        def create_task(coroutine: Coroutine[Any, Any, None]) -> Mock:
            coroutine.close()
            self.started += 1
            return Mock()

        return Mock(call_later=call_later, create_task=create_task)


def test_a_complete_head_stops_the_timer() -> None:
    connection = Connection()
    waiting = connection.clocks
    connection.send(GET[:9], GET[9:])

    assert (waiting, connection.clocks) == ([TIMEOUT], [])
    assert connection.started == 1


@pytest.mark.parametrize("sent", [[], [b"\r\n"], [GET[:9]], [GET[index : index + 1] for index in range(20)]])
def test_a_head_that_does_not_end_closes_the_connection(sent: list[bytes]) -> None:
    """A further byte does not restart the clock."""
    connection = Connection()
    connection.send(*sent)
    running = len(connection.timers)
    connection.let_time_pass()

    assert running == 1
    assert connection.closed and not connection.started


def test_the_timer_restarts_at_the_first_byte_of_the_next_head() -> None:
    connection = Connection()
    connection.send(GET)
    between = connection.clocks
    connection.send(GET[:3])

    assert (between, connection.clocks) == ([], [TIMEOUT])


def test_the_application_limits_the_time_of_a_body() -> None:
    connection = Connection()
    connection.send(POST, b"5\r\nhello\r\n")

    assert connection.clocks == []


def test_a_body_that_continues_after_the_response_is_cut_off() -> None:
    connection = Connection()
    connection.send(POST)
    connection.protocol.cycle.response_complete = True
    connection.protocol.on_response_complete()
    connection.send(b"1\r\nx\r\n")

    assert TIMEOUT in connection.clocks


def test_a_response_cuts_off_no_pipelined_upload() -> None:
    connection = Connection()
    connection.send(GET)
    first = connection.protocol.cycle
    connection.send(POST, b"5\r\nhello\r\n")
    first.response_complete = True
    connection.protocol.on_response_complete()

    assert TIMEOUT not in connection.clocks


def header(size: int) -> bytes:
    """Return a header line of so many bytes."""
    return b"X-Filler: " + b"x" * (size - 12) + b"\r\n"


FILLED = len(b"/healthz" + b"Host: x\r\n")


def test_the_largest_head_is_accepted_and_one_byte_more_is_rejected() -> None:
    fits, exceeds = (GET[:-2] + header(MOST - FILLED + more) + b"\r\n" for more in (0, 1))
    good, bad = Connection(), Connection()
    good.send(fits)
    bad.send(exceeds)

    assert (good.started, good.closed) == (1, False)
    assert (bad.started, bad.closed) == (0, True)
    assert bad.response()[0] == b"HTTP/1.1 431 Request Header Fields Too Large"


@pytest.mark.parametrize(
    "pieces",
    [
        [GET[:-2], *[header(100)] * 50],
        [GET[:-2], b"X: ", *[b"x" * 100] * 50],
        [b"GET /", *[b"x" * 100] * 50],
        [POST, b"0\r\n", *[header(100)] * 50],
        [POST, b"0\r\nX: ", *[b"x" * 100] * 50],
        [POST, b"1;", *[b"x" * 100] * 50],
        [GET, GET, GET[:-2], *[header(100)] * 50],
    ],
    ids=["lines", "one line", "path", "trailer", "one line of trailer", "extension of a chunk", "third request"],
)
def test_a_head_above_the_limit_is_rejected(pieces: list[bytes]) -> None:
    connection = Connection()
    connection.send(*pieces)

    status, headers, problem = connection.response()
    assert connection.closed
    assert status == b"HTTP/1.1 431 Request Header Fields Too Large"
    assert (problem["type"], problem["status"]) == ("urn:colorcnn:problem:head-too-large", 431)
    assert headers["content-type"] == "application/problem+json"


def test_each_request_has_the_whole_limit() -> None:
    connection = Connection()
    connection.send(*[GET] * (2 * MOST // FILLED))

    assert not connection.closed


def test_bytes_that_are_not_http_are_a_problem() -> None:
    connection = Connection()
    connection.send(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")

    status, headers, problem = connection.response()
    assert connection.closed
    assert status == b"HTTP/1.1 400 Bad Request"
    assert problem["type"] == "urn:colorcnn:problem:malformed-request"
    assert problem["instance"] == f"urn:colorcnn:request:{headers['x-request-id']}"
    assert {name.lower() for name in SECURITY_HEADERS} <= headers.keys() and headers["connection"] == "close"


@given(st.lists(st.integers(1, 4000), max_size=20))
def test_the_number_of_body_pieces_is_not_limited(sizes: list[int]) -> None:
    connection = Connection()
    body = b"".join(b"%x\r\n%s\r\n" % (size, b"x" * size) for size in sizes)
    connection.send(POST, *(body[at : at + 700] for at in range(0, len(body), 700)), b"0\r\n\r\n")

    assert not connection.closed
    assert len(connection.protocol.cycle.body) == sum(sizes)


def test_nothing_is_written_once_the_transport_closes() -> None:
    """uvloop would raise an error, before uvicorn hears of the end of the connection."""
    connection = Connection()
    connection.protocol.transport.write(b"before")
    connection.transport.close()
    connection.protocol.transport.write(b"after")
    assert [call.args for call in connection.transport.write.call_args_list] == [(b"before",)]
