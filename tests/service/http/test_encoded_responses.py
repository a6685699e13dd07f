"""Text is compressed where the client accepts it; images, JSON lines and embedded images stay as they are."""

import gzip
from collections.abc import AsyncIterator

import anyio
import pytest
from fastapi import FastAPI
from httpx import ASGITransport, AsyncClient
from starlette.responses import Response, StreamingResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.http.encoded_responses import UNTOUCHED, EncodedResponses
from tests.service.images import DRAWING

pytestmark = pytest.mark.anyio

LONG = b"few colors " * 100_000  # more than one piece


async def get(app: ASGIApp, **headers: str) -> tuple[bytes, dict[str, str]]:
    """Return the bytes of the response as they were sent, and its headers."""
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    async with (
        AsyncClient(transport=ASGITransport(app), base_url="http://service") as client,
        client.stream("GET", "/", headers={"Accept-Encoding": "identity", **names}) as response,
    ):
        body = b"".join([chunk async for chunk in response.aiter_raw()])
        return body, dict(response.headers)


def text(content: bytes = LONG, **headers: str) -> ASGIApp:
    return EncodedResponses(Response(content, headers=headers, media_type="application/json"))


@pytest.mark.parametrize("path", ["/openapi.json", "/models", "/web/swagger-ui-bundle.js"])
@pytest.mark.parametrize("coding", ["gzip", "br", "zstd"])
async def test_text_is_compressed_and_comes_back(client: AsyncClient, path: str, coding: str) -> None:
    plain = await client.get(path, headers={"Accept-Encoding": "identity"})
    packed = await client.get(path, headers={"Accept-Encoding": coding})

    assert packed.content == plain.content
    assert "content-encoding" not in plain.headers
    assert plain.headers["vary"] == packed.headers["vary"] == "Accept-Encoding"
    assert packed.headers["content-encoding"] == coding
    assert packed.num_bytes_downloaded < len(plain.content) / 2


async def test_a_negotiated_response_varies_by_both_headers(client: AsyncClient) -> None:
    response = await client.get("/benchmark", headers={"Accept": "text/html", "Accept-Encoding": "gzip"})

    assert response.headers["vary"] == "Accept, Accept-Encoding"
    assert response.headers["content-encoding"] == "gzip"


async def test_zstd_is_preferred_and_an_excluded_coding_is_not_used() -> None:
    _, every = await get(text(), accept_encoding="gzip, deflate, br, zstd")
    body, one = await get(text(), accept_encoding="zstd;q=0, br;q=0, *")

    assert every["content-encoding"] == "zstd"
    assert one["content-encoding"] == "gzip" and gzip.decompress(body) == LONG


@pytest.mark.parametrize("size", [1023, 1024, (1 << 18) - 1, 1 << 18, (1 << 18) + 1, 1 << 19])
async def test_no_byte_is_lost_at_the_ends_of_pieces(size: int) -> None:
    content = LONG[:size]
    body, headers = await get(text(content), accept_encoding="gzip")

    assert ("content-encoding" in headers) == (size >= 1024)
    assert (gzip.decompress(body) if size >= 1024 else body) == content


async def test_a_strong_entity_tag_becomes_weak_where_the_bytes_change() -> None:
    _, packed = await get(text(ETag='"tag"'), accept_encoding="gzip")
    _, plain = await get(text(ETag='"tag"'))
    _, weak = await get(text(ETag='W/"tag"'), accept_encoding="gzip")

    assert (packed["etag"], plain["etag"], weak["etag"]) == ('W/"tag"', '"tag"', 'W/"tag"')


@pytest.mark.parametrize(
    ("path", "accept"),
    [
        ("/quantize?method=kmeans", "image/png"),
        ("/compress?method=kmeans", "image/bpg"),
        ("/benchmark?methods=kmeans&colors=2", "image/png"),
        ("/benchmark?methods=kmeans&colors=2", "application/x-ndjson"),
    ],
)
async def test_images_and_lines_stay_as_they_are(client: AsyncClient, path: str, accept: str) -> None:
    headers = {"Accept": accept, "Accept-Encoding": "gzip, br, zstd"}
    response = await client.post(path, content=DRAWING, headers=headers)

    assert response.status_code == 200
    assert "content-encoding" not in response.headers
    assert response.headers["vary"] == "Accept"


async def test_json_that_is_mostly_an_image_stays_as_it_is(client: AsyncClient) -> None:
    headers = {"Accept": "application/json", "Accept-Encoding": "gzip"}
    response = await client.post("/classify", params={"cam": "top"}, content=DRAWING, headers=headers)
    untouched, _ = await get(EncodedResponses(Response(LONG, headers=dict(UNTOUCHED), media_type="application/json")))

    assert "content-encoding" not in response.headers and untouched == LONG
    assert response.headers["cache-control"] == "no-store, no-transform"


async def test_a_stream_of_text_is_not_collected() -> None:
    """The second part is made only after the first one was received."""
    received = anyio.Event()

    async def parts() -> AsyncIterator[bytes]:
        yield LONG
        await received.wait()
        yield LONG

    async def send(message: Message) -> None:
        if message.get("body"):
            received.set()

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    app = EncodedResponses(StreamingResponse(parts(), media_type="application/json"))
    scope = {"type": "http", "method": "GET", "path": "/", "headers": [(b"accept-encoding", b"gzip")]}
    with anyio.fail_after(10):
        await app(scope, receive, send)


async def test_other_scopes_pass(app: FastAPI) -> None:
    seen: list[str] = []

    async def inner(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope["type"])

    async def nothing() -> Message:
        return {}

    async def ignore(message: Message) -> None:
        pass

    await EncodedResponses(inner)({"type": "lifespan"}, nothing, ignore)
    assert seen == ["lifespan"]
