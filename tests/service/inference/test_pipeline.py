"""Bounded work: the queue rejects at once, the device runs one batch at a time, slow uploads are ended."""

import math
import threading
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import anyio
import numpy as np
import pytest
from anyio.abc import TaskGroup
from anyio.lowlevel import checkpoint
from fastapi import FastAPI
from httpx import AsyncClient, Response
from starlette.types import Message

from models.codecs import png
from models.decoding.decode import decode
from models.palette_image import PaletteImage
from models.pauses import pause
from service.inference.admission import PixelBudget
from service.schemas.class_names import find_class
from service.schemas.options import ClassifyOptions
from service.settings import Settings
from tests.service.clients import exchange, fake_app, loaded, problem, ready, running
from tests.service.fake_loader import gray_steps
from tests.service.fakes import FakeEngine
from tests.service.images import PHOTO, encoded, opened, ramp
from tests.service.waiting import PATIENCE, until

pytestmark = pytest.mark.anyio


async def start_quantizing(
    client: AsyncClient, engine: FakeEngine, tasks: TaskGroup, responses: list[Response]
) -> None:
    """Start a request, and return when the engine quantizes it or another request."""

    async def post() -> None:
        responses.append(await client.post("/quantize", content=PHOTO))

    tasks.start_soon(post)
    with anyio.fail_after(PATIENCE):
        await anyio.to_thread.run_sync(engine.busy.wait, PATIENCE)


async def in_flight(app: FastAPI, requests: int) -> None:
    with anyio.fail_after(PATIENCE):
        while app.state.service.pipeline.in_flight < requests:
            await anyio.sleep(0.002)


async def test_a_full_queue_rejects_at_once_and_recovers(app: FastAPI, client: AsyncClient, engine: FakeEngine) -> None:
    """The engine waits for the rejection; a service that let the fourth request wait would never respond."""
    engine.may_quantize.clear()
    responses: list[Response] = []
    async with anyio.create_task_group() as tasks:
        for _ in range(3):
            await start_quantizing(client, engine, tasks, responses)
        await in_flight(app, 3)
        rejected = await client.post("/quantize", content=PHOTO)
        alive = await client.get("/healthz")
        engine.may_quantize.set()
    after = await client.post("/quantize", content=PHOTO)

    assert problem(rejected) == (503, "queue-full")
    assert rejected.headers["retry-after"] == "2"
    assert alive.status_code == 200
    assert [response.status_code for response in (*responses, after)] == [200] * 4


async def test_the_device_runs_one_batch_at_a_time(app: FastAPI, client: AsyncClient, engine: FakeEngine) -> None:
    engine.may_quantize.clear()
    responses: list[Response] = []
    async with anyio.create_task_group() as tasks:
        for _ in range(3):
            await start_quantizing(client, engine, tasks, responses)
        await in_flight(app, 3)
        engine.may_quantize.set()

    assert engine.most_quantizing == 1
    waits = [float(response.headers["server-timing"].split("queue;dur=")[1].split(",")[0]) for response in responses]
    assert len(responses) == 3 and max(waits) > 0


async def test_others_are_decoded_and_encoded_while_the_device_works(client: AsyncClient, engine: FakeEngine) -> None:
    """The device is blocked until both responses are there."""
    engine.may_quantize.clear()
    responses: list[Response] = []
    async with anyio.create_task_group() as tasks:
        await start_quantizing(client, engine, tasks, responses)
        for _ in range(2):
            beside = await client.post("/quantize?method=median_cut&recognize=false", content=PHOTO)
            assert beside.status_code == 200
        assert not responses
        engine.may_quantize.set()

    assert responses[0].status_code == 200


async def test_a_slow_stage_delays_no_other_stage(engine: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    """The only encoding thread is blocked until a later request has its response."""
    encoding, may_encode = threading.Event(), threading.Event()
    encode = png.encode

    def slow(image: PaletteImage, **options: Any) -> bytes:
        encoding.set()
        may_encode.wait(PATIENCE)
        return encode(image, **options)

    monkeypatch.setattr(png, "encode", slow)
    app = fake_app(Settings(workers=1), engine)
    async with running(app) as client, anyio.create_task_group() as tasks:
        await loaded(app)
        tasks.start_soon(lambda: client.post("/quantize", content=encoded(ramp(80, 60))))
        assert await anyio.to_thread.run_sync(encoding.wait, PATIENCE)
        with anyio.fail_after(PATIENCE):
            beside = await client.post("/classify", content=PHOTO)
        may_encode.set()

    assert beside.status_code == 200


async def test_a_failed_request_leaves_the_queue(client: AsyncClient) -> None:
    responses = [await client.post("/quantize", content=b"") for _ in range(5)]

    assert {response.status_code for response in responses} == {400}


async def stalled() -> AsyncIterator[bytes]:
    yield PHOTO[:100]
    await anyio.sleep_forever()


async def test_a_stalled_upload_is_ended(engine: FakeEngine) -> None:
    app = fake_app(Settings(upload_timeout=0.05), engine)
    async with running(app) as client:
        await loaded(app)
        with anyio.fail_after(PATIENCE):
            response = await client.post("/quantize", content=stalled())

    assert problem(response) == (408, "upload-timeout")


async def test_a_request_that_takes_too_long_is_ended(engine: FakeEngine) -> None:
    """One request whose image is being quantized, and one that waits behind it."""
    engine.may_quantize.clear()
    app = fake_app(Settings(request_timeout=0.5), engine)
    async with running(app) as client:
        await loaded(app)
        responses = [await client.post(path, content=PHOTO) for path in ("/quantize", "/classify")]
        engine.may_quantize.set()
        after = await client.post("/classify", content=PHOTO)

    assert [problem(response) for response in responses] == [(504, "out-of-time")] * 2
    assert "0.5 seconds" in responses[0].json()["detail"]
    assert after.status_code == 200


LARGE = encoded(ramp(100, 90))


@pytest.fixture
def _nine_thousand_pixels_are_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.inference.workload._MOST_PIXELS", (("small", 5000), ("medium", 8000)))


class Halting:
    """In place of a function that works on an image: it halts at images of 9,000 pixels, and counts their parts.

    may_go_on: waited for before the pause after each part.
    """

    def __init__(self, function: Callable[..., object]) -> None:
        self.parts = 0
        self.may_go_on = threading.Event()
        self._function = function

    def __call__(self, subject: object, *args: object, **options: object) -> object:
        pixels = PIXELS[type(subject)](subject)
        for _ in range(100 if pixels == 9000 else 0):
            self.parts += 1
            assert self.may_go_on.wait(PATIENCE)
            pause()
        return self._function(subject, *args, **options)


PIXELS: Mapping[type, Callable[[Any], int]] = {
    bytes: lambda file: math.prod(opened(file).size),
    np.ndarray: lambda pixels: pixels.size // 3,
    PaletteImage: lambda image: image.indices.size,
}
STEPS = [("service.inference.stages.decode", decode), ("models.codecs.png.encode", png.encode)]


@pytest.mark.usefixtures("_nine_thousand_pixels_are_large")
@pytest.mark.parametrize(("name", "function"), STEPS)
async def test_large_images_delay_no_small_ones(
    engine: FakeEngine, monkeypatch: pytest.MonkeyPatch, name: str, function: Callable[..., object]
) -> None:
    """Two large images hold all that large ones may hold, a third is rejected, and small ones pass."""
    step = Halting(function)
    monkeypatch.setattr(name, step)
    app, responses = fake_app(Settings(workers=2, queue_size=4, max_pixels=10_000), engine), list[Response]()

    async def post() -> None:
        responses.append(await client.post("/quantize?method=median_cut&recognize=false", content=LARGE))

    async with ready(app) as client, anyio.create_task_group() as tasks:
        for _ in range(2):
            tasks.start_soon(post)
        await until(lambda: step.parts and app.state.service.pipeline._large.in_flight == 2)
        rejected = await client.post("/quantize", content=LARGE)
        with anyio.fail_after(PATIENCE):
            small = [await client.post("/quantize", content=encoded(ramp(60, 70))) for _ in range(3)]
        assert not responses
        step.may_go_on.set()

    assert problem(rejected) == (503, "queue-full") and "2 large images are in flight" in rejected.json()["detail"]
    assert [response.status_code for response in (*small, *responses)] == [200] * 5


@pytest.mark.usefixtures("_nine_thousand_pixels_are_large")
@pytest.mark.parametrize(("name", "function"), [*STEPS, ("tests.service.fakes.gray_steps", gray_steps)])
async def test_a_step_for_a_client_that_has_left_ends_at_its_next_pause(
    engine: FakeEngine, monkeypatch: pytest.MonkeyPatch, name: str, function: Callable[..., object]
) -> None:
    step = Halting(function)
    monkeypatch.setattr(name, step)
    app, leave, sent = fake_app(Settings(workers=2), engine), anyio.Event(), list[Message]()
    async with ready(app), anyio.create_task_group() as tasks:
        tasks.start_soon(
            lambda: exchange(app, "/quantize?recognize=false", "image/png", leave=leave, sent=sent, body=LARGE)
        )
        await until(lambda: step.parts)
        leave.set()
        await anyio.wait_all_tasks_blocked()
        step.may_go_on.set()

    assert (step.parts, sent) == (1, [])
    assert app.state.service.pipeline.in_flight == 0


async def test_large_images_leave_a_part_of_the_pixels_to_others() -> None:
    budget, order = PixelBudget(10, reserved=4), list[str]()

    async def reserve(name: str, pixels: int, large: bool) -> None:
        async with budget.reserve(pixels, large=large):
            order.append(name)

    async with anyio.create_task_group() as tasks:
        async with budget.reserve(5, large=True):
            tasks.start_soon(reserve, "large", 2, True)
            await anyio.wait_all_tasks_blocked()
            tasks.start_soon(reserve, "small", 5, False)
            await anyio.wait_all_tasks_blocked()
            assert (order, budget.waiting) == (["small"], 1)
        await anyio.wait_all_tasks_blocked()

    assert order == ["small", "large"]
    assert budget._free == 10


async def test_reservations_are_granted_in_order_and_released() -> None:
    """A small request behind a large one that does not fit waits for its turn, and is granted once."""
    budget, order = PixelBudget(10), list[str]()

    async def reserve(name: str, pixels: int) -> None:
        async with budget.reserve(pixels):
            order.append(name)

    async with anyio.create_task_group() as tasks:
        async with budget.reserve(10) as reservation:
            reservation.shrink(4)
            reservation.shrink(8)  # does not grow again
            async with budget.reserve(6):
                tasks.start_soon(reserve, "large", 7)
                await checkpoint()
                tasks.start_soon(reserve, "small", 1)
                await checkpoint()
            await checkpoint()
            assert order == []
        await checkpoint()

    assert order == ["large", "small"]
    assert budget._free == 10


async def test_a_request_that_leaves_while_waiting_reserves_nothing() -> None:
    budget = PixelBudget(1)
    async with anyio.create_task_group() as tasks, budget.reserve(1):
        for granted in (False, True):
            scope = anyio.CancelScope()
            tasks.start_soon(_hold, budget, scope)
            await checkpoint()
            if granted:
                budget._release(1)
            scope.cancel()
            await checkpoint()
            assert not budget._waiting

    assert budget._free == 2  # one pixel was released on top, and the request that left returned it


async def _hold(budget: PixelBudget, scope: anyio.CancelScope) -> None:
    with scope:
        async with budget.reserve(1):
            await anyio.sleep_forever()


@pytest.mark.parametrize(("cam", "index"), [(None, None), ("top", None), ("b", 1), ("0", 0), ("7", 2)])
async def test_a_label_is_preferred_to_an_index(cam: str | None, index: int | None) -> None:
    assert find_class(cam, ("a", "b", "7")) == index


@pytest.mark.parametrize(
    ("options", "label"), [({}, None), ({"cam": "top"}, "dark"), ({"cam": "light"}, "light"), ({"cam": "2"}, "déjà vu")]
)
async def test_the_map_of_a_class_is_drawn_over_the_image(
    app: FastAPI, client: AsyncClient, options: dict[str, str], label: str | None
) -> None:
    classified = await app.state.service.pipeline.classify(PHOTO, ClassifyOptions(top_k=2, **options))

    assert (classified.model, len(classified.predictions)) == ("brightness", 2)
    assert classified.predictions[0].probability >= classified.predictions[1].probability
    if label is None:
        assert classified.cam is None and classified.notes == ()
        return
    cam = classified.cam
    assert (cam.prediction.label, cam.width, cam.height) == (label, 40, 24)
    assert opened(cam.png).size == (40, 24) and opened(cam.png).mode == "RGB"
    assert cam.bits_per_pixel == 8 * len(cam.png) / 960
    assert cam.colors == len(opened(cam.png).getcolors(960) or ())


async def test_a_large_map_is_scaled_to_its_limit_with_a_note(engine: FakeEngine) -> None:
    app = fake_app(Settings(max_cam_pixels=1024), engine)
    async with ready(app):
        classified = await app.state.service.pipeline.classify(encoded(ramp(64, 60)), ClassifyOptions(cam="top"))

    assert (classified.cam.width, classified.cam.height) == (33, 30)
    assert classified.notes == ("activation map drawn at 33x30",)


async def test_a_photograph_has_its_own_classifier(app: FastAPI, client: AsyncClient) -> None:
    pipeline = app.state.service.pipeline

    assert (await pipeline.classify(encoded(ramp(64, 64)), ClassifyOptions())).model == "brightness"
    assert (await pipeline.classify(encoded(ramp(65, 65)), ClassifyOptions())).model == "second"
    assert (await pipeline.classify(encoded(ramp(65, 65)), ClassifyOptions(model="brightness"))).model == "brightness"
    assert (pipeline.in_flight, pipeline.waiting) == (0, 0)
