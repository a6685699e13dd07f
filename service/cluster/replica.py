"""One replica: the service of a single machine, with its own batches and limits, in a process of Ray Serve."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from ray import serve
from starlette.types import ASGIApp

from service.cluster import weights
from service.cluster.environment import has_haproxy
from service.cluster.options import ClusterOptions
from service.cluster.responses import BehindRay
from service.lifecycle import Service
from service.settings import Settings

# The service rejects what its own queues cannot hold, with a problem that says so. Ray must not reject it earlier.
_MOST_REQUESTS = 100_000

Build = Callable[[Settings], Service]


class Replica:
    """The ASGI application of a service, which starts when its models are loaded and ends with its last request.

    build: assembles the service. digest: of the models that the application was deployed with; None accepts any.

    Raises:
        OtherModels: this machine has other models.
    """

    def __init__(self, options: ClusterOptions, build: Build, digest: str | None) -> None:
        from models import threads
        from service.app import create_app
        from service.runtime import logs
        from service.runtime.memory import limit_arenas

        threads.configure()
        limit_arenas()
        settings = options.service_settings()
        logs.configure(settings.log_level, settings.log_format)
        if digest is not None:
            weights.require(settings.models_folder, digest)
        self._service = build(settings)
        self._application = create_app(self._service)
        _start_when_loaded(self._application, self._service)

    def __serve_build_asgi_app__(self) -> ASGIApp:
        """Return the application; Ray calls this after the constructor."""
        return BehindRay(self._application, one_by_one=has_haproxy())

    async def check_health(self) -> None:
        """Raise NotReady when only a new replica can help; Ray then replaces this one."""
        self._service.require_alive()


def _start_when_loaded(application: FastAPI, service: Service) -> None:
    """Make the start of the application wait for the models: Ray sends requests to a replica that has started."""
    running = application.router.lifespan_context

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[Any]:
        async with running(app) as state:
            await service.loaded()
            yield state

    application.router.lifespan_context = lifespan


def deployment(options: ClusterOptions, build: Build, digest: str | None = None) -> serve.Application:
    """Return the application of Ray Serve with the replicas that `options` describe.

    The other arguments are those of `Replica`.
    """
    settings = options.service_settings()
    configured = serve.deployment(
        name="service",
        max_ongoing_requests=_MOST_REQUESTS,
        graceful_shutdown_timeout_s=settings.shutdown_timeout,
        health_check_period_s=5,
        health_check_timeout_s=10,
        ray_actor_options={"num_cpus": options.cpus, "num_gpus": options.gpus},
        **_number(options),
    )
    return configured(serve.ingress()(Replica)).bind(options, build, digest)


def _number(options: ClusterOptions) -> dict[str, Any]:
    """Return the arguments of a deployment that set its number of replicas."""
    if options.max_replicas is None or options.max_replicas == options.min_replicas:
        return {"num_replicas": options.min_replicas}
    bounds = {"min_replicas": options.min_replicas, "max_replicas": options.max_replicas}
    return {"autoscaling_config": bounds | {"target_ongoing_requests": options.target_requests}}
