"""The application factory."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import anyio
from fastapi import Depends, FastAPI
from starlette.middleware.cors import CORSMiddleware

from service.api import openapi
from service.api.routes import probes, router
from service.benchmark.loader import ModelLoader
from service.benchmark.runner import Benchmarks
from service.http import problems
from service.http.auth import auth_dependencies
from service.http.load_shedding import LoadShedding
from service.http.middleware import RequestContext
from service.inference.engine import Engine
from service.inference.model_engine import ModelEngine
from service.lifecycle import Service
from service.metrics import Metrics
from service.runtime.worker_process import Run, WorkerProcess
from service.settings import Settings


class _Application(FastAPI):
    """FastAPI, with the schemas that our operations refer to."""

    def openapi(self) -> dict[str, Any]:
        schema = super().openapi()
        schema.setdefault("components", {}).setdefault("schemas", {}).update(openapi.components())
        return schema


def create_app(
    settings: Settings | None = None,
    engine: Engine | None = None,
    benchmarks: Benchmarks | None = None,
    encoders: Sequence[Run] | None = None,
    *,
    on_broken: Callable[[], None] | None = None,
) -> FastAPI:
    """Build the application; nothing is loaded before its lifespan starts.

    Args:
        settings: None reads the environment.
        engine: None serves the models of the registry that `settings` points to.
        benchmarks: None runs them with the same models in a process of their own.
        encoders: what runs the encodings of /compress, each one at a time; None takes as many processes as is set.
        on_broken: called once if the models cannot be loaded or the device fails.

    Raises:
        pydantic.ValidationError: the environment holds a setting that makes no sense.
        NoSuchDevice: the device of the settings is not there.
    """
    settings = settings or Settings()
    engine = engine or _model_engine(settings)
    processes = [WorkerProcess() for _ in range(1 + settings.compress_workers)]  # of which none runs before it is used
    benchmarks = benchmarks or _benchmarks(engine, settings, processes[0])
    encoders = encoders or processes[1:]
    service = Service(settings, engine, benchmarks, encoders, on_broken)
    app = _Application(
        title="ColorCNN service",
        description=openapi.DESCRIPTION,
        version=_version(),
        lifespan=_lifespan,
        redoc_url=None,
        swagger_ui_oauth2_redirect_url=None,
        telemetry={"auto_configure": True},  # exports only where OTEL_EXPORTER_OTLP_* names an endpoint
        redirect_slashes=False,
    )
    app.state.service = service
    app.state.processes = processes
    app.state.metrics = Metrics(service)
    app.add_middleware(LoadShedding, checks=dict.fromkeys(("/quantize", "/classify"), service.require_capacity))
    if settings.cors_origins:
        _let_in(app, settings.cors_origins.split(","))
    app.add_middleware(RequestContext, service=service, metrics=app.state.metrics)
    problems.install(app, retry_after=settings.retry_after)
    app.include_router(probes)
    checks = auth_dependencies(settings)
    app.include_router(
        router,
        dependencies=[Depends(check) for check in checks.values()],
        responses=openapi.problem_responses(tuple(checks)),
    )
    return app


def _let_in(app: FastAPI, origins: Sequence[str]) -> None:
    """Scripts of pages of these origins may ask, and read every header of the answer."""
    methods, every = ["GET", "POST"], ["*"]
    app.add_middleware(
        CORSMiddleware, allow_origins=origins, allow_methods=methods, allow_headers=every, expose_headers=every
    )


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Load in the background: liveness is answered from the first moment on, readiness when the models are warm."""
    service: Service = app.state.service
    try:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(service.start)
            async with service.device.serving():
                yield
                service.drain()
            tasks.cancel_scope.cancel()
    finally:
        for process in app.state.processes:
            await process.end()


def _model_engine(settings: Settings) -> ModelEngine:
    return ModelEngine(
        settings.models_folder,
        device=settings.device,
        default_classifier=settings.default_classifier,
        default_colorcnn=settings.default_colorcnn,
    )


def _benchmarks(engine: Engine, settings: Settings, run: Run) -> Benchmarks:
    return Benchmarks(engine, settings, ModelLoader(settings.models_folder, engine.device), run)


def _version() -> str:
    try:
        return version("colorcnn-service")
    except PackageNotFoundError:  # run from a source tree that is not installed
        return "0+source"
