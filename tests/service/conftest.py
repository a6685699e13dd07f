"""An application around the fake engine, and a client that talks to it over ASGI."""

import os
from collections.abc import AsyncIterator

import pytest
from fastapi import FastAPI
from httpx import AsyncClient

from service.settings import Settings
from tests.service.clients import fake_app, ready
from tests.service.fakes import FakeEngine, Gate


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
    return fake_app(settings, engine)


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[AsyncClient]:
    """A client of an application that is ready."""
    async with ready(app) as client:
        yield client


@pytest.fixture
def gate(app: FastAPI, client: AsyncClient, monkeypatch: pytest.MonkeyPatch) -> Gate:
    """A gate in front of the worker process of benchmarks."""
    gate = Gate()
    monkeypatch.setattr(app.state.service.benchmarks, "work", gate)
    return gate
