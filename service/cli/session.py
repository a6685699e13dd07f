"""The service of a run: one in this process, or a running one behind an address. Both are used by the same client."""

from __future__ import annotations

import logging
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import anyio
import click
import httpx
from pydantic import ValidationError

from models import threads
from service.client import AsyncClient
from service.settings import Settings, variable

if TYPE_CHECKING:
    from service.lifecycle import Service

_LONG = 3600  # seconds; a person who waits stops the command, where a service protects itself
_POLL = 0.01  # seconds between looks at a service that loads
_TIMEOUT = 1e6  # seconds; in this process the settings limit the time


@dataclass(frozen=True)
class Target:
    """Where the work is done.

    server: address of a running service; None for this process. api_key: key for that service. timeout: seconds that an
    image may take there, with attempts. networks: whether a network is needed. jobs: images at once.
    """

    server: str | None
    api_key: str | None
    timeout: float
    networks: bool
    jobs: int


@asynccontextmanager
async def connected(target: Target) -> AsyncIterator[AsyncClient]:
    """Yield a client of the service of a run.

    Raises click.ClickException where the settings, the device or the models of this machine are at fault.
    """
    if target.server:
        try:
            client = AsyncClient(target.server, api_key=target.api_key, timeout=target.timeout)
        except ValueError as error:
            raise click.UsageError(f"--server: {error}") from None
        async with client:
            yield client
    else:
        async with _in_process(target) as client:
            yield client


@asynccontextmanager
async def _in_process(target: Target) -> AsyncIterator[AsyncClient]:
    threads.configure()  # before torch is imported
    log = _silence()
    service = _build(_settings(target.jobs), networks=target.networks)
    from service.app import create_app
    from service.lifecycle import Phase

    app = create_app(service)
    async with app.router.lifespan_context(app):
        while service.phase is Phase.LOADING:
            await anyio.sleep(_POLL)
        if service.phase is not Phase.READY:
            raise click.ClickException(log.last or service.phase.value)
        transport = _Transport(app, raise_app_exceptions=False)
        async with AsyncClient("http://colorcnn", timeout=_TIMEOUT, transport=transport) as client:
            yield client


class _Transport(httpx.ASGITransport):
    """Transport to the service of this process, where compression would be a waste."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        request.headers["Accept-Encoding"] = "identity"
        return await super().handle_async_request(request)


def _build(settings: Settings, *, networks: bool) -> Service:
    from service.app import build_classical_service, build_service

    if not networks:
        return build_classical_service(settings)
    from service.inference.networks import NoSuchDevice

    try:
        return build_service(settings, warm=False)
    except NoSuchDevice as error:
        raise click.ClickException(str(error)) from None


def _settings(jobs: int) -> Settings:
    """Return the settings of the environment, where those that protect a service from many clients give way.

    A network is loaded by the first image that needs it.
    """
    try:
        settings = Settings()
    except ValidationError as error:
        lines = [f"{variable('.'.join(map(str, item['loc'])))}: {item['msg']}" for item in error.errors()]
        raise click.UsageError("\n".join(lines)) from None
    patience = ("queue_timeout", "request_timeout", "compress_timeout", "benchmark_timeout")
    changes: dict[str, Any] = {name: _LONG for name in patience if name not in settings.model_fields_set}
    changes |= {"api_keys": None, "rate_limit": None, "cors_origins": None}
    changes |= {name: max(2 * jobs, getattr(settings, name)) for name in ("queue_size", "compress_queue_size")}
    if "load" not in settings.model_fields_set:
        changes["load"] = "none"
    return settings.model_copy(update=changes)


class _Kept(logging.Handler):
    """Shows no record, and keeps the message of the last critical one."""

    def __init__(self) -> None:
        super().__init__(logging.CRITICAL)
        self.last = ""

    def emit(self, record: logging.LogRecord) -> None:
        self.last = record.getMessage()


def _silence() -> _Kept:
    """Keep the log of the service and the warnings of libraries from the terminal; return the handler instead."""
    kept = _Kept()
    for name in ("colorcnn", "asyncio", "python_multipart"):
        logger = logging.getLogger(name)
        logger.addHandler(kept)
        logger.propagate = False
    logging.captureWarnings(True)
    logging.getLogger("py.warnings").propagate = False
    if not sys.warnoptions:
        logging.getLogger("py.warnings").addHandler(logging.NullHandler())
    return kept
