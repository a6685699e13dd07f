"""API keys and the rate limit: protected paths, open paths, and the details of a rejection."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest
from httpx import AsyncClient

from service.http.rate_limit import address_group
from service.settings import Settings
from tests.service.clients import fake_app, problem, ready
from tests.service.fakes import FakeEngine
from tests.service.images import PHOTO

pytestmark = pytest.mark.anyio

OLD, NEW = "old-key-0123456789", "new-key-0123456789"
OPEN = ["/healthz", "/readyz", "/docs", "/openapi.json"]
OPEN += ["/v2/health/live", "/v2/health/ready", "/v2/models/second/ready"]
PROTECTED = ["/models", "/benchmark", "/metrics", "/v2", "/v2/models", "/v2/models/second"]
POSTED = ["/v2/models/second/infer", "/quantize", "/classify", "/compress", "/benchmark"]

Client = Callable[..., AbstractAsyncContextManager[AsyncClient]]


@pytest.fixture
def serve(engine: FakeEngine) -> Client:
    """Return a function that yields a client at an address, of an application with the given settings."""

    @asynccontextmanager
    async def client(address: str = "192.0.2.1", **changes: Any) -> AsyncIterator[AsyncClient]:
        async with ready(fake_app(Settings(**changes), engine), address) as one:
            yield one

    return client


async def test_without_keys_every_path_is_open(client: AsyncClient) -> None:
    assert {(await client.get(path)).status_code for path in OPEN + PROTECTED} == {200}


async def test_keys_protect_all_but_the_probes_and_the_api_description(serve: Client) -> None:
    async with serve(api_keys=NEW) as client:
        opened = [await client.get(path) for path in OPEN]
        refused = [await client.get(path) for path in PROTECTED]
        refused += [await client.head(path) for path in PROTECTED]
        refused += [await client.post(path, content=b"x") for path in POSTED]
        paths = (await client.get("/openapi.json")).json()["paths"]

    assert {response.status_code for response in opened} == {200}
    assert {response.status_code for response in refused} == {401}
    assert {response.headers["www-authenticate"] for response in refused} == {"Bearer"}
    assert problem(refused[-1]) == (401, "unauthorized")
    known = {*OPEN, *PROTECTED, *POSTED}
    assert known >= {path.replace("{model}", "second") for path in paths}  # none is missing above


@pytest.mark.parametrize("key", [OLD, NEW])
@pytest.mark.parametrize("name", ["Authorization", "X-API-Key"])
async def test_each_key_is_accepted_in_each_header(serve: Client, name: str, key: str) -> None:
    async with serve(api_keys=f"{OLD},{NEW}") as client:
        headers = {name: f"bearer {key}" if name == "Authorization" else key}
        responses = [
            await client.get("/models", headers=headers),
            await client.post("/quantize", content=PHOTO, headers=headers),
        ]

    assert [response.status_code for response in responses] == [200, 200]


@pytest.mark.parametrize("key", [OLD[:-1], OLD + "x", f"{OLD},{NEW}", "", " ", "é" * 20, "x" * 5000])
async def test_another_key_is_rejected(serve: Client, key: str) -> None:
    async with serve(api_keys=f"{OLD},{NEW}") as client:
        responses = [
            await client.get("/models", headers={b"Authorization": f"Bearer {key}".encode()}),
            await client.get("/models", headers={b"X-API-Key": key.encode()}),
            await client.get("/models", headers={b"Authorization": f"Basic {OLD}".encode()}),
        ]

    assert [problem(response) for response in responses] == [(401, "unauthorized")] * 3
    if key.strip():
        assert responses[1].headers["www-authenticate"] == 'Bearer error="invalid_token"'
    assert not any(part in response.text for response in responses for part in (OLD, NEW))


async def test_an_unauthorized_upload_is_not_read(serve: Client) -> None:
    read: list[bytes] = []

    async def body() -> AsyncIterator[bytes]:
        read.append(PHOTO)
        yield PHOTO

    async with serve(api_keys=NEW) as client:
        response = await client.post("/quantize", content=body())
        counted = (await client.get("/metrics", headers={"X-API-Key": NEW})).text

    assert response.status_code == 401
    assert 'colorcnn_upload_bytes_total{path="/quantize"} 0.0' in counted


async def test_openapi_describes_how_to_send_a_key(serve: Client) -> None:
    async with serve(api_keys=NEW, rate_limit=60) as client:
        document = (await client.get("/openapi.json")).json()

    operation = document["paths"]["/quantize"]["post"]
    assert operation["security"] == [{"bearer": []}, {"apiKey": []}]  # either is enough
    assert document["components"]["securitySchemes"].keys() == {"bearer", "apiKey"}
    assert "WWW-Authenticate" in operation["responses"]["401"]["headers"]
    assert "Retry-After" in operation["responses"]["429"]["headers"]
    assert "security" not in document["paths"]["/healthz"]["get"]


async def test_openapi_has_no_security_without_keys_and_limit(client: AsyncClient) -> None:
    document = (await client.get("/openapi.json")).json()

    assert "securitySchemes" not in document["components"]
    assert not {"401", "429"} & document["paths"]["/quantize"]["post"]["responses"].keys()


async def test_a_client_over_the_limit_gets_the_time_to_wait(serve: Client) -> None:
    async with serve(rate_limit=1, rate_burst=2) as client:
        statuses = [(await client.get("/models")).status_code for _ in range(2)]
        refused = await client.post("/quantize", content=PHOTO)
        probe = await client.get("/readyz")

    assert statuses == [200, 200]
    assert problem(refused) == (429, "rate-limited")
    assert 50 <= int(refused.headers["retry-after"]) <= 60  # its last request was seconds ago at most
    assert probe.status_code == 200


async def test_each_key_has_a_limit_that_unauthorized_requests_do_not_use_up(serve: Client) -> None:
    async with serve(api_keys=f"{OLD},{NEW}", rate_limit=1, rate_burst=1) as client:
        statuses = [
            (await client.get("/models", headers={"X-API-Key": key})).status_code
            for key in ("wrong", "wrong", OLD, OLD, NEW, NEW)
        ]

    assert statuses == [401, 401, 200, 429, 200, 429]


@pytest.mark.parametrize(("origin", "allowed"), [("https://ours.example", True), ("https://other.example", False)])
async def test_only_pages_of_allowed_origins_may_send_requests(serve: Client, origin: str, allowed: bool) -> None:
    """The preflight of a browser has no key; the request after it needs one."""
    asked = {"Origin": origin, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "x-api-key"}
    async with serve(api_keys=NEW, cors_origins="https://ours.example,http://localhost:3000") as client:
        preflight = await client.options("/quantize", headers=asked)
        response = await client.post("/quantize", content=PHOTO, headers={"Origin": origin, "X-API-Key": NEW})
        unauthorized = await client.post("/quantize", content=PHOTO, headers={"Origin": origin})

    assert preflight.is_success is allowed
    for each in (preflight, response, unauthorized):
        assert each.headers.get("access-control-allow-origin") == (origin if allowed else None)
    assert (response.status_code, unauthorized.status_code) == (200, 401)


def test_an_ipv6_client_counts_by_its_network() -> None:
    assert address_group("2001:db8:1:2:3:4:5:6") == address_group("2001:db8:1:2::9") == "2001:db8:1:2::/64"
    assert address_group("2001:db8:1:3::9") != address_group("2001:db8:1:2::9")
    assert address_group("::ffff:192.0.2.1") != address_group("::ffff:192.0.2.2")
    assert address_group("192.0.2.1") == "192.0.2.1"
    assert address_group("a unix socket") == "a unix socket"
