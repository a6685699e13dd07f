"""The run of one job: a failure is an error of its image or its row, and of no other."""

from collections.abc import Callable
from typing import TypeVar, TypeVarTuple

import pytest
from fastapi import FastAPI
from httpx import AsyncClient

from models.evaluation.compare import Setting
from service.benchmark import worker
from service.benchmark.runner import EXPECTED
from service.http.problems import problem_of
from service.schemas.problems import INTERNAL
from service.settings import Settings
from tests.service.benchmark_client import LIGHT, MEDIA_TYPES, SMALL, post, report
from tests.service.clients import fake_app, ready
from tests.service.fakes import FakeEngine, in_thread
from tests.service.images import DRAWING

pytestmark = pytest.mark.anyio


Result = TypeVar("Result")
Arguments = TypeVarTuple("Arguments")


def test_every_expected_error_is_a_problem() -> None:
    """Else its detail would reach the client under the title of an internal error."""
    assert INTERNAL not in {problem_of(kind("")) for kind in EXPECTED}


async def test_a_broken_image_does_not_affect_the_others(client: AsyncClient) -> None:
    response = await report(client, DRAWING, b"no image", LIGHT, labels="0,0,1", **SMALL)

    first, broken, last = response["images"]
    assert ("error" in first, "error" in last) == (False, False)
    assert broken.keys() == {"image", "error"}
    assert broken["error"].keys() == {"type", "title", "status", "detail"}
    assert broken["error"]["type"] == "urn:colorcnn:problem:bad-image"
    assert [row.get("error") for row in response["rows"]] == [None] * 4 + [broken["error"]] * 4 + [None] * 4
    assert response["rows"][4].keys() == {"image", "method", "colors", "error"}
    assert {means["images"] for means in response["summary"]} == {2}


@pytest.mark.parametrize("accept", MEDIA_TYPES)
async def test_a_benchmark_of_broken_images_alone_has_a_response(client: AsyncClient, accept: str) -> None:
    response = await post(client, b"", b"x", accept=accept, **SMALL)

    assert response.status_code == 200
    assert response.headers["content-type"].startswith(accept)


@pytest.mark.parametrize(
    ("setting", "value", "name"),
    [("benchmark_max_pixels", 40 * 24 - 1, "too-large"), ("benchmark_timeout", 1e-9, "out-of-time")],
)
async def test_limits_are_errors_of_rows(engine: FakeEngine, setting: str, value: float, name: str) -> None:
    settings = Settings.model_validate({setting: value})
    async with ready(fake_app(settings, engine)) as client:
        response = await report(client, DRAWING, **SMALL)

    assert {row["error"]["type"] for row in response["rows"]} == {f"urn:colorcnn:problem:{name}"}
    assert response["images"][0]["error"]["type"] == f"urn:colorcnn:problem:{name}"
    assert response["summary"] == []


async def test_a_bug_is_an_error_of_its_row(
    client: AsyncClient, app: FastAPI, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def work(function: Callable[[*Arguments], Result], *args: *Arguments) -> Result:
        if any(isinstance(arg, Setting) and arg.colors == 4 for arg in args):
            raise ZeroDivisionError("secret")
        return await in_thread(function, *args)

    monkeypatch.setattr(app.state.service.benchmarks, "work", work)
    response = await client.post(
        "/benchmark",
        content=DRAWING,
        params={"methods": "octree", "colors": "2,4,8"},
        headers={"X-Request-ID": "the-bug"},
    )

    good, bad, other = response.json()["rows"]
    assert ("error" in good, "error" in other) == (False, False)
    assert (bad["error"]["type"], bad["error"]["status"]) == ("urn:colorcnn:problem:internal", 500)
    assert "the-bug" in bad["error"]["detail"] and "secret" not in response.text
    assert "the-bug" in caplog.text and "secret" in caplog.text


async def test_no_image_stays_in_memory(client: AsyncClient) -> None:
    await report(client, DRAWING, **SMALL)

    assert not worker._open
