"""The response of /benchmark as lines of JSON."""

import json
from base64 import b64decode

import anyio
import pytest
from fastapi import FastAPI
from httpx import AsyncClient
from starlette.types import Message

from service.api import benchmark_lines
from service.benchmark import job
from tests.service.benchmark_client import BENCHMARK, LIGHT, SMALL, post, report
from tests.service.clients import exchange, problem
from tests.service.fakes import Gate
from tests.service.images import DRAWING, pixels_of
from tests.service.waiting import until

pytestmark = pytest.mark.anyio


async def test_lines_hold_the_content_of_the_json_report(client: AsyncClient) -> None:
    whole = await report(client, DRAWING, b"", **SMALL)
    streamed = await post(client, DRAWING, b"", accept="application/x-ndjson", **SMALL)

    lines = [json.loads(line) for line in streamed.text.splitlines()]
    assert streamed.headers["content-type"] == "application/x-ndjson"
    assert "content-length" not in streamed.headers
    rows = ["row", "progress"] * 4
    assert [next(iter(line)) for line in lines] == ["progress", "image", *rows, "image", *rows, "summary"]
    assert {len(line) for line in lines} == {1}
    assert [line["progress"] for line in lines if "progress" in line] == [{"done": n, "total": 8} for n in range(9)]
    assert [line["image"] for line in lines if "image" in line] == whole["images"]
    timeless = [{**line["row"], "milliseconds": 0} for line in lines if "row" in line and "error" not in line["row"]]
    assert timeless == [{**row, "milliseconds": 0} for row in whole["rows"] if "error" not in row]
    assert lines[-1]["summary"][0]["bytes"] == whole["summary"][0]["bytes"]


@pytest.mark.parametrize("accept", ["application/json", "application/x-ndjson"])
async def test_tiles_are_small_pictures_of_originals_and_results(client: AsyncClient, accept: str) -> None:
    response = await post(client, DRAWING, accept=accept, tiles="true", colors="2,4", methods="median_cut")

    lines = [json.loads(line) for line in response.text.splitlines()]
    whole = {"images": [line["image"] for line in lines if "image" in line]} if len(lines) > 1 else lines[0]
    rows = whole.get("rows") or [line["row"] for line in lines if "row" in line]
    pictures = [pixels_of(b64decode(each["tile"])) for each in (*whole["images"], *rows)]
    assert [picture.shape for picture in pictures] == [(144, 240, 3)] * 3  # 24 x 40, six times as large
    for picture in pictures:
        left, right = picture[:, :120].mean(), picture[:, 120:].mean()
        assert left + 60 < right  # of a ramp from dark to light


async def test_without_the_option_there_are_no_tiles(client: AsyncClient) -> None:
    for accept in ("application/json", "application/x-ndjson"):
        response = await post(client, DRAWING, accept=accept, colors="2", methods="octree")
        assert response.status_code == 200
        assert response.text.count('"tile":null') == 2


async def test_too_many_tiles_are_refused_before_any_work(client: AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job, "MOST_TILES", 3)

    response = await post(client, DRAWING, accept="application/x-ndjson", tiles="true", colors="2,4,8")

    assert problem(response) == (422, "bad-option")
    assert "tiles" in response.json()["detail"]


@pytest.mark.parametrize("first", [True, False], ids=["working", "waiting"])
async def test_lines_repeat_the_progress_while_nothing_happens(
    app: FastAPI, client: AsyncClient, gate: Gate, first: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(benchmark_lines, "SILENCE", 0.001)
    leave, sent = anyio.Event(), list[Message]()
    async with anyio.create_task_group() as tasks:
        if not first:
            tasks.start_soon(post, client, LIGHT)
            await gate.waiting.wait()
        tasks.start_soon(lambda: exchange(app, BENCHMARK, "application/x-ndjson", leave=leave, sent=sent))
        await until(lambda: len(sent) > 4)
        leave.set()
        gate.opened.set()

    assert {message["body"] for message in sent[1:5]} == {b'{"progress":{"done":0,"total":2}}\n'}


async def test_the_first_line_leaves_before_the_first_row_also_where_compression_is_accepted(
    app: FastAPI, client: AsyncClient, gate: Gate
) -> None:
    leave, sent = anyio.Event(), list[Message]()
    async with anyio.create_task_group() as tasks:
        coding = "gzip, br, zstd"
        tasks.start_soon(
            lambda: exchange(app, BENCHMARK, "application/x-ndjson", leave=leave, sent=sent, coding=coding)
        )
        await gate.waiting.wait()
        await until(lambda: len(sent) > 1)  # and the gate is still closed
        gate.opened.set()
        await until(lambda: sent[-1].get("more_body") is False)
        leave.set()

    assert sent[1]["body"] == b'{"progress":{"done":0,"total":2}}\n'
    assert b"content-encoding" not in dict(sent[0]["headers"])
