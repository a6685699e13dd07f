"""Both clients against the application around the fake engine: results, errors, and attempts after 429 and 503."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from models.names import LEARNED_METHOD
from service.client import (
    AsyncClient,
    BadImage,
    BadOption,
    Client,
    Compressed,
    DeadlinePassed,
    NotReady,
    Quantized,
    RateLimited,
    Skipped,
    Unauthorized,
    UnexpectedResponse,
    Unreachable,
)
from service.schemas import problems
from service.schemas.benchmark_reports import BenchmarkRow
from tests.service.client.conftest import Connect
from tests.service.fakes import FakeEngine, hash_of
from tests.service.images import DRAWING

PIXELS = np.arange(8 * 8 * 3, dtype=np.uint8).reshape(8, 8, 3)


def test_quantize_returns_the_report_and_the_png(either: Any, tmp_path: Path) -> None:
    result = either.quantize(DRAWING, colors=2, method="median_cut")
    assert isinstance(result, Quantized)
    assert result.report.method == "median_cut" and len(result.palette) == 2
    assert result.image().mode == "P" and result.image().size == (result.report.width, result.report.height)
    assert result.save(tmp_path / "out.png").read_bytes() == result.png
    assert result.recognition and result.recognition.model == "brightness"
    assert result.request_id


def test_results_name_the_weights_that_made_them(either: Any) -> None:
    results = [either.quantize(DRAWING), either.classify(DRAWING), either.compress(DRAWING, colors=2, qp=40)]
    assert [result.report.model for result in results] == ["gray-steps", "brightness", "gray-steps"]
    assert [result.report.model_sha256 for result in results] == [hash_of(result.report.model) for result in results]
    assert {result.models_digest for result in results} == {FakeEngine.catalog.digest}
    assert either.models().models_digest == FakeEngine.catalog.digest
    assert either.quantize(DRAWING, format="webp").model_sha256 == hash_of("gray-steps")
    assert either.quantize(DRAWING, format="webp", method="kmeans").model_sha256 is None


def test_an_option_that_is_none_is_left_out(either: Any) -> None:
    assert either.quantize(DRAWING, method=None, recognize=False).report.method == LEARNED_METHOD


def test_arrays_and_files_are_images(either: Any, tmp_path: Path) -> None:
    file = tmp_path / "pixels.png"
    Image.fromarray(PIXELS).save(file)
    with file.open("rb") as opened, Image.open(file) as picture:
        images = (PIXELS, file, str(file), opened, picture)
        results = [either.quantize(image, colors=4, method="wu") for image in images]
    assert len({result.png for result in results}) == 1


def test_compress_has_every_file(either: Any, tmp_path: Path) -> None:
    result = either.compress(DRAWING, colors=2, qp=40)
    assert isinstance(result, Compressed)
    assert result.bpg[:4] == result.original_bpg[:4] == b"BPG\xfb"
    assert result.save(tmp_path / "out.bpg").read_bytes() == result.bpg
    assert result.image().size == (result.report.width, result.report.height)
    assert either.compress_file(DRAWING, colors=2, qp=40).data == result.bpg
    assert either.compress_file(DRAWING, "png", colors=2, qp=40).image().mode == "RGB"


def test_classify_names_the_best_class_and_draws_its_map(either: Any) -> None:
    result = either.classify(DRAWING, top_k=1, cam="top")
    assert result.label == result.predictions[0].label and 0 <= result.probability <= 1
    with Image.open(io.BytesIO(result.cam)) as drawn:
        assert drawn.format == "PNG"
    assert either.classify(DRAWING).cam is None


def test_models_lists_the_methods(either: Any) -> None:
    assert "median_cut" in either.models().methods


def test_a_benchmark_yields_its_rows_and_collects_the_rest(transport: httpx.ASGITransport, portal: Any) -> None:
    options: dict[str, Any] = {"methods": ["median_cut", "octree"], "colors": [2, 4]}

    async def rows() -> None:
        async with AsyncClient("http://service", transport=transport) as client:
            run = client.benchmark([DRAWING, b"no image"], **options)
            found = [(row.method, row.colors) async for row in run if isinstance(row, BenchmarkRow)]
            assert found == [("median_cut", 2), ("median_cut", 4), ("octree", 2), ("octree", 4)]
            assert (run.done, run.total, len(run.images), len(run.summary)) == (8, 8, 2, 4)

    portal.call(rows)


def test_a_blocking_benchmark_yields_the_same(connect: Connect, transport: httpx.ASGITransport) -> None:
    client = connect(transport)
    if isinstance(client, Client):
        run = client.benchmark(DRAWING, methods=["median_cut"], colors=[2])
        assert [(row.method, row.colors) for row in run] == [("median_cut", 2)]
        assert run.done == run.total == 1 and run.summary[0].method == "median_cut"
        run.close()


def test_the_sheet_and_the_page_come_whole(either: Any) -> None:
    options: dict[str, Any] = {"methods": ["median_cut"], "colors": [2]}
    assert either.contact_sheet(DRAWING, **options).image().mode in ("RGB", "P")
    assert either.benchmark_page(DRAWING, **options).lstrip().lower().startswith("<!doctype html>")


def test_a_problem_becomes_its_exception(either: Any) -> None:
    with pytest.raises(BadImage) as found:
        either.quantize(b"no image")
    assert found.value.status == 400 and found.value.type == "urn:colorcnn:problem:bad-image"
    assert found.value.title == problems.BAD_IMAGE.title
    assert found.value.request_id and str(found.value) == found.value.detail


@pytest.mark.parametrize("options", [{"colors": 1}, {"color": 4}, {"fidelity": 2.0}, {"effort": "much"}])
def test_a_bad_option_is_found_before_anything_is_sent(options: dict[str, Any]) -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise AssertionError("sent")

    with Client(transport=httpx.MockTransport(refuse)) as client, pytest.raises(BadOption) as found:
        client.quantize(DRAWING, **options)
    assert next(iter(options)) in found.value.detail


def _problem(kind: problems.Problem, headers: dict[str, str] | None = None) -> httpx.Response:
    body = {"type": kind.type, "title": kind.title, "status": kind.status, "detail": "Later."}
    return httpx.Response(kind.status, json=body, headers={**(headers or {}), "Content-Type": problems.MEDIA_TYPE})


class Clock:
    """Time that passes only in sleeps."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


Answer = httpx.Response | Exception


def _answers(*answers: Answer) -> Callable[[httpx.Request], httpx.Response]:
    """Return a handler that gives the answers in order, the last one for ever."""
    left = list(answers)

    def handle(request: httpx.Request) -> httpx.Response:
        answer = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    return handle


def _connected(connect: Connect, clock: Clock, timeout: float, *answers: Answer) -> Any:
    transport = httpx.MockTransport(_answers(*answers))
    return connect(transport, clock=clock, sleep=clock.sleep, timeout=timeout)


@pytest.mark.parametrize("kind", [problems.RATE_LIMITED, problems.QUEUE_FULL, problems.NOT_READY])
def test_a_call_waits_as_long_as_the_service_asks(connect: Connect, kind: problems.Problem) -> None:
    clock = Clock()
    busy = _problem(kind, {"Retry-After": "3"})
    client = _connected(connect, clock, 60, busy, busy, httpx.Response(400, text="done"))
    with pytest.raises(UnexpectedResponse, match="done"):
        client.models()
    assert clock.slept == [3, 3]


def test_a_response_without_a_time_is_asked_for_again_ever_later(connect: Connect) -> None:
    clock = Clock()
    client = _connected(connect, clock, 5, httpx.Response(503, text="proxy"))
    with pytest.raises(UnexpectedResponse) as found:
        client.models()
    assert clock.slept == [0.25, 0.5, 1, 2] and found.value.status == 503


def test_a_wait_beyond_the_deadline_is_an_error_at_once(connect: Connect) -> None:
    clock = Clock()
    with pytest.raises(RateLimited) as limited:
        _connected(connect, clock, 10, _problem(problems.RATE_LIMITED, {"Retry-After": "10"})).models()
    with pytest.raises(NotReady):
        _connected(connect, clock, 10, _problem(problems.NOT_READY, {"Retry-After": "7"})).models()
    assert limited.value.status == 429 and clock.slept == [7]


def test_a_date_says_how_long_to_wait(connect: Connect) -> None:
    clock = Clock()
    past = _problem(problems.QUEUE_FULL, {"Retry-After": "Sun, 06 Nov 1994 08:49:37 GMT"})
    with pytest.raises(UnexpectedResponse):
        _connected(connect, clock, 10, past, httpx.Response(400)).models()
    assert clock.slept == [0]


def test_a_refused_connection_is_tried_again_a_few_times(connect: Connect) -> None:
    clock = Clock()
    with pytest.raises(Unreachable, match="http://service/ cannot be reached"):
        _connected(connect, clock, 60, httpx.ConnectError("refused")).models()
    assert clock.slept == [0.25, 0.5, 1]


def test_a_broken_connection_is_not_tried_again(connect: Connect) -> None:
    clock = Clock()
    with pytest.raises(Unreachable, match="broke"):
        _connected(connect, clock, 60, httpx.RemoteProtocolError("gone")).models()
    with pytest.raises(DeadlinePassed, match="60 seconds"):
        _connected(connect, clock, 60, httpx.ReadTimeout("slow")).models()
    assert clock.slept == []


def test_the_key_is_sent(connect: Connect) -> None:
    keys: list[str] = []

    def handle(request: httpx.Request) -> httpx.Response:
        keys.append(request.headers["Authorization"])
        return _problem(problems.UNAUTHORIZED)

    with pytest.raises(Unauthorized):
        connect(httpx.MockTransport(handle), api_key="a key").models()
    assert keys == ["Bearer a key"]


@pytest.mark.parametrize("body", ["", "<html>", "[]", '{"method": 3}'])
def test_a_body_that_nobody_can_read_is_an_error(connect: Connect, body: str) -> None:
    client = connect(httpx.MockTransport(_answers(httpx.Response(200, text=body))))
    with pytest.raises(UnexpectedResponse):
        client.quantize(DRAWING)
    with pytest.raises(UnexpectedResponse):
        client.models()


def test_a_response_without_content_is_skipped(connect: Connect) -> None:
    notes = {"X-Image-Notes": "EXIF orientation applied; caf%C3%A9"}
    client = connect(httpx.MockTransport(_answers(httpx.Response(204, headers=notes))))
    assert client.quantize(DRAWING) == Skipped(("EXIF orientation applied", "café"))


def test_keys_of_a_later_version_are_left_out(connect: Connect, transport: httpx.ASGITransport) -> None:
    report = connect(transport).models()
    later = report.model_dump(mode="json") | {"new": 1}
    later["models"][0]["new"] = {"deep": 2}
    assert connect(httpx.MockTransport(_answers(httpx.Response(200, json=later)))).models() == report


def test_several_images_keep_their_order_and_their_errors(connect: Connect, transport: httpx.ASGITransport) -> None:
    report = connect(transport).quantize(DRAWING, method="wu").report.model_dump()
    error = {"type": problems.BAD_IMAGE.type, "title": "t", "status": 400, "detail": "d", "instance": "urn:x"}
    images = [{"name": "a", "report": report, "error": None}, {"name": "b", "report": None, "error": error}]
    client = connect(httpx.MockTransport(_answers(httpx.Response(200, json={"images": images}))))
    first, second = client.quantize_many([DRAWING, DRAWING], shared_palette=False)
    assert isinstance(first, Quantized) and first.report.method == "wu"
    assert isinstance(second, BadImage) and second.detail == "d"


def test_an_address_needs_a_scheme() -> None:
    with pytest.raises(ValueError, match="http://"):
        Client("localhost:8000")
