"""The networks behind their queue: which requests share a batch, and that batches change no response."""

import threading
from collections.abc import Sequence

import anyio
import numpy as np
import pytest
from anyio.lowlevel import checkpoint
from fastapi import FastAPI
from httpx import Response
from starlette.types import Message

from models.errors import BadImage
from models.names import DESCENT_METHODS
from models.palette_image import PaletteImage
from models.pauses import pause
from models.rgb import Pixels
from service.errors import NotReady, OutOfMemory, QueueFull
from service.inference.batching import Closed
from service.inference.device import Device
from service.inference.selection import Selection
from service.inference.stages import Stages
from service.inference.work import Predict, Quantize
from service.runtime import timing
from service.runtime.logs import request_id_here
from service.runtime.timing import Timings
from service.settings import Settings
from tests.service.clients import exchange, fake_app, loaded, problem, queued, responses_of, running
from tests.service.fake_loader import gray_steps
from tests.service.fakes import NATIVE_SIZE, FakeEngine
from tests.service.images import PHOTO, encoded, ramp
from tests.service.waiting import PATIENCE, until

pytestmark = pytest.mark.anyio

OWN = [ramp(NATIVE_SIZE, NATIVE_SIZE) // part for part in (1, 2, 3, 4)]


REQUESTS = [
    (OWN[0], 2, "0"),
    (OWN[1], 4, "0"),
    (OWN[2], 2, "0"),
    (ramp(), 2, "0"),
    (OWN[3], 2, "0"),
    (OWN[1], 2, "0.5"),
]


def create(max_batch: int, engine: FakeEngine) -> FastAPI:
    return fake_app(Settings(max_batch=max_batch), engine)


async def test_images_of_any_size_are_quantized_together_where_the_options_agree(engine: FakeEngine) -> None:
    responses = await responses_of(create(64, engine), engine, REQUESTS)

    assert {response.status_code for response in responses} == {200}
    assert engine.batches[0] == (1, 2), "the image that keeps the device busy"
    assert sorted(engine.batches[1:]) == [(1, 2), (1, 4), (4, 2)]


@pytest.mark.parametrize(("side", "batched"), [(1024, True), (1025, False)])
async def test_a_larger_image_than_a_small_one_runs_alone(engine: FakeEngine, side: int, batched: bool) -> None:
    settings = Settings()
    device = Device(engine, settings)
    selection = engine.catalog.select("colorcnn", None, 2)
    async with device.serving():
        await Stages(engine, device, settings).quantize(ramp(side, 1024), 2, selection)

    assert (engine.batches == [(1, 2)]) is batched
    assert len(engine.quantized) == 1


async def test_batched_responses_equal_single_ones(engine: FakeEngine) -> None:
    alone = FakeEngine()

    together = await responses_of(create(64, engine), engine, REQUESTS)
    singly = await responses_of(create(1, alone), alone, REQUESTS)

    assert sorted(alone.batches) == [(1, 2)] * 6 + [(1, 4)]
    for one, other in zip(together, singly, strict=True):
        assert one.content == other.content
        assert one.headers["x-label-after"] == other.headers["x-label-after"]


async def test_images_are_classified_together_whatever_their_size(engine: FakeEngine) -> None:
    """Each request gets the rankings of its own views, as many as it sent."""
    device, sizes = Device(engine, Settings()), list[int]()
    predict, blocked = engine.predict, anyio.Event()

    def counting(views: Sequence[Pixels], *args: object) -> object:
        sizes.append(len(views))
        if len(sizes) == 1:
            anyio.from_thread.run(blocked.wait)
        return predict(views, 1, "brightness")

    engine.predict = counting  # type: ignore[assignment,method-assign]
    views = [np.full((2, size, 3), 10 * size, np.uint8) for size in range(1, 7)]
    found: dict[int, list[float]] = {}

    async def ask(first: int, last: int) -> None:
        rankings = await device.run(Predict(views[first:last], 1, "brightness"))
        found[first] = [best.probability for (best,) in rankings]

    async with device.serving(), anyio.create_task_group() as tasks:
        tasks.start_soon(ask, 0, 1)
        while not sizes:
            await anyio.sleep(0.001)
        for first, last in ((1, 3), (3, 4), (4, 6)):
            tasks.start_soon(ask, first, last)
        await queued(device, 3)
        blocked.set()

    alone = [best.probability for (best,) in predict(views, 1, "brightness")]
    assert sizes == [1, 5]
    assert found == {0: alone[:1], 1: alone[1:3], 3: alone[3:4], 4: alone[4:6]}


async def test_a_line_in_the_log_names_every_request_of_the_batch(engine: FakeEngine) -> None:
    device, named = Device(engine, Settings()), list[str | None]()
    predict = engine.predict

    def noting(views: Sequence[Pixels], *_: object) -> object:
        named.append(request_id_here.get())
        return predict(views, 1, "brightness")

    engine.predict = noting  # type: ignore[assignment,method-assign]

    async def ask(request_id: str | None) -> None:
        request_id_here.set(request_id)
        await device.run(Predict([ramp()], 1, "brightness"))

    async with device.serving():
        async with anyio.create_task_group() as tasks:  # all submit before the device's task has its turn
            for request_id in ("one", None, "two"):
                tasks.start_soon(ask, request_id)
        await device.run(Predict([ramp()], 1, "brightness"))

    assert named == ["one,two", ""]


class Picky(FakeEngine):
    """An engine that rejects black images, and every batch that contains one."""

    def quantize_batch(self, images: Sequence[Pixels], colors: int, selection: Selection) -> list[PaletteImage]:
        quantized = super().quantize_batch(images, colors, selection)
        if not all(image.any() for image in images):
            raise BadImage("a black image")
        return quantized


async def test_a_bad_image_fails_alone() -> None:
    engine = Picky()

    responses = await responses_of(
        create(64, engine), engine, [(image, 2, "0") for image in (OWN[0], 0 * OWN[0], OWN[1])]
    )

    assert [response.status_code for response in responses] == [200, 400, 200]
    assert engine.batches == [(1, 2), (3, 2), (1, 2), (1, 2), (1, 2)]


async def test_a_client_that_disconnects_removes_its_image_from_the_queue(app: FastAPI, engine: FakeEngine) -> None:
    leave, sent, responses = anyio.Event(), list[Message](), list[Response]()
    engine.may_quantize.clear()
    async with running(app) as client:
        await loaded(app)

        async def post() -> None:
            responses.append(await client.post("/quantize", content=PHOTO))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(post)
            assert await anyio.to_thread.run_sync(engine.busy.wait, PATIENCE)
            tasks.start_soon(lambda: exchange(app, "/quantize", "image/png", leave=leave, sent=sent))
            await queued(app.state.service.device, 1)
            leave.set()
            with anyio.fail_after(PATIENCE):
                while app.state.service.device.waiting:
                    await anyio.sleep(0.001)
            engine.may_quantize.set()
        await until(lambda: app.state.service.pipeline.in_flight == 0)

    assert ([response.status_code for response in responses], sent) == ([200], [])
    assert len(engine.quantized) == 1


async def test_shutting_down_finishes_what_is_on_the_device_and_in_the_queue(app: FastAPI, engine: FakeEngine) -> None:
    engine.may_quantize.clear()
    responses: list[Response] = []
    async with anyio.create_task_group() as tasks:
        async with running(app) as client:
            await loaded(app)

            async def post() -> None:
                responses.append(await client.post("/quantize?recognize=false", content=PHOTO))

            for _ in range(2):
                tasks.start_soon(post)
            assert await anyio.to_thread.run_sync(engine.busy.wait, PATIENCE)
            await queued(app.state.service.device, 1)
            tasks.start_soon(anyio.to_thread.run_sync, engine.may_quantize.set)
        while len(responses) < 2:
            await checkpoint()

    assert [response.status_code for response in responses] == [200, 200]


async def test_a_wait_that_is_too_long_gets_503(engine: FakeEngine) -> None:
    app = fake_app(Settings(queue_timeout=0.02), engine)
    engine.may_quantize.clear()
    async with running(app) as client:
        await loaded(app)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(lambda: client.post("/quantize", content=PHOTO))
            assert await anyio.to_thread.run_sync(engine.busy.wait, PATIENCE)
            rejected = await client.post("/classify", content=PHOTO)
            engine.may_quantize.set()

    assert problem(rejected) == (503, "queue-full")
    assert rejected.headers["retry-after"] == "2" and "waited 0.02 seconds" in rejected.json()["detail"]


async def test_a_full_queue_and_one_that_is_not_served_are_problems(engine: FakeEngine) -> None:
    settings = Settings(queue_size=1, compress_queue_size=1)
    device, views = Device(engine, settings), [ramp()]
    with pytest.raises(NotReady, match="shutting down") as caught:
        await device.run(Predict(views, 1, "brightness"))
    assert isinstance(caught.value.__cause__, Closed)

    selection = engine.catalog.select("colorcnn", None, 2)
    engine.may_quantize.clear()
    async with device.serving(), anyio.create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(device.run, Quantize(ramp(), 2, selection, None))
            await checkpoint()
        await queued(device, 2)
        with pytest.raises(QueueFull, match="queue of the device is full"):
            await device.run(Predict(views, 1, "brightness"))
        engine.may_quantize.set()


@pytest.mark.parametrize("method", DESCENT_METHODS)
async def test_a_refinement_delays_no_other_work(engine: FakeEngine, method: str) -> None:
    """Not even the other refined method; only a third refinement by the same method waits."""
    device, done = Device(engine, Settings()), list[str]()
    other = DESCENT_METHODS[method == DESCENT_METHODS[0]]
    quantize = engine.quantize
    engine.may_quantize.clear()

    def blocked(pixels: Pixels, colors: int, selection: Selection) -> PaletteImage:
        if selection.method != method:
            return gray_steps(pixels, colors)
        return quantize(pixels, colors, selection)

    engine.quantize = blocked  # type: ignore[method-assign]

    async def refine(method: str) -> None:
        await device.run(Quantize(ramp(), 2, engine.catalog.select(method, None, 2), None))
        done.append(method)

    async with device.serving(), anyio.create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(refine, method)
        await until(lambda: engine.quantizing == 2)
        with anyio.fail_after(PATIENCE):
            await device.run(Predict([ramp()], 1, "brightness"))
            for quick in ("colorcnn", other):
                await refine(quick)
        await queued(device, 1)
        engine.may_quantize.set()

    assert done == ["colorcnn", other, method, method, method]
    assert engine.most_quantizing == 2


class Patient(FakeEngine):
    """An engine that records each part of a quantization.

    seen: method of each part. may_go_on: waited for before each pause; cleared by tests that stop the engine.
    """

    def __init__(self, parts: int) -> None:
        super().__init__(parts=parts)
        self.seen: list[str] = []
        self.may_go_on = threading.Event()
        self.may_go_on.set()

    def quantize(self, pixels: Pixels, colors: int, selection: Selection) -> PaletteImage:
        for _ in range(self.parts):
            self.seen.append(selection.method)
            assert self.may_go_on.wait(PATIENCE)
            pause()
        return gray_steps(pixels, colors)


def work_of(engine: FakeEngine, method: str) -> Quantize:
    return Quantize(ramp(), 2, engine.catalog.select(method, None, 2), None)


async def test_work_that_nobody_waits_for_ends_at_its_next_pause() -> None:
    engine = Patient(100)
    device, scope = Device(engine, Settings()), anyio.CancelScope()

    async def leave() -> None:
        with scope:
            await device.run(work_of(engine, "refined"))

    engine.may_go_on.clear()
    async with device.serving():
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(leave)
            await until(lambda: engine.seen)
            scope.cancel()
        assert engine.seen == ["refined"]  # the caller has its answer while the part is still running
        engine.may_go_on.set()

    assert engine.seen == ["refined"]


async def test_large_images_take_turns_and_leave_the_device_to_small_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.inference.workload._MOST_PIXELS", (("small", 9),))
    engine = Patient(4)
    device, methods = Device(engine, Settings()), ("refined", "refined_fast")
    engine.may_go_on.clear()
    async with device.serving(), anyio.create_task_group() as tasks:
        for method in methods:
            tasks.start_soon(device.run, work_of(engine, method))
        await until(lambda: device._turns.waiting)
        with anyio.fail_after(PATIENCE):
            await device.run(Predict([ramp(3, 3)], 1, "brightness"))
        assert len(engine.seen) == 1
        engine.may_go_on.set()

    first, second = engine.seen[:2]
    assert {first, second} == set(methods)
    assert engine.seen == 4 * [first, second]


@pytest.mark.parametrize("pixels", [OWN[0], ramp()])
async def test_an_image_is_quantized_and_classified_in_one_batch(app: FastAPI, pixels: Pixels) -> None:
    done: list[str] = []
    app.state.service.device.subscribe(lambda name, _: done.append(name))
    async with running(app) as client:
        await loaded(app)
        response = await client.post("/quantize", content=encoded(pixels))

    assert response.headers["x-label-before"] and done == ["quantize"]


async def test_waiting_and_working_are_measured_separately(engine: FakeEngine) -> None:
    device, selection = Device(engine, Settings()), engine.catalog.select("colorcnn", None, 2)
    measured: list[Timings] = []

    async def quantize() -> None:
        with timing.started() as timer:
            await device.run(Quantize(ramp(), 2, selection, None))
            measured.append(timer.timings())

    engine.may_quantize.clear()
    async with device.serving(), anyio.create_task_group() as tasks:
        for waiting in range(2):
            tasks.start_soon(quantize)
            await queued(device, waiting)
        engine.may_quantize.set()

    first, second = measured
    assert second.queue >= first.model > 0


async def test_an_error_of_the_engine_is_raised_as_it_is_and_one_of_the_device_in_its_words(engine: FakeEngine) -> None:
    """An error of the image itself has no cause; one of the device has the original one as its cause."""
    pixels, selection = ramp(NATIVE_SIZE, NATIVE_SIZE), Selection("colorcnn", "gray-steps", "brightness")
    broken: list[Exception] = []
    device = Device(engine, Settings(), broken.append)
    errors = [ValueError("odd"), MemoryError(), RuntimeError("CUDA error: an illegal memory access was encountered")]
    found: list[BaseException] = []
    async with device.serving():
        for error in errors:
            engine.bug = error
            try:
                await device.run(Quantize(pixels, 2, selection, True))
            except Exception as raised:
                found.append(raised)

    assert found[0] is errors[0] and found[0].__cause__ is None
    assert [type(each) for each in found[1:]] == [OutOfMemory, NotReady]
    assert [each.__cause__ for each in found[1:]] == errors[1:]
    assert broken == errors[2:]
