"""A client that offers another protocol cannot smuggle a request: over raw sockets, directly and through HAProxy."""

import os
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator

import pytest

from tests.service.images import PHOTO
from tests.service.processes import ROOT, Server, free_port, serving

OFFERS = {
    "Java": b"Connection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA\r\n"
    b"Upgrade: h2c\r\n",
    "curl": b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n",
    "web socket": b"Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
    "unknown": b"Upgrade: IRC/6.9\r\nUpgrade: RTA/x11\r\nConnection: upgrade\r\n",
}
POST = b"POST /quantize?colors=2 HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\n"
FIRST = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
LAST = b"GET /nowhere HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
HIDDEN = b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving("tests.service.fake_server", tmp_path_factory.mktemp("server") / "log") as server:
        server.wait_until_ready()
        yield server


@pytest.fixture(scope="module", params=["directly", "HAProxy"])
def port(request: pytest.FixtureRequest, bare: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Port of the service, or of HAProxy in front of it with the configuration of deploy/."""
    if request.param == "directly":
        yield bare.port
        return
    program = shutil.which("haproxy", path=os.pathsep.join([os.environ["PATH"], "/usr/sbin"]))
    if program is None:
        pytest.skip("haproxy is not installed")
    port, file = free_port(), tmp_path_factory.mktemp("proxy") / "haproxy.cfg"
    file.write_text(configuration(port, bare.port))
    with subprocess.Popen([program, "-db", "-q", "-f", str(file)], stdout=subprocess.DEVNULL) as process:
        proxy = Server(process, port, file)
        proxy.wait_until_ready()
        yield port
        process.terminate()


def configuration(port: int, service: int) -> str:
    """deploy/haproxy.cfg for one replica on loopback."""
    text = (ROOT / "deploy" / "haproxy.cfg").read_text()
    for pattern, replacement in (
        (r"bind :8080", f"bind 127.0.0.1:{port}"),
        (r"server-template api .*", f"server api 127.0.0.1:{service}"),
        (r" resolvers engine.*", ""),
        (r"resolvers engine(\n    .*)*", ""),
    ):
        text, count = re.subn(pattern, replacement, text)
        assert count == 1, pattern
    return text


def chunked(body: bytes) -> bytes:
    middle = len(body) // 2
    pieces = [body[:middle], body[middle:]]
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


def framed(framing: str, body: bytes) -> tuple[bytes, bytes]:
    """Return the lines of the head that announce a body, and the body as it is sent."""
    if framing == "length":
        return b"Content-Length: %d\r\n\r\n" % len(body), body
    return b"Transfer-Encoding: chunked\r\n\r\n", chunked(body)


class Conversation:
    """One connection."""

    def __init__(self, port: int) -> None:
        self._connection = socket.create_connection(("127.0.0.1", port), timeout=30)
        self._received = b""

    def say(self, data: bytes) -> None:
        self._connection.sendall(data)

    def wait_for(self, text: bytes) -> None:
        """Return when the other side has sent `text`. A packet sent next arrives after all that caused the text."""
        while text not in self._received:
            more = self._connection.recv(1 << 16)
            assert more, self._received
            self._received += more

    def statuses(self) -> list[int]:
        """Read until the other side closes; return the status of each response on this connection, in order."""
        with self._connection:
            while more := self._connection.recv(1 << 16):
                self._received += more
        return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", self._received)]


@pytest.mark.parametrize("offer", OFFERS)
@pytest.mark.parametrize("framing", ["length", "chunked"])
@pytest.mark.parametrize("packets", ["one packet", "later packet"])
@pytest.mark.parametrize(("body", "status"), [(PHOTO, 200), (HIDDEN, 400)], ids=["image", "hidden request"])
def test_an_upload_with_an_offer_is_answered_and_nothing_in_it(
    port: int, offer: str, framing: str, packets: str, body: bytes, status: int
) -> None:
    """The first request ensures that the head of the second was read before the body is sent."""
    lines, sent = framed(framing, body)
    conversation = Conversation(port)

    conversation.say(FIRST + POST + OFFERS[offer] + lines + (sent if packets == "one packet" else b""))
    conversation.wait_for(b" 200 OK")
    conversation.say(LAST if packets == "one packet" else sent + LAST)

    assert conversation.statuses() == [200, status, 404]


@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_requests_after_an_upload_with_an_offer_are_answered_in_order(port: int, framing: str) -> None:
    lines, sent = framed(framing, PHOTO)
    conversation = Conversation(port)

    conversation.say((POST + OFFERS["Java"] + lines + sent + FIRST) * 2 + LAST)

    assert conversation.statuses() == [200, 200, 200, 200, 404]


@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_a_client_that_offers_and_waits_is_told_to_continue(port: int, framing: str) -> None:
    """`curl --http2` sends both headers with a large upload."""
    lines, sent = framed(framing, PHOTO)
    conversation = Conversation(port)

    conversation.say(POST + b"Expect: 100-continue\r\n" + OFFERS["curl"] + lines)
    conversation.wait_for(b" 100 Continue\r\n\r\n")
    conversation.say(sent + LAST)

    assert conversation.statuses() == [100, 200, 404]


def test_a_request_without_a_body_keeps_its_connection(port: int) -> None:
    conversation = Conversation(port)

    conversation.say(FIRST.replace(b"\r\n\r\n", b"\r\n" + OFFERS["Java"] + b"\r\n") + FIRST)
    conversation.wait_for(b" 200 OK")
    conversation.say(LAST)

    assert conversation.statuses() == [200, 200, 404]


@pytest.mark.parametrize(
    "start",
    [
        POST + OFFERS["Java"] + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
        POST + OFFERS["Java"] + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabc",
        POST + OFFERS["Java"] + b"Transfer-Encoding: identity\r\n\r\n",
        POST + OFFERS["Java"] + b"Transfer-Encoding: chunked\r\n\r\nno chunk\r\n",
        b"CONNECT x:443 HTTP/1.1\r\nHost: x:443\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ],
    ids=["length and chunks", "two lengths", "no last chunk", "no chunk", "tunnel", "HTTP/2"],
)
def test_after_a_doubtful_start_nothing_on_the_connection_is_answered(bare: Server, start: bytes) -> None:
    """HAProxy answers these itself, some of them as valid requests."""
    conversation = Conversation(bare.port)

    conversation.say(start + HIDDEN + LAST)

    assert conversation.statuses() == [400]
