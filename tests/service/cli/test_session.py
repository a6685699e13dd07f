"""The service of a run in this process: its settings, and the words of one that cannot start."""

from __future__ import annotations

import logging
import sys
from typing import Any

import click
import pytest

from models.errors import CorruptCheckpoint
from service.cli import session
from service.cli.run import in_loop
from service.cli.session import Target, connected
from service.settings import Settings
from tests.service.clients import fake_service
from tests.service.fakes import FakeEngine

HERE = Target(None, None, 1.0, networks=True, jobs=2)


def connect(target: Target) -> None:
    async def run() -> None:
        async with connected(target) as client:
            await client.models()

    in_loop(run)


def test_a_service_that_cannot_start_says_why(engine: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "_build", lambda settings, networks: fake_service(settings, engine))
    connect(HERE)
    engine.broken = CorruptCheckpoint("The file of x is damaged.")

    with pytest.raises(click.ClickException, match="The file of x is damaged"):
        connect(HERE)


def test_a_service_that_cannot_start_in_silence_names_its_phase(
    engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.broken = CorruptCheckpoint("damaged")
    monkeypatch.setattr(session, "_build", lambda settings, networks: fake_service(settings, engine))
    monkeypatch.setattr(session, "_silence", session._Kept)

    with pytest.raises(click.ClickException, match="could not be loaded"):
        connect(HERE)


def test_an_address_without_a_scheme_is_a_usage_error() -> None:
    with pytest.raises(click.UsageError, match="--server: "):
        connect(Target("localhost:8000", None, 1.0, networks=True, jobs=1))


def test_settings_that_protect_a_service_give_way() -> None:
    settings = session._settings(50)

    for name in ("queue_timeout", "request_timeout", "compress_timeout", "benchmark_timeout"):
        assert getattr(settings, name) == 3600
    assert (settings.queue_size, settings.compress_queue_size) == (100, 100)
    given_up = [getattr(settings, name) for name in ("api_keys", "rate_limit", "cors_origins", "load")]
    assert given_up == [None, None, None, "none"]


def test_settings_of_the_environment_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"QUEUE_SIZE": "7", "REQUEST_TIMEOUT": "9", "PRELOAD": "all", "RATE_LIMIT": "3"}.items():
        monkeypatch.setenv(f"COLORCNN_{name}", value)

    settings = session._settings(2)

    assert (settings.queue_size, settings.request_timeout, settings.load, settings.rate_limit) == (7, 9, "all", None)
    assert session._settings(5).queue_size == 10
    assert settings.queue_timeout == 3600


def test_a_setting_that_is_wrong_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLORCNN_WORKERS", "many")

    with pytest.raises(click.UsageError, match="COLORCNN_WORKERS: "):
        session._settings(1)


def test_only_the_last_critical_record_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "warnoptions", ["default"])
    loggers: list[Any] = [
        logging.getLogger(name) for name in ("colorcnn", "asyncio", "python_multipart", "py.warnings")
    ]
    before = [(logger, logger.propagate, list(logger.handlers)) for logger in loggers]
    try:
        kept = session._silence()
        logging.getLogger("colorcnn.test").critical("first %d", 1)
        logging.getLogger("colorcnn.test").critical("second %d", 2)
        logging.getLogger("colorcnn.test").error("an error")
        assert kept.last == "second 2"
        assert not any(logger.propagate for logger in loggers)
    finally:
        logging.captureWarnings(False)
        for logger, propagate, handlers in before:
            logger.propagate, logger.handlers[:] = propagate, handlers


def test_the_settings_of_one_job_are_those_of_a_service() -> None:
    assert session._settings(1).queue_size == Settings().queue_size
