"""A cluster of one machine: Ray, its HTTP proxy and the replicas, for the length of a block."""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import ray
from ray import serve
from ray.serve.schema import LoggingConfig

from service.cluster.options import ClusterOptions
from service.settings import Settings

_NAME = "colorcnn"
_OBJECT_STORE_BYTES = 256 * 1024 * 1024  # only Ray's Python proxy passes requests through it
_LOGS = LoggingConfig(log_level="WARNING", enable_access_log=False)  # each replica writes its own


class NoRoom(Exception):
    """The replicas reserve more than the machine has, or its address is taken."""


@contextmanager
def local_cluster(settings: Settings) -> Iterator[None]:
    """Start Ray with an HTTP proxy at the host and port of the settings; at the end, all its processes are gone.

    Requests in flight at the end get `shutdown_timeout` of the settings.
    """
    ray.init(include_dashboard=False, object_store_memory=_OBJECT_STORE_BYTES, logging_level=logging.WARNING)
    try:
        address = serve.HTTPOptions(host=settings.host, port=settings.port)
        serve.start(proxy_location="HeadOnly", http_options=address, logging_config=_LOGS)
        yield
    finally:
        serve.shutdown()  # type: ignore[no-untyped-call]
        ray.shutdown()


def require_address(settings: Settings) -> None:
    """Raise NoRoom unless the host and the port of the settings are free: HAProxy would report it in ten pages."""
    if settings.port == 0:
        raise NoRoom("replicas need one port that clients know; set COLORCNN_PORT to a number above 0")
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        socket.create_server((settings.host, settings.port), family=family).close()
    except OSError as error:
        reason = error.strerror or error
        raise NoRoom(f"{settings.host} port {settings.port}: {reason}; set COLORCNN_HOST or COLORCNN_PORT") from error


def require_resources(options: ClusterOptions) -> None:
    """Raise NoRoom unless this machine has what the replicas reserve: Ray would wait for other machines."""
    found = ray.cluster_resources()  # type: ignore[no-untyped-call]
    for name, flag, each in (("CPU", "--cpus", options.cpus), ("GPU", "--gpus", options.gpus)):
        needed = each * options.min_replicas
        if needed > found.get(name, 0):
            raise NoRoom(
                f"{options.min_replicas} replicas reserve {needed:g} {name}s, and this machine has "
                f"{found.get(name, 0):g}: lower --replicas or {flag}"
            )


def deploy(application: serve.Application) -> None:
    """Deploy the application, or replace its replicas one by one; return when the replicas are ready.

    Raises:
        RuntimeError: the replicas do not start; the message has the error of the last one.
    """
    try:
        serve.run(application, name=_NAME, route_prefix="/", logging_config=_LOGS)
    except RuntimeError as error:
        deployments = serve.status().applications[_NAME].deployments.values()
        reasons = [_last_line(deployment.message) for deployment in deployments]
        raise RuntimeError(" ".join(filter(None, reasons)) or str(error)) from error


def _last_line(message: str) -> str:
    """Return the error at the end of a traceback."""
    return message.strip().rpartition("\n")[2]
