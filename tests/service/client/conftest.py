"""Both clients in front of an application around the fake engine, called in the same way."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import httpx
import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal
from fastapi import FastAPI

from service.client import AsyncClient, Client
from tests.service.clients import ready

Connect = Callable[..., Any]
"""Returns a client with a transport; its methods block."""


class PortalTransport(httpx.BaseTransport):
    """Sends the requests of a blocking client through a transport of the event loop."""

    def __init__(self, portal: BlockingPortal, inner: httpx.AsyncBaseTransport) -> None:
        self._portal = portal
        self._inner = inner

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        return self._portal.call(self._exchange, request)

    async def _exchange(self, request: httpx.Request) -> httpx.Response:
        response = await self._inner.handle_async_request(request)
        if response.is_stream_consumed:  # made in memory
            return response
        body = b"".join([chunk async for chunk in response.aiter_raw()])  # still compressed
        return httpx.Response(response.status_code, headers=response.headers, content=body)


class Blocking:
    """An `AsyncClient` whose methods block."""

    def __init__(self, client: AsyncClient, portal: BlockingPortal) -> None:
        self._client = client
        self._portal = portal

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(*args: Any, **options: Any) -> Any:
            return self._portal.call(partial(self._run, getattr(self._client, name), *args, **options))

        return call

    @staticmethod
    async def _run(function: Callable[..., Any], /, *args: Any, **options: Any) -> Any:
        result = function(*args, **options)
        return await result if inspect.isawaitable(result) else result


@pytest.fixture
def portal() -> Iterator[BlockingPortal]:
    with start_blocking_portal() as portal:
        yield portal


@pytest.fixture
def transport(app: FastAPI, portal: BlockingPortal) -> Iterator[httpx.ASGITransport]:
    """A transport to the application, which is ready."""
    with portal.wrap_async_context_manager(ready(app)):
        yield httpx.ASGITransport(app)


@pytest.fixture(params=["Client", "AsyncClient"])
def connect(request: pytest.FixtureRequest, portal: BlockingPortal) -> Connect:
    """Return a function that makes one of the clients around an asynchronous transport."""

    def blocking(transport: httpx.AsyncBaseTransport, **arguments: Any) -> Any:
        return Client("http://service", transport=PortalTransport(portal, transport), **arguments)

    def awaited(transport: httpx.AsyncBaseTransport, **arguments: Any) -> Any:
        if sleep := arguments.get("sleep"):
            arguments["sleep"] = _as_async(sleep)
        return Blocking(AsyncClient("http://service", transport=transport, **arguments), portal)

    return blocking if request.param == "Client" else awaited


def _as_async(function: Callable[[float], None]) -> Callable[[float], Any]:
    async def call(value: float) -> None:
        function(value)

    return call


@pytest.fixture
def either(connect: Connect, transport: httpx.ASGITransport) -> Any:
    """One of the clients, connected to the application."""
    return connect(transport)
