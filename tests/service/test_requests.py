"""Request ids and the access log."""

import logging

import pytest
from httpx import AsyncClient

from tests.service.images import DRAWING

pytestmark = pytest.mark.anyio


async def test_the_id_that_came_in_goes_out(client: AsyncClient) -> None:
    response = await client.get("/models", headers={"X-Request-ID": "Abc-1.2_3~"})

    assert response.headers["x-request-id"] == "Abc-1.2_3~"


async def test_a_new_id_for_each_request_without_one(client: AsyncClient) -> None:
    ids = {(await client.get("/models")).headers["x-request-id"] for _ in range(3)}

    assert len(ids) == 3 and "" not in ids


@pytest.mark.parametrize("given", ["", "a b", "x" * 129, "a\tb", "<script>", "é", 'a";b'])
async def test_an_id_that_could_do_harm_is_replaced(client: AsyncClient, given: str) -> None:
    response = await client.get("/models", headers={b"X-Request-ID": given.encode()})

    assert response.headers["x-request-id"].isalnum()
    assert response.headers["x-request-id"] != given


async def test_one_line_for_each_request(client: AsyncClient, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "colorcnn.access"):
        response = await client.post("/quantize?colors=2", content=DRAWING, headers={"X-Request-ID": "the-id"})

    [line] = [record.message for record in caplog.records if record.name == "colorcnn.access"]
    fields = dict(part.split("=", 1) for part in line.split())
    assert (fields["method"], fields["path"], fields["status"]) == ("POST", "/quantize", "200")
    assert (fields["bytes_in"], fields["bytes_out"]) == (str(len(DRAWING)), str(len(response.content)))
    assert fields["request_id"] == "the-id"
    assert float(fields["ms"]) > 0


async def test_head_sends_no_bytes(client: AsyncClient, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "colorcnn.access"):
        await client.head("/models")

    [line] = [record.message for record in caplog.records if record.name == "colorcnn.access"]
    assert "method=HEAD path=/models status=200" in line
    assert "bytes_out=0 " in line


async def test_a_path_cannot_forge_a_line(client: AsyncClient, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "colorcnn.access"):
        await client.get("/x%0Astatus=200 path=/forged")

    [line] = [record.message for record in caplog.records if record.name == "colorcnn.access"]
    assert "\n" not in line
    assert "path=/x%0Astatus%3D200%20path%3D/forged status=404" in line


async def test_probes_do_not_fill_the_log(client: AsyncClient, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "colorcnn.access"):
        await client.get("/healthz")
        await client.get("/readyz")

    assert not [record for record in caplog.records if record.name == "colorcnn.access"]
