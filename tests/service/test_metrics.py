"""/metrics: all counts, and no text of a client in any label."""

import anyio
import pytest
from fastapi import FastAPI
from httpx import AsyncClient

from service.inference.model_engine import ModelEngine
from service.inference.work import WORK_NAMES
from service.runtime.timing import STAGES
from service.settings import Settings
from tests.service.clients import fake_app, loaded, running, samples, value
from tests.service.fakes import MODELS, NATIVE_SIZE, FakeEngine, hash_of
from tests.service.images import PHOTO, encoded, ramp
from tests.service.waiting import PATIENCE

pytestmark = pytest.mark.anyio

NATIVE_SIZED = encoded(ramp(NATIVE_SIZE, NATIVE_SIZE))


async def test_requests_are_counted_by_path_method_and_status(client: AsyncClient) -> None:
    await client.post("/quantize", content=PHOTO)
    await client.post("/quantize", content=PHOTO)
    await client.post("/quantize", content=b"no image")
    await client.delete("/models")
    scraped = await samples(client)

    assert value(scraped, "requests_total", path="/quantize", method="POST", status="200") == 2
    assert value(scraped, "requests_total", path="/quantize", method="POST", status="400") == 1
    assert value(scraped, "requests_total", path="/models", method="DELETE", status="405") == 1
    assert value(scraped, "request_seconds_count", path="/quantize") == 3
    assert value(scraped, "upload_bytes_total", path="/quantize") == 2 * len(PHOTO) + len(b"no image")


async def test_rejections_are_counted_by_reason(client: AsyncClient, engine: FakeEngine) -> None:
    await client.post("/quantize?colors=1", content=PHOTO)
    await client.post("/classify?model=nobody", content=PHOTO)
    await client.get("/nothing")
    engine.bug = ZeroDivisionError()
    await client.post("/quantize", content=PHOTO)
    scraped = await samples(client)

    reasons = {dict(labels)["reason"]: number for (name, labels), number in scraped.items() if name == "rejects_total"}
    assert reasons == {"bad-option": 1, "unknown-model": 1, "not-found": 1, "internal": 1}


@pytest.mark.parametrize(
    ("path", "accept"),
    [
        ("/quantize", "image/png"),
        ("/classify", "application/json"),
        ("/compress", "image/bpg"),
        ("/benchmark", "application/json"),
        ("/benchmark", "application/x-ndjson"),
    ],
)
async def test_the_stages_of_work_are_counted(client: AsyncClient, path: str, accept: str) -> None:
    await client.post(path, content=PHOTO, headers={"Accept": accept})
    scraped = await samples(client)

    assert [value(scraped, "stage_seconds_count", path=path, stage=stage) for stage in STAGES] == [1] * len(STAGES)
    model = value(scraped, "stage_seconds_sum", path=path, stage="model")
    assert model and model > 0


async def test_no_text_of_a_client_becomes_a_label(client: AsyncClient) -> None:
    await client.get("/marker-path/%0A", headers={"X-Request-ID": "marker-id"})
    await client.request("MARKER", "/models")
    await client.post("/quantize?marker=1&model=marker", content=PHOTO, headers={"User-Agent": "marker"})
    scraped = await samples(client)

    assert value(scraped, "requests_total", path="other", method="GET", status="404") == 1
    assert value(scraped, "requests_total", path="/models", method="other", status="405") == 1
    assert not [labels for _, labels in scraped if "marker" in str(labels).lower()]


async def test_queues_report_requests_in_flight_and_waiting(
    client: AsyncClient, engine: FakeEngine, app: FastAPI
) -> None:
    """Of three requests, one uses the device, and two wait."""
    engine.may_quantize.clear()
    async with anyio.create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(lambda: client.post("/quantize", content=PHOTO))
            # Two requests that arrive before the device takes the first one would share its batch.
            assert await anyio.to_thread.run_sync(engine.busy.wait, PATIENCE)
        with anyio.fail_after(PATIENCE):
            while app.state.service.device.waiting < 2:
                await anyio.sleep(0.002)
        busy = await samples(client)
        engine.may_quantize.set()
    idle = await samples(client)

    assert [value(busy, name, queue="images") for name in ("requests_inside", "requests_waiting")] == [3, 0]
    assert [value(each, "requests_waiting", queue="device") for each in (busy, idle)] == [2, 0]
    assert [value(idle, name, queue="images") for name in ("requests_inside", "requests_waiting")] == [0, 0]
    assert {dict(labels)["queue"] for name, labels in idle if name == "requests_inside"} == {
        "images",
        "compress",
        "benchmark",
    }


async def test_batches_of_the_device_are_counted(client: AsyncClient, engine: FakeEngine, app: FastAPI) -> None:
    """While the device quantizes a large image, two images of the network's native size queue up for one batch."""
    engine.may_quantize.clear()
    async with anyio.create_task_group() as tasks:
        for content in (PHOTO, NATIVE_SIZED, NATIVE_SIZED):
            tasks.start_soon(lambda content: client.post("/quantize", content=content), content)
            assert await anyio.to_thread.run_sync(engine.busy.wait, PATIENCE)
        with anyio.fail_after(PATIENCE):
            while app.state.service.device.waiting < 2:
                await anyio.sleep(0.002)
        engine.may_quantize.set()
    await client.post("/classify?cam=top", content=PHOTO)
    scraped = await samples(client)

    quantized = {name: value(scraped, f"batch_requests_{name}", work="quantize") for name in ("count", "sum")}
    assert quantized == {"count": 2, "sum": 3}
    assert value(scraped, "device_wait_seconds_count", work="quantize") == 3
    assert {dict(labels)["work"] for name, labels in scraped if name == "device_wait_seconds_count"} == set(WORK_NAMES)


async def test_requests_that_wait_for_the_pixel_budget_are_counted(client: AsyncClient, app: FastAPI) -> None:
    pipeline = app.state.service.pipeline
    async with pipeline._pixel_budget.reserve(pipeline._pixel_budget._free), anyio.create_task_group() as tasks:
        tasks.start_soon(lambda: client.post("/quantize", content=PHOTO))
        with anyio.fail_after(PATIENCE):
            while not pipeline.waiting:
                await anyio.sleep(0.002)
        busy = await samples(client)
        tasks.cancel_scope.cancel()

    assert value(busy, "requests_waiting", queue="images") == 1


async def test_models_are_listed_once_they_are_loaded(app: FastAPI, engine: FakeEngine) -> None:
    engine.may_load.clear()
    async with running(app) as client:
        loading = await samples(client)
        engine.may_load.set()
        await loaded(app)
        ready = await samples(client)

    infos = [dict(labels) for name, labels in ready if name == "model_info"]
    assert value(loading, "ready") == 0 and value(ready, "ready") == 1
    assert not [name for name, _ in loading if name == "model_info"]
    assert [label["name"] for label in infos] == list(MODELS)
    assert infos[2] == {
        "name": "gray-steps",
        "kind": "colorcnn",
        "dataset": "nothing",
        "sha256": hash_of("gray-steps"),
        "device": "cpu",
    }
    assert not [name for name, _ in loading if name == "models_info"]
    assert value(ready, "models_info", digest=engine.catalog.digest) == 1


async def test_gpu_memory_is_reported_with_a_gpu(client: AsyncClient, engine: FakeEngine) -> None:
    without = await samples(client)
    engine.gpu_bytes = 1 << 30
    beside = await samples(client)

    assert value(without, "gpu_memory_bytes") is None
    assert value(beside, "gpu_memory_bytes") == 1 << 30


def test_an_engine_on_the_cpu_has_no_gpu_memory() -> None:
    assert ModelEngine(device="cpu").device_memory() is None


@pytest.mark.gpu
def test_an_engine_on_a_gpu_counts_its_tensors() -> None:
    import torch

    engine = ModelEngine(device="cuda")
    before = engine.device_memory()
    tensor = torch.zeros(1 << 20, dtype=torch.uint8, device="cuda")

    assert before is not None and engine.device_memory() == before + tensor.nbytes


async def test_the_process_is_measured(client: AsyncClient) -> None:
    scraped = await samples(client)

    assert (value(scraped, "process_resident_memory_bytes") or 0) > 10_000_000


async def test_applications_do_not_share_their_counts(client: AsyncClient, settings: Settings) -> None:
    await client.get("/models")
    async with running(fake_app(settings, FakeEngine())) as other:
        scraped = await samples(other)

    assert value(scraped, "requests_total", path="/models", method="GET", status="200") is None
