"""A cluster of one machine: Ray, its HTTP proxy and the replicas, for the length of a block."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import ray
from ray import serve
from ray.serve.schema import LoggingConfig

from service.settings import Settings

_NAME = "colorcnn"
_OBJECT_STORE_BYTES = 256 * 1024 * 1024  # only Ray's Python proxy passes requests through it
_LOGS = LoggingConfig(log_level="WARNING", enable_access_log=False)  # each replica writes its own


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
