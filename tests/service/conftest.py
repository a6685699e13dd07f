"""An application around the fake engine, and a client that talks to it over ASGI."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import pytest
from fastapi import FastAPI
from httpx import ASGITransport, AsyncClient

from service.app import create_app
from service.benchmark.runner import Benchmarks
from service.lifecycle import Phase
from service.settings import Settings
from tests.service.fake_loader import FakeLoader
from tests.service.fakes import FakeEngine, in_thread

PATIENCE = 30.0  # seconds that anything may take before a test gives up; nothing takes them


@asynccontextmanager
async def running(app: FastAPI) -> AsyncIterator[AsyncClient]:
    """The application between start and stop, not necessarily ready, and a client for it."""
    async with (
        app.router.lifespan_context(app),
        AsyncClient(transport=ASGITransport(app), base_url="http://service") as client,
    ):
        yield client


async def loaded(app: FastAPI) -> None:
    """Wait until the models are loaded, or cannot be."""
    with anyio.fail_after(PATIENCE):
        while app.state.service.phase is Phase.LOADING:
            await anyio.sleep(0.002)


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("COLORCNN_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine()


@pytest.fixture
def settings() -> Settings:
    return Settings(max_upload_bytes=1_000_000, queue_size=3, workers=2, compress_queue_size=2, benchmark_queue_size=2)


@pytest.fixture
def app(settings: Settings, engine: FakeEngine) -> FastAPI:
    return create_app(settings, engine, Benchmarks(engine, settings, FakeLoader(), in_thread), [in_thread])


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[AsyncClient]:
    """A client of an application that is ready."""
    async with running(app) as client:
        await loaded(app)
        yield client
