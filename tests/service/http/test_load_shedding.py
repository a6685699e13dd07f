"""Load shedding: an early rejection costs no other work, and is counted like any other response."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from fastapi import FastAPI
from httpx import AsyncClient

from service.settings import Settings
from tests.service.clients import fake_app, problem, ready, samples, value
from tests.service.fakes import FakeEngine
from tests.service.images import PHOTO

pytestmark = pytest.mark.anyio

PATHS = ("/quantize", "/classify")


@pytest.fixture
def full(app: FastAPI, settings: Settings) -> Iterator[None]:
    """Fill the queue of /quantize and /classify."""
    admission = app.state.service.pipeline.admission
    with ExitStack() as requests:
        for _ in range(settings.queue_size):
            requests.enter_context(admission.admit())
        yield


@pytest.mark.usefixtures("full")
@pytest.mark.parametrize("path", PATHS)
async def test_an_early_rejection_is_counted_for_its_path(client: AsyncClient, path: str) -> None:
    refused = await client.post(path, content=PHOTO)
    scraped = await samples(client)

    assert problem(refused) == (503, "queue-full")
    assert refused.headers["retry-after"] == "2" and refused.headers["x-request-id"] in refused.json()["instance"]
    assert value(scraped, "requests_total", path=path, method="POST", status="503") == 1
    assert value(scraped, "rejects_total", reason="queue-full") == 1


@pytest.mark.usefixtures("full")
async def test_other_requests_pass(client: AsyncClient) -> None:
    responses = [
        await client.get("/quantize"),
        await client.post("/nothing"),
        await client.post("/compress", content=b"no image"),
        await client.get("/models"),
    ]

    assert [response.status_code for response in responses] == [405, 404, 400, 200]


async def test_an_early_rejection_comes_before_the_access_checks(engine: FakeEngine) -> None:
    app = fake_app(Settings.model_validate({"api_keys": "long-enough-01234"}), engine)
    async with ready(app) as client:
        before = await client.post("/quantize", content=PHOTO)
        app.state.service.drain()
        after = await client.post("/quantize", content=PHOTO)

    assert [problem(response) for response in (before, after)] == [(401, "unauthorized"), (503, "not-ready")]
