"""An offer to change the protocol changes nothing: the same requests with the same bodies, however the bytes arrive."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import httptools
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.http.parser import RequestParser

HIDDEN = b"GET /hidden HTTP/1.1\r\nHost: x\r\n\r\n"


@dataclass
class Request:
    method: bytes = b""
    url: bytes = b""
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    body: bytes = b""
    complete: bool = False


class Recorder:
    """Callbacks that record the requests whose heads are complete, and store the current head as uvicorn does."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.parser = RequestParser(self)

    def on_message_begin(self) -> None:
        self.url = b""
        self.headers: list[tuple[bytes, bytes]] = []

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        self.requests.append(Request(self.parser.get_method(), self.url, self.headers))

    def on_body(self, body: bytes) -> None:
        self.requests[-1].body += body

    def on_message_complete(self) -> None:
        self.requests[-1].complete = True


def parsed(*packets: bytes) -> list[Request]:
    recorder = Recorder()
    for packet in packets:
        recorder.parser.feed_data(packet)
    return recorder.requests


OFFERS = (
    b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEAAEAAAAIAAAAA\r\n",
    b"Upgrade: h2c\r\nConnection: keep-alive, upgrade\r\n",
    b"uPGRADE: websocket\r\nCONNECTION: UPGRADE\r\nSec-WebSocket-Version: 13\r\n",
    b"Upgrade: h2c\r\nUpgrade: TLS/1.0, IRC/6.9\r\nConnection: upgrade\r\nConnection: keep-alive\r\n",
    b"Upgrade:\r\nConnection: upgrade\r\n",
    b"Upgrade: h2c\r\n",
    b"Connection: upgrade\r\n",
    b"",
)


def message(offer: bytes, body: bytes | None, chunks: int) -> bytes:
    """A request with an offer and with a body: of a length where `chunks` is 0, else in so many chunks."""
    head = b"POST /path?query HTTP/1.1\r\nHost: x\r\n" + offer
    if body is None:
        return head.replace(b"POST", b"GET", 1) + b"\r\n"
    if not chunks:
        return head + b"Content-Length: %d\r\n\r\n%s" % (len(body), body)
    size = -(-len(body) // chunks) or 1
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    coded = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)
    return head + b"Transfer-Encoding: chunked\r\n\r\n" + coded + b"0\r\n\r\n"


BODIES = st.none() | st.sampled_from([b"", HIDDEN, HIDDEN * 2, b"0\r\n\r\n" + HIDDEN]) | st.binary(max_size=40)


@given(
    st.lists(st.tuples(st.sampled_from(OFFERS), BODIES, st.integers(0, 3)), min_size=1, max_size=4),
    st.lists(st.integers(0, 1000), max_size=6),
)
def test_pipelined_requests_keep_their_bodies_in_any_packets(
    sent: Sequence[tuple[bytes, bytes | None, int]], cuts: list[int]
) -> None:
    data = b"".join(message(*each) for each in sent)
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]

    requests = parsed(*(data[start:end] for start, end in pairwise(edges)))

    assert [request.body for request in requests] == [body or b"" for _, body, _ in sent]
    assert all(request.complete and request.url == b"/path?query" for request in requests)


@pytest.mark.parametrize("offer", OFFERS[:4], ids=lambda offer: offer[:20].decode())
def test_the_application_sees_all_headers_but_the_offer(offer: bytes) -> None:
    data = b"POST / HTTP/1.1\r\nHost: x\r\n" + offer + b"X-A: 1\r\nContent-Length: 0\r\nX-A: 2\r\n\r\n"

    [request] = parsed(data)

    lines = (line.partition(b":") for line in data.split(b"\r\n")[1:-2])
    assert request.headers == [(n.lower(), v.strip()) for n, _, v in lines if n.lower() != b"upgrade"]


@pytest.mark.parametrize(
    "head",
    [
        b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n",
        b"Content-Length: 3\r\nContent-Length: 4\r\n",
        b"Transfer-Encoding: gzip\r\n",
        b"Content-Length: 3 3\r\n",
    ],
)
def test_a_doubtful_length_is_an_error_with_an_offer_too(head: bytes) -> None:
    recorder = Recorder()

    with pytest.raises(httptools.HttpParserError):
        recorder.parser.feed_data(b"POST / HTTP/1.1\r\nHost: x\r\n" + OFFERS[0] + head + b"\r\n" + HIDDEN)

    assert not any(request.complete for request in recorder.requests)


@pytest.mark.parametrize(
    "start",
    [
        b"CONNECT x:443 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"CONNECT x:443 HTTP/1.1\r\nHost: x\r\n" + OFFERS[0] + b"Content-Length: 3\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ],
    ids=["tunnel", "tunnel and offer", "HTTP/2"],
)
def test_another_protocol_without_a_question_is_an_error(start: bytes) -> None:
    recorder = Recorder()

    with pytest.raises(httptools.HttpParserError):
        recorder.parser.feed_data(start + HIDDEN)

    assert recorder.requests == []


def test_an_offer_in_the_trailer_is_no_offer() -> None:
    trailer = (
        b"POST / HTTP/1.1\r\nConnection: upgrade\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nUpgrade: h2c\r\n"
    )

    requests = parsed(trailer + b"Connection: upgrade\r\n\r\n" + HIDDEN)

    assert [request.url for request in requests] == [b"/", b"/hidden"]
