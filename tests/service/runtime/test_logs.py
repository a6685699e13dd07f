"""The JSON form of the log: one object per line, whatever it contains."""

import io
import json
import logging
import subprocess
import sys
from typing import Any

import pytest
from httpx import AsyncClient
from hypothesis import given
from hypothesis import strategies as st

from models.prediction import Prediction
from service.runtime.logs import Event, JsonFormatter, request_id_here
from tests.service.fakes import FakeEngine
from tests.service.images import PHOTO
from tests.service.processes import ROOT


def record(message: object, *args: object, exc_info: Any = None) -> logging.LogRecord:
    return logging.LogRecord("colorcnn.test", logging.WARNING, __file__, 1, message, args, exc_info)


def formatted(record: logging.LogRecord) -> dict[str, Any]:
    line = JsonFormatter().format(record)
    assert len(line.splitlines()) == 1 and line.isascii()
    parsed: dict[str, Any] = json.loads(line)
    return parsed


def test_a_line_has_time_level_logger_and_message() -> None:
    found = record("%d models", 3)
    found.created = 0.25

    assert formatted(found) == {
        "time": "1970-01-01T00:00:00.250+00:00",
        "level": "warning",
        "logger": "colorcnn.test",
        "message": "3 models",
    }


def test_an_event_has_its_values_as_fields() -> None:
    event = Event("request", {"status": 200, "seconds": 0.25, "path": "/models"})

    line = formatted(record(event))

    assert (line["message"], line["status"], line["seconds"], line["path"]) == ("request", 200, 0.25, "/models")
    assert record(event).getMessage() == "status=200 seconds=0.25 path=/models"


def test_every_line_written_for_a_request_has_its_id() -> None:
    token = request_id_here.set("the-id")
    try:
        assert formatted(record("inside"))["request_id"] == "the-id"
    finally:
        request_id_here.reset(token)
    assert "request_id" not in formatted(record("outside"))


def test_an_exception_is_part_of_its_line() -> None:
    try:
        raise ValueError("two\nlines")
    except ValueError:
        line = formatted(record("it failed", exc_info=sys.exc_info()))

    assert line["message"] == "it failed"
    assert line["exception"].startswith("Traceback") and "ValueError: two\nlines" in line["exception"]


@given(st.text())
def test_no_text_can_forge_a_line(text: str) -> None:
    assert formatted(record("%s", text))["message"] == text


WRITES = """
import logging, sys, warnings
from service.runtime import logs
logs.configure("info", sys.argv[1])
logging.getLogger("colorcnn.test").debug("too much")
logging.getLogger("python_multipart.multipart").error("a line about each part of an upload")
logging.getLogger("uvicorn.error").info("Started server process [%d]", 7)
warnings.warn("of Python")
"""


def stderr_of(log_format: str) -> list[str]:
    command = [sys.executable, "-c", WRITES, log_format]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stderr.splitlines()


def test_json_is_written_to_stderr() -> None:
    started, warned = map(json.loads, stderr_of("json"))

    assert (started["logger"], started["message"]) == ("uvicorn.error", "Started server process [7]")
    assert warned["logger"] == "py.warnings" and "of Python" in warned["message"]


def test_the_text_format_has_level_logger_and_message() -> None:
    assert stderr_of("text")[0].endswith(" INFO uvicorn.error Started server process [7]")


@pytest.mark.anyio
async def test_each_request_is_logged_as_one_object(client: AsyncClient, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "colorcnn.access"):
        await client.post("/quantize?colors=1", content=PHOTO, headers={"X-Request-ID": "the-id"})

    [line] = [formatted(found) for found in caplog.records if found.name == "colorcnn.access"]
    assert line.pop("seconds") > 0 and line.pop("time") and line.pop("bytes_out") > 0
    assert line == {
        "level": "info",
        "logger": "colorcnn.access",
        "message": "request",
        "request_id": "the-id",
        "method": "POST",
        "path": "/quantize",
        "status": 422,
        "bytes_in": len(PHOTO),
        "client": "127.0.0.1",
        "problem": "bad-option",
    }


@pytest.mark.anyio
async def test_a_line_from_a_thread_of_the_engine_has_the_id_of_the_request(
    client: AsyncClient, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def predict(*_: object) -> list[tuple[Prediction, ...]]:
        logging.getLogger("colorcnn.test").error("from a thread")
        return [(Prediction("dark", 0, 1.0),)]

    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(JsonFormatter())
    logging.getLogger("colorcnn").addHandler(handler)
    monkeypatch.setattr(engine, "predict", predict)
    try:
        await client.post("/classify", content=PHOTO, headers={"X-Request-ID": "the-id"})
    finally:
        logging.getLogger("colorcnn").removeHandler(handler)

    [line] = map(json.loads, written.getvalue().splitlines())
    assert (line["message"], line["request_id"]) == ("from a thread", "the-id")
