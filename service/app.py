"""The whole service: `build_service` assembles it from settings, `create_app` puts the HTTP interface around it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from fastapi import Depends, FastAPI
from fastapi.routing import APIRoute

from service.api.openapi import document
from service.api.openapi.responses import problem_responses
from service.api.quantizing import Quantizing
from service.api.routes import probes, router
from service.api.v2 import routes as v2
from service.api.v2.operations import error_responses
from service.api.web import web
from service.benchmark.no_loader import NoLoader
from service.benchmark.queue import Benchmarks
from service.benchmark.worker import Loader
from service.http import problems
from service.http.auth import access_dependencies
from service.http.cross_origin import CrossOrigin
from service.http.encoded_responses import EncodedResponses
from service.http.load_shedding import LoadShedding
from service.http.middleware import RequestContext
from service.inference.classical_engine import ClassicalEngine
from service.inference.engine import Engine
from service.lifecycle import Service
from service.metrics import Metrics
from service.runtime.worker_process import WorkerProcess
from service.settings import Settings


def build_service(settings: Settings, *, warm: bool = True) -> Service:
    """Assemble a service around the models that `settings` name; nothing is loaded before the service runs.

    warm: whether methods without a network and encoders run once at the start, so that no first request is slow.

    Raises:
        NoSuchDevice: the machine lacks the device of the settings.
    """
    # Imported here, because importing torch takes seconds, which `build_classical_service` need not wait for.
    from service.benchmark.loader import ModelLoader
    from service.inference.model_engine import ModelEngine

    engine = ModelEngine(
        settings.models_folder,
        device=settings.device,
        default_classifier=settings.default_classifier,
        default_colorcnn=settings.default_colorcnn,
        photograph_defaults=settings.photograph_defaults,
        default_photograph_classifier=settings.default_photograph_classifier,
        load=settings.load,
    )
    return _assemble(settings, engine, ModelLoader(settings.models_folder, engine.device), warm=warm)


def build_classical_service(settings: Settings) -> Service:
    """Assemble a service around the methods without a network; it has no classifier, and imports no torch."""
    return _assemble(settings, ClassicalEngine(), NoLoader(), warm=False)


def _assemble(settings: Settings, engine: Engine, loader: Loader, *, warm: bool) -> Service:
    processes = [WorkerProcess() for _ in range(1 + settings.compress_workers)]  # each starts at its first use
    worker, *encoders = processes
    benchmarks = Benchmarks(engine, settings, loader, worker)
    return Service(settings, engine, benchmarks, encoders, processes, warm=warm)


def create_app(service: Service) -> FastAPI:
    """Return the HTTP interface of `service`, which runs for the lifespan of the application."""
    app = _Application(
        title=document.TITLE,
        summary=document.SUMMARY,
        description=document.DESCRIPTION,
        version=_version(),
        license_info=document.LICENSE,
        contact=document.CONTACT,
        servers=document.SERVERS,
        openapi_tags=document.TAGS,
        generate_unique_id_function=_operation_id,
        lifespan=_lifespan,
        docs_url=None,  # service/api/web.py serves the page without loading anything from elsewhere
        redoc_url=None,
        telemetry={"auto_configure": True},  # exports only where OTEL_EXPORTER_OTLP_* names an endpoint
        redirect_slashes=False,
    )
    app.state.service = service
    app.state.metrics = Metrics(service)
    app.state.quantizing = Quantizing(
        service.pipeline, lambda: service.models_digest, partial(app.state.metrics.observe_stages, "/quantize")
    )
    _add_middleware(app, service, app.state.metrics)
    problems.install(app, retry_after=service.settings.retry_after)
    _add_routes(app, service.settings)
    return app


class _Application(FastAPI):
    """FastAPI, with the schemas that our operations refer to."""

    def openapi(self) -> dict[str, Any]:
        return document.complete(super().openapi())


def _operation_id(route: APIRoute) -> str:
    """Return the name of the handler: the name of the function in generated clients."""
    return route.name


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    async with app.state.service.running():
        yield


def _add_middleware(app: FastAPI, service: Service, metrics: Metrics) -> None:
    """The middleware added last is the outermost."""
    app.add_middleware(EncodedResponses)
    paths = ("/quantize", "/classify", *v2.INFER_PATHS)
    app.add_middleware(LoadShedding, checks=dict.fromkeys(paths, service.require_capacity))
    origins = service.settings.cors_origins
    app.add_middleware(CrossOrigin, origins=origins.split(",") if origins else ())
    app.add_middleware(
        RequestContext,
        is_ending=lambda: service.is_ending,
        models_digest=lambda: service.models_digest,
        count=metrics.count_request,
    )


def _add_routes(app: FastAPI, settings: Settings) -> None:
    app.include_router(probes)
    app.include_router(v2.probes)
    app.include_router(web)
    checks = access_dependencies(settings)
    dependencies = [Depends(check) for check in checks.values()]
    app.include_router(router, dependencies=dependencies, responses=problem_responses(tuple(checks)))
    app.include_router(v2.router, dependencies=dependencies, responses=error_responses(tuple(checks)))


def _version() -> str:
    try:
        return version("colorcnn-service")
    except PackageNotFoundError:  # run from a source tree that is not installed
        return "0+source"
