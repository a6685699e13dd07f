"""service/cluster/responses.py: headers of responses behind Ray's servers."""

import httpx
import pytest
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from service.cluster.responses import BehindRay


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    """Respond as the service does."""
    await Response("body", headers={"X-Request-ID": "own", "X-Model": "name"})(scope, receive, send)


async def ask(headers: dict[str, str], *, one_by_one: bool) -> httpx.Response:
    transport = httpx.ASGITransport(BehindRay(application, one_by_one=one_by_one))
    async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
        return await client.post("/", headers=headers)


@pytest.mark.anyio
async def test_ray_alone_names_the_request() -> None:
    response = await ask({}, one_by_one=False)

    assert "x-request-id" not in response.headers
    assert (response.headers["x-model"], response.text) == ("name", "body")


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("headers", "one_by_one", "closed"),
    [
        ({}, False, False),
        ({"Upgrade": "h2c"}, False, True),
        ({}, True, True),
    ],
)
async def test_a_connection_ends_where_its_next_request_is_at_risk(
    headers: dict[str, str], one_by_one: bool, closed: bool
) -> None:
    response = await ask(headers, one_by_one=one_by_one)

    assert (response.headers.get("connection") == "close") is closed


@pytest.mark.anyio
@pytest.mark.parametrize("framing", [{"Content-Length": "4"}, {"Transfer-Encoding": "chunked"}])
async def test_a_body_behind_an_upgrade_is_refused_with_the_remedy(framing: dict[str, str]) -> None:
    response = await ask({"Upgrade": "h2c", "X-Request-ID": "mine", **framing}, one_by_one=False)

    assert (response.status_code, response.json()["type"]) == (400, "urn:colorcnn:problem:malformed-request")
    assert "HTTP_1_1" in response.json()["detail"]
    assert response.json()["instance"].endswith(":mine")
    assert response.headers["connection"] == "close"


@pytest.mark.anyio
async def test_other_scopes_pass_unchanged() -> None:
    scopes: list[str] = []

    async def inner(scope: Scope, receive: Receive, send: Send) -> None:
        scopes.append(scope["type"])

    async def nothing(*_: object) -> None:
        """Send or receive nothing."""

    await BehindRay(inner, one_by_one=True)({"type": "lifespan"}, nothing, nothing)  # type: ignore[arg-type]

    assert scopes == ["lifespan"]
