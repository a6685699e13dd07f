"""The outermost middleware: request ids, access log, and the headers of every response."""

import logging
import re

import pytest
from httpx import AsyncClient

from tests.service.images import DRAWING

pytestmark = pytest.mark.anyio


async def test_the_response_has_the_id_of_the_request(client: AsyncClient) -> None:
    response = await client.get("/models", headers={"X-Request-ID": "Abc-1.2_3~"})

    assert response.headers["x-request-id"] == "Abc-1.2_3~"


async def test_each_request_without_an_id_gets_a_new_one(client: AsyncClient) -> None:
    ids = {(await client.get("/models")).headers["x-request-id"] for _ in range(3)}

    assert len(ids) == 3 and "" not in ids


@pytest.mark.parametrize("given", ["", "a b", "x" * 129, "a\tb", "<script>", "é", 'a";b'])
async def test_an_unsafe_request_id_is_replaced(client: AsyncClient, given: str) -> None:
    response = await client.get("/models", headers={b"X-Request-ID": given.encode()})

    assert response.headers["x-request-id"].isalnum()
    assert response.headers["x-request-id"] != given


async def test_each_request_writes_one_log_line(client: AsyncClient, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "colorcnn.access"):
        response = await client.post("/quantize?colors=2", content=DRAWING, headers={"X-Request-ID": "the-id"})

    [line] = [record.message for record in caplog.records if record.name == "colorcnn.access"]
    fields = dict(part.split("=", 1) for part in line.split())
    assert (fields["method"], fields["path"], fields["status"]) == ("POST", "/quantize", "200")
    assert (fields["bytes_in"], fields["bytes_out"]) == (str(len(DRAWING)), str(len(response.content)))
    assert fields["request_id"] == "the-id"
    assert float(fields["seconds"]) > 0


async def test_head_sends_no_bytes(client: AsyncClient, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "colorcnn.access"):
        await client.head("/models")

    [line] = [record.message for record in caplog.records if record.name == "colorcnn.access"]
    assert "method=HEAD path=/models status=200" in line
    assert "bytes_out=0 " in line


async def test_a_path_cannot_forge_a_log_line(client: AsyncClient, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "colorcnn.access"):
        await client.get("/x%0Astatus=200 path=/forged")

    [line] = [record.message for record in caplog.records if record.name == "colorcnn.access"]
    assert "\n" not in line
    assert "path=/x%0Astatus%3D200%20path%3D/forged status=404" in line


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/models"), ("POST", "/quantize"), ("GET", "/nothing"), ("DELETE", "/models"), ("GET", "/docs")],
)
async def test_every_response_has_security_headers(client: AsyncClient, method: str, path: str) -> None:
    headers = (await client.request(method, path)).headers

    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["cache-control"] == ("no-cache" if path == "/docs" else "no-store")
    assert headers["referrer-policy"] == "no-referrer"
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "access-control-allow-origin" not in headers


@pytest.mark.parametrize(("method", "path"), [("GET", "/healthz"), ("GET", "/nothing"), ("POST", "/quantize")])
async def test_every_response_has_its_total_time(client: AsyncClient, method: str, path: str) -> None:
    response = await client.request(method, path, content=b"no image" if method == "POST" else None)

    assert re.fullmatch(r"total;dur=\d+\.\d", response.headers["server-timing"])


async def test_pages_keep_their_own_policy(client: AsyncClient) -> None:
    results = await client.get("/benchmark", headers={"Accept": "text/html"})
    assert results.headers.get_list("content-security-policy") == [
        "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    ]


async def test_probes_do_not_fill_the_log(client: AsyncClient, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "colorcnn.access"):
        await client.get("/healthz")
        await client.get("/readyz")
        await client.get("/metrics")

    assert not [record for record in caplog.records if record.name == "colorcnn.access"]


async def test_an_id_of_128_characters_is_kept(client: AsyncClient) -> None:
    response = await client.get("/models", headers={"X-Request-ID": "x" * 128})

    assert response.headers["x-request-id"] == "x" * 128


@pytest.mark.parametrize("length", [200, 201, 5000])
async def test_the_log_has_200_characters_of_a_path(
    client: AsyncClient, caplog: pytest.LogCaptureFixture, length: int
) -> None:
    with caplog.at_level(logging.INFO, "colorcnn.access"):
        await client.get("/" + "x" * (length - 1))

    [line] = [record.message for record in caplog.records if record.name == "colorcnn.access"]
    assert f"path=/{'x' * 199} status=404" in line


async def test_a_path_with_a_route_is_logged_whole_by_its_template(
    client: AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "colorcnn.access"):
        await client.post("/quantize", content=b"no image", headers={"X-Request-ID": "bad"})

    [line] = [record.message for record in caplog.records if record.name == "colorcnn.access"]
    assert "path=/quantize status=400" in line and "problem=bad-image request_id=bad" in line
