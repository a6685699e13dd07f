"""The queue of benchmarks: admission, turns, clients that disconnect, and drawings that fail."""

import logging
from collections.abc import Callable
from typing import TypeVar, TypeVarTuple

import anyio
import pytest
from anyio import BrokenWorkerProcess
from fastapi import FastAPI
from httpx import AsyncClient, Response
from starlette.types import Message

from service.benchmark import queue
from tests.service.benchmark_client import BENCHMARK, LIGHT, MEDIA_TYPES, SMALL, post
from tests.service.clients import exchange, problem
from tests.service.fakes import Gate, in_thread
from tests.service.images import DRAWING, PHOTO
from tests.service.waiting import PATIENCE, until

pytestmark = pytest.mark.anyio


Result = TypeVar("Result")


Arguments = TypeVarTuple("Arguments")


async def test_a_full_queue_rejects_at_once_and_quantize_goes_on(app: FastAPI, client: AsyncClient, gate: Gate) -> None:
    responses: list[Response] = []

    async def benchmark(image: bytes) -> None:
        responses.append(await post(client, image, **SMALL))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(benchmark, DRAWING)
        await gate.waiting.wait()
        tasks.start_soon(benchmark, LIGHT)
        await until(lambda: app.state.service.benchmarks.in_flight == 2)
        refused = await post(client, DRAWING, **SMALL)
        quantized = await client.post("/quantize", content=PHOTO)
        gate.opened.set()
    after = await post(client, DRAWING, **SMALL)

    assert problem(refused) == (503, "queue-full")
    assert refused.headers["retry-after"] == "2"
    assert quantized.status_code == 200
    assert [response.status_code for response in (*responses, after)] == [200] * 3
    assert gate.images == [DRAWING, LIGHT, DRAWING]  # each image is sent once, though it has four rows
    assert not app.state.service.benchmarks.in_flight


@pytest.mark.parametrize("accept", MEDIA_TYPES)
@pytest.mark.parametrize("first", [True, False], ids=["working", "waiting"])
async def test_a_client_that_disconnects_releases_its_ticket(
    app: FastAPI, client: AsyncClient, gate: Gate, accept: str, first: bool, caplog: pytest.LogCaptureFixture
) -> None:
    leave, sent = anyio.Event(), list[Message]()
    benchmarks = app.state.service.benchmarks
    with caplog.at_level(logging.INFO, "colorcnn.access"), anyio.fail_after(PATIENCE):
        async with anyio.create_task_group() as tasks:
            if not first:
                tasks.start_soon(post, client, LIGHT)
                await gate.waiting.wait()
            async with anyio.create_task_group() as leaving:
                leaving.start_soon(lambda: exchange(app, BENCHMARK, accept, leave=leave, sent=sent))
                await until(lambda: benchmarks.in_flight == 1 + (not first))
                await until(lambda: benchmarks.waiting == (not first))
                await gate.waiting.wait()
                leave.set()
            in_flight = benchmarks.in_flight
            gate.opened.set()
    after = await post(client, LIGHT, **SMALL)

    assert (in_flight, gate.cancelled) == (int(not first), int(first))
    assert [record.message for record in caplog.records if "status=499" in record.message]
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert after.status_code == 200


@pytest.mark.parametrize("accept", MEDIA_TYPES)
async def test_a_client_that_does_not_read_blocks_nobody(app: FastAPI, client: AsyncClient, accept: str) -> None:
    leave, sent = anyio.Event(), list[Message]()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(lambda: exchange(app, BENCHMARK, accept, leave=leave, sent=sent, stuck=True))
        await until(lambda: bool(sent) and not app.state.service.benchmarks.in_flight)
        with anyio.fail_after(PATIENCE):
            after = await post(client, LIGHT, **SMALL)
        tasks.cancel_scope.cancel()

    assert after.status_code == 200


async def test_a_client_may_disconnect_while_the_sheet_is_drawn(app: FastAPI, client: AsyncClient, gate: Gate) -> None:
    leave, sent = anyio.Event(), list[Message]()
    drawing = anyio.Event()

    async def work(function: Callable[[*Arguments], Result], *args: *Arguments) -> Result:
        if function.__name__ == "draw_sheet":
            drawing.set()
            await anyio.sleep_forever()
        return await in_thread(function, *args)

    app.state.service.benchmarks.work = work
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(lambda: exchange(app, BENCHMARK, "image/png", leave=leave, sent=sent))
        await drawing.wait()
        leave.set()

    assert not sent and not app.state.service.benchmarks.in_flight


async def test_a_shutdown_does_not_wait_for_a_sheet(app: FastAPI, client: AsyncClient) -> None:
    benchmarks = app.state.service.benchmarks

    async def work(function: Callable[[*Arguments], Result], *args: *Arguments) -> Result:
        if function.__name__ == "draw_sheet":
            benchmarks.stop()
            await anyio.sleep_forever()
        return await in_thread(function, *args)

    benchmarks.work = work
    with anyio.fail_after(PATIENCE):
        assert problem(await post(client, DRAWING, accept="image/png", **SMALL)) == (503, "not-drawn")


class Drawing:
    """Worker that is killed, or hangs, at its first drawings."""

    def __init__(self, failures: int, *, hang: bool = False) -> None:
        self.failures = failures
        self.hang = hang

    async def __call__(self, function: Callable[[*Arguments], Result], *args: *Arguments) -> Result:
        if function.__name__ in ("draw_sheet", "write_benchmark_page") and self.failures:
            self.failures -= 1
            if self.hang:
                await anyio.sleep_forever()
            raise BrokenWorkerProcess
        return await in_thread(function, *args)


@pytest.mark.parametrize("accept", ["image/png", "text/html"])
async def test_a_drawing_that_is_killed_is_drawn_again(app: FastAPI, client: AsyncClient, accept: str) -> None:
    app.state.service.benchmarks.work = Drawing(1)
    response = await post(client, DRAWING, accept=accept, **SMALL)

    assert (response.status_code, response.headers["content-type"].partition(";")[0]) == (200, accept)


@pytest.mark.parametrize("accept", ["image/png", "text/html"])
@pytest.mark.parametrize("hang", [False, True], ids=["killed", "slow"])
async def test_a_drawing_that_fails_again_can_be_retried_later(
    app: FastAPI, client: AsyncClient, accept: str, hang: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue, "_DRAWING_TIME", 0.05 if hang else PATIENCE)
    app.state.service.benchmarks.work = Drawing(2, hang=hang)
    with anyio.fail_after(PATIENCE):
        refused = await post(client, DRAWING, accept=accept, **SMALL)
        after = await post(client, DRAWING, **SMALL)

    assert problem(refused) == (503, "not-drawn")
    assert refused.headers["retry-after"] == "2"
    assert after.status_code == 200
