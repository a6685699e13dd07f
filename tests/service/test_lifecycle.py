"""Liveness never waits; readiness lasts from the end of warm-up to the shutdown; /models lists the loaded models."""

import logging
import os
from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch
from fastapi import FastAPI
from httpx import AsyncClient

from models.errors import CorruptCheckpoint, NotFinite
from models.names import DESCENT_METHODS, LEARNED_METHODS, ModelKind
from models.palette_image import PaletteImage
from models.quantizers.classical.catalog import CLASSICAL
from models.rgb import Pixels
from service.app import create_app
from service.benchmark.queue import Benchmarks
from service.inference.selection import Selection
from service.lifecycle import Phase, Service
from service.runtime.worker_process import WorkerProcess
from service.settings import Settings
from tests.service.clients import fake_app, fake_service, loaded, problem, ready, responses_of, running, samples, value
from tests.service.fake_loader import FakeLoader
from tests.service.fakes import MODELS, NATIVE_SIZE, FakeEngine, hash_of, in_thread
from tests.service.images import PHOTO, ramp
from tests.service.processes import workers_of

pytestmark = pytest.mark.anyio


async def test_a_loading_service_is_alive_and_not_ready(app: FastAPI, engine: FakeEngine) -> None:
    engine.may_load.clear()
    async with running(app) as client:
        alive = await client.get("/healthz")
        refused = [
            await client.get("/readyz"),
            await client.get("/models"),
            await client.post("/quantize", content=PHOTO),
        ]
        engine.may_load.set()
        await loaded(app)
        ready = await client.get("/readyz")

    assert (alive.status_code, alive.json()) == (200, {"status": "alive"})
    assert [problem(response) for response in refused] == [(503, "not-ready")] * 3
    assert {response.headers["retry-after"] for response in refused} == {"2"}
    assert "being loaded" in refused[0].json()["detail"]
    expected = {
        "status": "ready",
        "models_digest": engine.catalog.digest,
        "loaded": ["brightness"],
        "on_demand": ["second", "gray-steps"],
    }
    assert (ready.status_code, ready.json()) == (200, expected)


async def test_models_that_cannot_be_loaded_end_the_service(
    settings: Settings, engine: FakeEngine, caplog: pytest.LogCaptureFixture
) -> None:
    engine.broken = CorruptCheckpoint("the hash differs")
    calls: list[str] = []
    app = fake_app(settings, engine)
    app.state.service.on_broken = lambda: calls.append("broken")
    with caplog.at_level(logging.CRITICAL):
        async with running(app) as client:
            await loaded(app)
            responses = [await client.get("/healthz"), await client.get("/readyz")]

    assert [problem(response) for response in responses] == [(503, "not-ready")] * 2
    assert calls == ["broken"]
    assert "the hash differs" in caplog.text


async def test_the_service_ends_its_processes(engine: FakeEngine) -> None:
    processes = [WorkerProcess()]
    settings = Settings(compress_workers=1)
    benchmarks = Benchmarks(engine, settings, FakeLoader(), in_thread)
    app = create_app(Service(settings, engine, benchmarks, processes, processes))
    async with ready(app) as client:
        response = await client.post("/compress", content=PHOTO)
        at_work = workers_of(os.getpid())

    assert (response.status_code, len(at_work)) == (200, 1)
    assert workers_of(os.getpid()) == []


OUT_OF_MEMORY = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB.")
FAULTS = [
    NotFinite("the classifier gave probabilities that are not finite"),
    torch.AcceleratorError("CUDA error: an illegal memory access was encountered"),
    RuntimeError("cuDNN error: CUDNN_STATUS_EXECUTION_FAILED"),
    RuntimeError("CUDA driver error: unspecified launch failure"),
]


class Small(FakeEngine):
    """Engine with memory for one image."""

    def quantize_batch(self, images: Sequence[Pixels], colors: int, selection: Selection) -> list[PaletteImage]:
        quantized = super().quantize_batch(images, colors, selection)
        if len(images) > 1:
            raise OUT_OF_MEMORY
        return quantized


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: type(fault).__name__)
async def test_a_device_that_fails_ends_the_service(
    settings: Settings, engine: FakeEngine, fault: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    """No request gets a result of a broken device, and the process ends, so that it is started again."""
    calls: list[str] = []
    app = fake_app(settings, engine)
    app.state.service.on_broken = lambda: calls.append("broken")
    async with running(app) as client:
        await loaded(app)
        engine.bug = fault
        refused = await client.post("/quantize", content=PHOTO)
        engine.bug = None
        refusals = [await client.post(path, content=PHOTO) for path in ("/quantize", "/classify", "/compress")]
        app.state.service.drain()
        probes = [await client.get("/healthz"), await client.get("/readyz")]
        found = await samples(client)

    assert [problem(response) for response in (refused, *refusals, *probes)] == [(503, "not-ready")] * 6
    assert refused.headers["retry-after"] == "2"
    assert calls == ["broken"]
    [line] = [record.getMessage() for record in caplog.records if record.levelno == logging.CRITICAL]
    assert line == f"the device failed: {type(fault).__name__}: {fault}"
    assert (value(found, "ready"), value(found, "phase", colorcnn_phase="failed")) == (0, 1)


@pytest.mark.parametrize(
    ("bug", "expected"),
    [
        (OUT_OF_MEMORY, (503, "out-of-memory")),
        (MemoryError(), (503, "out-of-memory")),
        (
            RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling it"),
            (503, "out-of-memory"),
        ),
        (torch.AcceleratorError("CUDA error: out of memory"), (503, "out-of-memory")),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"), (503, "out-of-memory")),
        (RuntimeError("CUDA was never mentioned"), (500, "internal")),
    ],
)
async def test_an_error_of_one_image_does_not_end_the_service(
    client: AsyncClient, engine: FakeEngine, bug: Exception, expected: tuple[int, str]
) -> None:
    engine.bug = bug
    refused = await client.post("/quantize", content=PHOTO)
    engine.bug = None
    after = await client.post("/quantize", content=PHOTO)

    assert (problem(refused), after.status_code) == (expected, 200)
    assert ("retry-after" in refused.headers) is (refused.status_code == 503)


async def test_a_batch_without_enough_memory_is_done_one_by_one(settings: Settings) -> None:
    engine = Small()
    responses = await responses_of(fake_app(settings, engine), engine, [(ramp(NATIVE_SIZE, NATIVE_SIZE), 2, "0")] * 2)

    assert [response.status_code for response in responses] == [200, 200]
    assert engine.batches == [(1, 2), (2, 2), (1, 2), (1, 2)], "the first one keeps the device busy"


async def test_results_of_the_wrong_shape_end_the_service(
    settings: Settings, engine: FakeEngine, caplog: pytest.LogCaptureFixture
) -> None:
    engine.measured = ({"dataset": "toys", "rows": [{"method": "octree", "kept": 7}]},)
    calls: list[str] = []
    app = fake_app(settings, engine)
    app.state.service.on_broken = lambda: calls.append("broken")
    with caplog.at_level(logging.CRITICAL):
        async with running(app) as client:
            await loaded(app)
            response = await client.get("/benchmark")

    assert (problem(response), calls) == ((503, "not-ready"), ["broken"])
    assert "CorruptCheckpoint: the stored results of toys are damaged (results.0." in caplog.text


async def test_a_draining_service_is_not_ready(app: FastAPI, client: AsyncClient) -> None:
    app.state.service.drain()

    assert problem(await client.get("/readyz")) == (503, "not-ready")
    assert problem(await client.post("/quantize", content=PHOTO)) == (503, "not-ready")
    assert (await client.get("/healthz")).status_code == 200


@pytest.mark.parametrize("broken", [None, CorruptCheckpoint("the hash differs")])
async def test_a_service_that_drains_while_loading_does_not_get_ready(
    settings: Settings, engine: FakeEngine, broken: Exception | None
) -> None:
    calls: list[str] = []
    service = fake_service(settings, engine)
    service.on_broken = lambda: calls.append("broken")
    engine.broken = broken
    service.drain()
    await service.load()

    assert service.phase is Phase.DRAINING and calls == []


async def test_connections_stay_open_until_the_service_drains(app: FastAPI, client: AsyncClient) -> None:
    """Else a client could send its next request on a connection that closes, and lose it."""
    before = await client.get("/models")
    app.state.service.drain()
    after = [await client.get("/healthz"), await client.get("/models")]

    assert "connection" not in before.headers
    assert [response.headers["connection"] for response in after] == ["close"] * 2


async def test_the_end_of_the_lifespan_drains(app: FastAPI) -> None:
    async with running(app):
        await loaded(app)

    assert "shutting down" in app.state.service.phase.value


async def test_models_lists_the_methods_and_their_options(client: AsyncClient) -> None:
    report = (await client.get("/models")).json()

    assert report["methods"] == [*LEARNED_METHODS, *DESCENT_METHODS, *CLASSICAL, "nearest"]
    assert [method["name"] for method in report["method_details"]] == report["methods"]
    options = {method["name"]: method["options"] for method in report["method_details"]}
    assert options["refined"] == ["model", "fidelity", "transferable", "dither", "palette"]
    assert (options["colorcnn"], options["kmeans"]) == (["model", "fidelity"], [])


@pytest.mark.parametrize("method", [None, "small", "photograph"])
async def test_models_lists_the_defaults_by_the_size_of_the_image(engine: FakeEngine, method: str | None) -> None:
    """Sizes decide where photographs have defaults of their own and there is a network for smaller images."""
    network = {"method": "colorcnn", "model": "gray-steps", "classifier": "brightness", "classify": "brightness"}
    refined = {"method": "refined_fast", "model": "second", "classifier": "second", "classify": "second"}
    if method == "small":
        engine.catalog = replace(engine.catalog, photographs=False)
    if method == "photograph":
        engine.catalog = replace(engine.catalog, defaults={ModelKind.CLASSIFIER: "brightness"})
    async with ready(fake_app(Settings(), engine)) as client:
        defaults = (await client.get("/models")).json()["defaults"]

    sides = {None: 64, "small": None, "photograph": 0}
    assert defaults["largest_small_side"] == sides[method]
    assert defaults["small"] == (None if method == "photograph" else network)
    assert defaults["photograph"] == (None if method == "small" else refined)


async def test_models_lists_the_loaded_models(client: AsyncClient) -> None:
    report = (await client.get("/models")).json()

    assert [model["name"] for model in report["models"]] == list(MODELS)
    assert [model["name"] for model in report["models"] if model["default"]] == list(MODELS)
    assert report["transfer_classifiers"] == ["second", "brightness"]
    network = report["models"][2]
    assert network == {
        "name": "gray-steps",
        "kind": "colorcnn",
        "default": True,
        "architecture": "none",
        "dataset": "nothing",
        "classes": [],
        "size": 32,
        "crop": None,
        "colors": [2, 256],
        "classifier": "brightness",
        "guides": [],
        "fidelity": True,
        "cam": False,
        "loaded": False,
        "device": "cpu",
        "accuracy": {"top1": 0.5},
        "sha256": hash_of("gray-steps"),
    }
    assert [model["fidelity"] for model in report["models"]] == [False, False, True]
