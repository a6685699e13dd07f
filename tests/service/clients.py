"""Applications around the fake engine, clients that talk to them over ASGI, and checks of the responses."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

import anyio
from fastapi import FastAPI
from httpx import ASGITransport, AsyncClient, Response
from prometheus_client.parser import text_string_to_metric_families
from starlette.types import Message

from models.rgb import Pixels
from service.app import create_app
from service.benchmark.queue import Benchmarks
from service.inference.device import Device
from service.lifecycle import Phase, Service
from service.runtime.worker_process import Run
from service.settings import Settings
from tests.service.fake_loader import FakeLoader
from tests.service.fakes import FakeEngine, in_thread
from tests.service.images import DRAWING, PHOTO, encoded
from tests.service.waiting import PATIENCE, until

Samples = Mapping[tuple[str, frozenset[tuple[str, str]]], float]
"""Samples of /metrics, by name without the prefix and by labels."""


def fake_service(settings: Settings, engine: FakeEngine, *, encoders: Sequence[Run] = (in_thread,)) -> Service:
    """Return a service around `engine` that works in threads instead of worker processes."""
    return Service(settings, engine, Benchmarks(engine, settings, FakeLoader(), in_thread), encoders)


def fake_app(settings: Settings, engine: FakeEngine, *, encoders: Sequence[Run] = (in_thread,)) -> FastAPI:
    """Return an application around `fake_service`."""
    return create_app(fake_service(settings, engine, encoders=encoders))


@asynccontextmanager
async def running(app: FastAPI, address: str = "127.0.0.1") -> AsyncIterator[AsyncClient]:
    """Run the application, not necessarily ready, and yield a client at `address`."""
    transport = ASGITransport(app, client=(address, 1))
    async with app.router.lifespan_context(app), AsyncClient(transport=transport, base_url="http://service") as client:
        yield client


@asynccontextmanager
async def ready(app: FastAPI, address: str = "127.0.0.1") -> AsyncIterator[AsyncClient]:
    """Run the application until its models are loaded, or could not be, and yield a client at `address`."""
    async with running(app, address) as client:
        await loaded(app)
        yield client


async def loaded(app: FastAPI) -> None:
    """Wait until the models are loaded, or could not be."""
    await until(lambda: app.state.service.phase is not Phase.LOADING)


def problem(response: Response) -> tuple[int, str]:
    """Return the status and the name of the type, after a check that the response is well-formed problem details."""
    body = response.json()
    assert response.headers["content-type"] == "application/problem+json"
    assert body.keys() == {"type", "title", "status", "detail", "instance"}
    assert body["status"] == response.status_code
    assert body["detail"] and body["title"]
    assert body["instance"] == f"urn:colorcnn:request:{response.headers['x-request-id']}"
    prefix, _, name = body["type"].rpartition(":")
    assert prefix == "urn:colorcnn:problem"
    return response.status_code, name


async def exchange(
    app: FastAPI,
    path: str,
    accept: str,
    *,
    leave: anyio.Event,
    sent: list[Message],
    stuck: bool = False,
    body: bytes = DRAWING,
    coding: str = "identity",
) -> None:
    """Send one request over bare ASGI, as a client that disconnects at `leave`.

    sent: receives the messages of the response. stuck: the client reads nothing after the head.
    coding: the header Accept-Encoding.
    """
    path, _, query = path.partition("?")
    messages = iter([{"type": "http.request", "body": body, "more_body": False}])

    async def receive() -> Message:
        for message in messages:
            return message
        await leave.wait()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)
        if stuck:
            await anyio.sleep_forever()

    headers = [(b"accept", accept.encode()), (b"accept-encoding", coding.encode())]
    scope = {"type": "http", "method": "POST", "path": path, "query_string": query.encode(), "headers": headers}
    await app(scope, receive, send)


async def queued(device: Device, items: int) -> None:
    """Wait until so many items wait for the device."""
    await until(lambda: device.waiting >= items)


QuantizeRequest = tuple[Pixels, int, str]
"""An image, its number of colors, and its fidelity."""


async def responses_of(app: FastAPI, engine: FakeEngine, requests: Sequence[QuantizeRequest]) -> list[Response]:
    """Return the responses to requests that queue up while the device is busy with a large image."""
    responses: dict[int, Response] = {}

    async def post(number: int, image: bytes, colors: int, fidelity: str) -> None:
        options = {"colors": str(colors), "fidelity": fidelity}
        responses[number] = await client.post("/quantize", content=image, params=options)

    device = app.state.service.device
    engine.may_quantize.clear()
    async with ready(app) as client, anyio.create_task_group() as tasks:
        tasks.start_soon(post, -1, PHOTO, 2, "0")
        assert await anyio.to_thread.run_sync(engine.busy.wait, PATIENCE)
        for number, (pixels, colors, fidelity) in enumerate(requests):
            tasks.start_soon(post, number, encoded(pixels), colors, fidelity)
            await queued(device, number + 1)
        engine.may_quantize.set()
    assert responses.pop(-1).status_code == 200
    return [responses[number] for number in range(len(requests))]


async def samples(client: AsyncClient) -> Samples:
    """Return every sample of /metrics."""
    response = await client.get("/metrics")
    assert response.status_code == 200
    assert response.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    families = text_string_to_metric_families(response.text)
    return {
        (sample.name.removeprefix("colorcnn_"), frozenset(sample.labels.items())): sample.value
        for family in families
        for sample in family.samples
    }


def value(scraped: Samples, name: str, **labels: str) -> float | None:
    """Return one sample of `scraped`, None if it is not there."""
    return scraped.get((name, frozenset(labels.items())))
