"""POST and GET /benchmark, with the fake engine's networks, in threads instead of the worker process."""

import json
import logging
import threading
from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any, TypeVar, TypeVarTuple

import anyio
import pytest
from anyio import BrokenWorkerProcess
from fastapi import FastAPI
from httpx import AsyncClient, Response
from starlette.types import Message

from models.evaluation.compare import Setting
from models.evaluation.metrics import psnr
from service.api import benchmark_lines
from service.benchmark import job, page, queue, worker
from service.benchmark.job import image_names
from service.schemas.benchmark_reports import ResultsReport
from service.schemas.upload import UploadedFile
from service.settings import Settings
from tests.service.clients import exchange, fake_app, problem, ready
from tests.service.fake_loader import gray_steps
from tests.service.fakes import FakeEngine, Gate, in_thread
from tests.service.images import DRAWING, PHOTO, encoded, opened, ramp
from tests.service.waiting import PATIENCE, until

pytestmark = pytest.mark.anyio

Result = TypeVar("Result")
Arguments = TypeVarTuple("Arguments")

MEDIA_TYPES = ("application/json", "image/png", "text/html", "application/x-ndjson")
LIGHT = encoded(255 - ramp() // 4)
SMALL = {"colors": "2,4", "methods": "colorcnn,octree"}


def form(*images: bytes) -> list[tuple[str, tuple[str, bytes]]]:
    """The images as files a.png, b.png, ..."""
    return [("file", (f"{chr(ord('a') + position)}.png", image)) for position, image in enumerate(images)]


async def post(client: AsyncClient, *images: bytes, accept: str = "application/json", **options: Any) -> Response:
    return await client.post("/benchmark", files=form(*images), data=options, headers={"Accept": accept})


async def report(client: AsyncClient, *images: bytes, **options: Any) -> dict[str, Any]:
    response = await post(client, *images, **options)
    assert response.status_code == 200, response.text
    body: dict[str, Any] = response.json()
    return body


async def test_rows_go_through_images_then_methods_then_colors(client: AsyncClient) -> None:
    response = await report(client, DRAWING, LIGHT, **SMALL)

    places = [(row["image"], row["method"], row["colors"]) for row in response["rows"]]
    assert places == [(name, how, k) for name in ("a.png", "b.png") for how in ("colorcnn", "octree") for k in (2, 4)]
    assert (response["model"], response["classifier"]) == ("gray-steps", "brightness")
    assert {row["model"] for row in response["rows"] if row["method"] == "octree"} == {None}


async def test_both_ways_of_the_network_are_of_the_model_that_is_asked_for(client: AsyncClient) -> None:
    rows = (await report(client, DRAWING, methods="colorcnn,colorcnn_one_pass,octree", colors="3"))["rows"]
    assert [row["model"] for row in rows] == ["gray-steps", "gray-steps", None]


async def test_a_row_is_measured_on_the_file(client: AsyncClient) -> None:
    [row] = (await report(client, DRAWING, methods="colorcnn", colors="3"))["rows"]
    quantized = await client.post("/quantize", content=DRAWING, params={"colors": "3"})

    difference = ramp().astype(float) - gray_steps(ramp(), 3).render()
    assert row["bytes"] == len(quantized.content)
    assert row["bits_per_pixel"] == 8 * row["bytes"] / (40 * 24)
    assert row["payload_bits_per_pixel"] == 8 * (row["bytes"] - 69) / (40 * 24)
    assert row["mse"] == pytest.approx(float((difference**2).mean()))
    assert row["psnr"] == psnr(row["mse"])
    assert (row["colors_used"], row["label"], row["kept"], row["right"]) == (3, "dark", True, None)
    assert -1 <= row["ssim"] <= 1 and row["milliseconds"] > 0


async def test_images_are_described(client: AsyncClient) -> None:
    clear = encoded(ramp()[..., [0, 1, 2, 0]])

    first, second = (await report(client, LIGHT, clear, methods="octree", colors="2"))["images"]

    assert first == {
        "image": "a.png",
        "width": 40,
        "height": 24,
        "bytes": len(LIGHT),
        "label": "light",
        "probability": pytest.approx(0.9 * float((255 - ramp() // 4).mean()) / 255),
        "truth": None,
        "right": None,
        "notes": [],
    }
    assert "alpha" in second["notes"][0]


async def test_the_summary_is_the_mean_of_the_rows(client: AsyncClient) -> None:
    response = await report(client, DRAWING, LIGHT, labels="dark,dark", **SMALL)

    for means in response["summary"]:
        rows = [row for row in response["rows"] if (row["method"], row["colors"]) == (means["method"], means["colors"])]
        assert (means["images"], len(rows)) == (2, 2)
        assert means["bytes"] == sum(row["bytes"] for row in rows) / 2
        assert means["kept"] == sum(row["kept"] for row in rows) / 2
        assert means["top1"] == sum(row["right"] for row in rows) / 2
        assert means["psnr"] == pytest.approx(psnr(sum(row["mse"] for row in rows) / 2))
    assert len(response["summary"]) == 4


async def test_a_raw_body_and_defaults(client: AsyncClient) -> None:
    response = (await client.post("/benchmark", content=DRAWING)).json()

    methods = ("colorcnn", "median_cut", "octree", "kmeans")
    assert [image["image"] for image in response["images"]] == ["image-1"]
    assert [(row["method"], row["colors"]) for row in response["rows"]] == [
        (m, k) for m in methods for k in (2, 4, 8, 16)
    ]


async def test_lists_may_be_repeated_and_in_the_query(client: AsyncClient) -> None:
    response = await client.post(
        "/benchmark",
        params={"colors": "8"},
        files=form(DRAWING),
        data={"colors": ["2, 4", "3"], "methods": ["octree", "wu"]},
    )

    assert [row["colors"] for row in response.json()["rows"]] == [8, 2, 4, 3] * 2


@pytest.mark.parametrize(
    ("labels", "truths"),
    [
        ("dark,light", ["dark", "light"]),
        (["1", "déjà vu"], ["light", "déjà vu"]),
        ("0, 2", ["dark", "déjà vu"]),
    ],
)
async def test_labels_by_name_or_index(client: AsyncClient, labels: str | list[str], truths: list[str]) -> None:
    response = await report(client, DRAWING, LIGHT, methods="octree", colors="2", labels=labels)

    assert [image["truth"] for image in response["images"]] == truths
    assert [image["right"] for image in response["images"]] == [truths[0] == "dark", truths[1] == "light"]
    assert [row["right"] for row in response["rows"]] == [
        row["label"] == truth for row, truth in zip(response["rows"], truths, strict=True)
    ]


@pytest.mark.parametrize(
    ("options", "expected", "hint"),
    [
        ({"methods": "magic"}, (404, "unknown-method"), "magic"),
        ({"methods": "octree,"}, (422, "bad-option"), "methods"),
        ({"methods": "octree,octree"}, (422, "bad-option"), "once"),
        ({"methods": ["octree", "octree"]}, (422, "bad-option"), "once"),
        ({"model": "brightness"}, (404, "unknown-model"), "brightness"),
        ({"colors": "1"}, (422, "bad-option"), "from 2 to 256"),
        ({"colors": "2,257"}, (422, "bad-option"), "257"),
        ({"colors": "2,two"}, (422, "bad-option"), "two"),
        ({"colors": "2,1_0"}, (422, "bad-option"), "plain digits"),
        ({"colors": "2,+4"}, (422, "bad-option"), "plain digits"),
        ({"colors": "2,٤"}, (422, "bad-option"), "plain digits"),
        ({"colors": ""}, (422, "bad-option"), "colors"),
        ({"colors": "2,02"}, (422, "bad-option"), "once"),
        ({"colors": ",".join(map(str, range(2, 19)))}, (422, "bad-option"), "16"),
        ({"labels": "dark"}, (422, "bad-option"), "1 labels for 2 images"),
        ({"labels": "dark,light,dark"}, (422, "bad-option"), "3 labels for 2 images"),
        ({"labels": "dark,"}, (422, "bad-option"), "no class"),
        (
            {"labels": ["dark", "cat"]},
            (422, "bad-option"),
            "'cat' is no class; give an index from 0 to 2 or one of dark",
        ),
        ({"labels": "dark,3"}, (422, "bad-option"), "'3'"),
        ({"cam": ["true", "true"]}, (422, "bad-option"), "more than once"),
        ({"cam": "perhaps"}, (422, "bad-option"), "cam"),
        ({"color": "2"}, (422, "bad-option"), "the options are"),
    ],
)
@pytest.mark.parametrize("accept", ["application/json", "application/x-ndjson"])
async def test_bad_options(
    client: AsyncClient, options: dict[str, Any], expected: tuple[int, str], hint: str, accept: str
) -> None:
    response = await post(client, DRAWING, LIGHT, accept=accept, **options)

    assert problem(response) == expected
    assert hint in response.json()["detail"]


async def test_an_error_in_a_list_is_told_once(client: AsyncClient) -> None:
    detail = (await client.post("/benchmark", content=DRAWING, params={"colors": "0"})).json()["detail"]

    assert "greater than or equal to 2" in detail and "at least 1 item" not in detail


async def test_at_most_32_images(client: AsyncClient) -> None:
    most = await report(client, *[DRAWING] * 32, methods="octree", colors="2", labels=["0"] * 32)
    refused = await post(client, *[DRAWING] * 33)

    assert len({row["image"] for row in most["rows"]}) == 32
    assert problem(refused) == (422, "bad-upload")
    assert "33 files; send at most 32 images" in refused.json()["detail"]


@pytest.mark.parametrize(("field", "hint"), [("image", "field 'image'"), (None, "no field `file`")])
async def test_a_file_in_another_field(client: AsyncClient, field: str | None, hint: str) -> None:
    files = [("file", ("a.png", DRAWING)), (field, ("b.png", DRAWING))] if field else [("x", ("", b""))]
    response = await client.post("/benchmark", files=files)

    assert problem(response) == (422, "bad-upload")
    assert hint in response.json()["detail"]


async def test_a_request_without_a_body(client: AsyncClient) -> None:
    refused = await client.post("/benchmark", params={"methods": "octree"})

    assert problem(refused) == (422, "bad-upload")
    assert "curl -F file=@a.jpg -F file=@b.jpg" in refused.json()["detail"]


async def test_one_broken_image_among_good_ones(client: AsyncClient) -> None:
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
async def test_nothing_but_broken_images_is_answered_too(client: AsyncClient, accept: str) -> None:
    response = await post(client, b"", b"x", accept=accept, **SMALL)

    assert response.status_code == 200
    assert response.headers["content-type"].startswith(accept)


async def test_the_sheet_has_a_column_for_each_number_of_colors_and_a_row_for_each_image(client: AsyncClient) -> None:
    one, wide, tall = [
        opened((await post(client, *images, accept="image/png", methods="colorcnn,wu", colors=colors)).content).size
        for images, colors in (((DRAWING,), "2"), ((DRAWING,), "2,4,8"), ((DRAWING, DRAWING), "2"))
    ]

    assert wide[0] > one[0] == tall[0]
    assert tall[1] > one[1] == wide[1]


async def test_the_headers_of_the_sheet(client: AsyncClient) -> None:
    response = await post(client, DRAWING, accept="image/png", **SMALL)

    image = opened(response.content)
    assert int(response.headers["x-colors"]) == len(image.getcolors(1 << 24) or ())
    bits = 8 * len(response.content) / (image.width * image.height)
    assert float(response.headers["x-bits-per-pixel"]) == pytest.approx(bits, abs=1e-4)
    assert response.headers["x-model"] == "gray-steps"
    assert response.headers["vary"] == "Accept"
    assert response.headers["server-timing"].startswith("decode;dur=")


async def test_cam_draws_heat_over_the_tiles(client: AsyncClient) -> None:
    plain, heated = [
        opened((await post(client, DRAWING, accept="image/png", cam=cam, **SMALL)).content) for cam in ("false", "true")
    ]

    assert plain.size == heated.size
    assert plain.tobytes() != heated.tobytes()


async def test_lines_hold_what_json_holds(client: AsyncClient) -> None:
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


class Page(HTMLParser):
    """What a page shows, and what it would load."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.cells: list[str] = []
        self.addresses: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.cells += [""] if tag == "td" else []
        loads = ("src", "href", "xlink:href", "data", "action")
        self.addresses += [value or "" for name, value in attrs if name in loads]

    def handle_data(self, data: str) -> None:
        if self.cells:
            self.cells[-1] += data.strip()


async def test_the_page_holds_the_numbers_of_json_and_loads_nothing(client: AsyncClient) -> None:
    body = await report(client, DRAWING, LIGHT, labels="0,1", **SMALL)
    response = await post(client, DRAWING, LIGHT, accept="text/html", labels="0,1", **SMALL)

    page = Page(response.text)
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert response.headers["content-security-policy"].startswith("default-src 'none'")
    assert all(address.startswith(("data:image/png;base64,", "#")) for address in page.addresses)
    assert (page.tags.count("img"), page.tags.count("svg"), page.tags.count("script")) == (1, 3, 0)
    assert "url(" not in response.text.replace("url(#", "")
    for row in body["rows"]:
        assert f"{row['psnr']:.2f}" in page.cells and f"{row['bits_per_pixel']:.3f}" in page.cells


EVIL = '<img src=x onerror="alert(1)">&amp;.png'


async def test_names_are_text_wherever_they_are_shown(client: AsyncClient) -> None:
    files = [("file", (EVIL, DRAWING)), ("file", (EVIL, b""))]
    responses = {
        accept: await client.post("/benchmark", files=files, data=SMALL, headers={"Accept": accept})
        for accept in MEDIA_TYPES
    }

    names = [image["image"] for image in responses["application/json"].json()["images"]]
    page = Page(responses["text/html"].text)
    assert {response.status_code for response in responses.values()} == {200}
    assert names[0].startswith("<img src=x onerror=") and names[1] == f"{names[0]} (2)"
    assert {*names} < {*page.cells}
    assert page.tags.count("img") == 1


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("cat.jpg", "cat.jpg"),
        ("/home/me/cat.jpg", "cat.jpg"),
        (r"C:\photos\cat.jpg", "cat.jpg"),
        ("", "image-1"),
        ("/", "image-1"),
        ("..", ".."),
        ("\0\r\n\x1b[31m\x7f", "[31m"),
        ("\u202egnp.tac\u2028", "gnp.tac"),
        ("\ud800", "image-1"),
        ("猫 🐈.png", "猫 🐈.png"),
        ("x" * 300, "x" * 100),
        ("   ", "image-1"),
    ],
)
def test_a_name_is_short_and_printable(given: str, shown: str) -> None:
    assert image_names([UploadedFile(b"", given)]) == [shown]


def test_names_are_unique() -> None:
    given = ["a", "a", "a (2)", "dir/a", "", "image-5"]

    names = image_names([UploadedFile(b"", name) for name in given])

    assert names == ["a", "a (2)", "a (2) (2)", "a (3)", "image-5", "image-5 (2)"]


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


@pytest.fixture
def gate(app: FastAPI, client: AsyncClient, monkeypatch: pytest.MonkeyPatch) -> Gate:
    gate = Gate()
    monkeypatch.setattr(app.state.service.benchmarks, "work", gate)
    return gate


async def test_a_full_queue_refuses_at_once_and_quantize_goes_on(app: FastAPI, client: AsyncClient, gate: Gate) -> None:
    responses: list[Response] = []

    async def benchmark(image: bytes) -> None:
        responses.append(await post(client, image, **SMALL))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(benchmark, DRAWING)
        await gate.waiting.wait()
        tasks.start_soon(benchmark, LIGHT)
        await until(lambda: app.state.service.benchmarks.in_flight == 2)
        refused = await post(client, DRAWING, **SMALL)
        quantized = await client.post("/quantize", content=PHOTO)
        gate.opened.set()
    after = await post(client, DRAWING, **SMALL)

    assert problem(refused) == (503, "queue-full")
    assert refused.headers["retry-after"] == "2"
    assert quantized.status_code == 200
    assert [response.status_code for response in (*responses, after)] == [200] * 3
    assert gate.images == [DRAWING, LIGHT, DRAWING]  # each one once, though it has four rows
    assert not app.state.service.benchmarks.in_flight


BENCHMARK = "/benchmark?colors=2,4&methods=octree"


@pytest.mark.parametrize("accept", MEDIA_TYPES)
@pytest.mark.parametrize("first", [True, False], ids=["working", "waiting"])
async def test_a_client_that_leaves_frees_its_place(
    app: FastAPI, client: AsyncClient, gate: Gate, accept: str, first: bool, caplog: pytest.LogCaptureFixture
) -> None:
    leave, sent = anyio.Event(), list[Message]()
    benchmarks = app.state.service.benchmarks
    with caplog.at_level(logging.INFO, "colorcnn.access"), anyio.fail_after(PATIENCE):
        async with anyio.create_task_group() as tasks:
            if not first:
                tasks.start_soon(post, client, LIGHT)
                await gate.waiting.wait()
            async with anyio.create_task_group() as leaving:
                leaving.start_soon(lambda: exchange(app, BENCHMARK, accept, leave=leave, sent=sent))
                await until(lambda: benchmarks.in_flight == 1 + (not first))
                await until(lambda: benchmarks.waiting == (not first))
                await gate.waiting.wait()
                leave.set()
            in_flight = benchmarks.in_flight
            gate.opened.set()
    after = await post(client, LIGHT, **SMALL)

    assert (in_flight, gate.cancelled) == (int(not first), int(first))
    assert [record.message for record in caplog.records if "status=499" in record.message]
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert after.status_code == 200


@pytest.mark.parametrize("accept", MEDIA_TYPES)
async def test_a_client_that_does_not_read_holds_up_nobody(app: FastAPI, client: AsyncClient, accept: str) -> None:
    leave, sent = anyio.Event(), list[Message]()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(lambda: exchange(app, BENCHMARK, accept, leave=leave, sent=sent, stuck=True))
        await until(lambda: bool(sent) and not app.state.service.benchmarks.in_flight)
        with anyio.fail_after(PATIENCE):
            after = await post(client, LIGHT, **SMALL)
        tasks.cancel_scope.cancel()

    assert after.status_code == 200


async def test_a_client_that_leaves_while_the_sheet_is_drawn(app: FastAPI, client: AsyncClient, gate: Gate) -> None:
    leave, sent = anyio.Event(), list[Message]()
    drawing = anyio.Event()

    async def work(function: Callable[[*Arguments], Result], *args: *Arguments) -> Result:
        if function.__name__ == "draw_sheet":
            drawing.set()
            await anyio.sleep_forever()
        return await in_thread(function, *args)

    app.state.service.benchmarks.work = work
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(lambda: exchange(app, BENCHMARK, "image/png", leave=leave, sent=sent))
        await drawing.wait()
        leave.set()

    assert not sent and not app.state.service.benchmarks.in_flight


async def test_a_shutdown_does_not_wait_for_a_sheet(app: FastAPI, client: AsyncClient) -> None:
    benchmarks = app.state.service.benchmarks

    async def work(function: Callable[[*Arguments], Result], *args: *Arguments) -> Result:
        if function.__name__ == "draw_sheet":
            benchmarks.stop()
            await anyio.sleep_forever()
        return await in_thread(function, *args)

    benchmarks.work = work
    with anyio.fail_after(PATIENCE):
        assert problem(await post(client, DRAWING, accept="image/png", **SMALL)) == (503, "not-drawn")


class Drawing:
    """A worker that is killed, or hangs, the first times that it draws."""

    def __init__(self, failures: int, *, hang: bool = False) -> None:
        self.failures = failures
        self.hang = hang

    async def __call__(self, function: Callable[[*Arguments], Result], *args: *Arguments) -> Result:
        if function.__name__ in ("draw_sheet", "write_benchmark_page") and self.failures:
            self.failures -= 1
            if self.hang:
                await anyio.sleep_forever()
            raise BrokenWorkerProcess
        return await in_thread(function, *args)


@pytest.mark.parametrize("accept", ["image/png", "text/html"])
async def test_a_drawing_that_is_killed_is_drawn_again(app: FastAPI, client: AsyncClient, accept: str) -> None:
    app.state.service.benchmarks.work = Drawing(1)
    response = await post(client, DRAWING, accept=accept, **SMALL)

    assert (response.status_code, response.headers["content-type"].partition(";")[0]) == (200, accept)


@pytest.mark.parametrize("accept", ["image/png", "text/html"])
@pytest.mark.parametrize("hang", [False, True], ids=["killed", "slow"])
async def test_a_drawing_that_cannot_be_made_is_to_be_tried_later(
    app: FastAPI, client: AsyncClient, accept: str, hang: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue, "_DRAWING_TIME", 0.05 if hang else PATIENCE)
    app.state.service.benchmarks.work = Drawing(2, hang=hang)
    with anyio.fail_after(PATIENCE):
        refused = await post(client, DRAWING, accept=accept, **SMALL)
        after = await post(client, DRAWING, **SMALL)

    assert problem(refused) == (503, "not-drawn")
    assert refused.headers["retry-after"] == "2"
    assert after.status_code == 200


async def test_a_sheet_without_room_is_refused_before_any_work(app: FastAPI, client: AsyncClient, gate: Gate) -> None:
    options = {"methods": "colorcnn,octree,wu", "colors": ",".join(map(str, range(2, 18)))}
    refused = await post(client, *[DRAWING] * 23, accept="image/png", **options)

    assert problem(refused) == (422, "bad-option")
    assert "1173 tiles" in refused.json()["detail"] and "1142" in refused.json()["detail"]
    assert not gate.waiting.is_set()


async def test_a_page_says_that_its_sheet_has_no_room(client: AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    pages = []
    for most in (6, 5):
        monkeypatch.setattr(job, "MOST_TILES", most)
        pages.append((await post(client, DRAWING, accept="text/html", **SMALL)).text)

    assert [Page(page).tags.count("img") for page in pages] == [1, 0]
    assert ["sheet is left out" in page for page in pages] == [False, True]


@pytest.mark.parametrize("first", [True, False], ids=["working", "waiting"])
async def test_lines_tell_the_progress_while_nothing_happens(
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


async def test_no_image_stays_in_memory(client: AsyncClient) -> None:
    await report(client, DRAWING, **SMALL)

    assert not worker._open


@pytest.mark.parametrize("accept", ["image/jpeg", "text/plain", "application/json;q=0, image/*;q=0"])
async def test_an_answer_that_nobody_wants(client: AsyncClient, accept: str) -> None:
    assert problem(await post(client, DRAWING, accept=accept)) == (406, "not-acceptable")
    assert problem(await client.get("/benchmark", headers={"Accept": "image/png"})) == (406, "not-acceptable")


async def test_a_browser_gets_a_page(client: AsyncClient) -> None:
    browser = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"

    responses = [
        await client.get("/benchmark", headers={"Accept": browser}),
        await post(client, DRAWING, accept=browser),
    ]

    assert {response.headers["content-type"] for response in responses} == {"text/html; charset=utf-8"}


async def test_methods_of_the_path(client: AsyncClient) -> None:
    refused = await client.delete("/benchmark")
    head = await client.head("/benchmark")

    assert problem(refused) == (405, "method-not-allowed")
    assert refused.headers["allow"] == "GET, HEAD, POST"
    assert (head.status_code, head.headers["content-type"]) == (200, "application/json")


def summary(method: str, colors: int | None, quality: int | None, **values: float | None) -> dict[str, Any]:
    return {
        "method": method,
        "model": "gray-steps" if method == "colorcnn" else None,
        "colors": colors,
        "quality": quality,
        "images": 10000,
        "kept": 0.75,
        "top1": 0.7125,
        "bytes": 150.5,
        "bits_per_pixel": 1.176,
        "payload_bits_per_pixel": 0.637,
        "psnr": 21.25,
        "ssim": 0.8,
        "colors_used": 2.0,
        "milliseconds": 1.5,
    } | values


MEASURED = {
    "dataset": "<b>toys</b>",
    "split": "test",
    "images": 10000,
    "classifier": "brightness",
    "quantizer": "gray-steps",
    "sha256": {"brightness": "0" * 64, "gray-steps": "0" * 64},
    "top1_original": 0.9045,
    "seeds": {"brightness": 7, "gray-steps": 8},
    "command": "python -m training.evaluate --out results/toys.json",
    "commit": "c0ffee",
    "hardware": "2 CPU cores",
    "torch": "2.13.0+cpu",
    "rows": [
        summary("colorcnn", 2, None),
        summary("colorcnn", 4, None, top1=0.8, psnr=23.0),
        summary("jpeg", None, 5),
        summary("png", None, None, psnr=None),
    ],
}


@pytest.fixture
def measured(engine: FakeEngine) -> None:
    """Before `client`, whose application takes the results as it starts."""
    engine.measured = (MEASURED,)


async def test_nothing_was_measured(client: AsyncClient) -> None:
    page = await client.get("/benchmark", headers={"Accept": "text/html"})

    assert (await client.get("/benchmark")).json() == {"results": []}
    assert "Nothing was measured" in page.text


@pytest.mark.usefixtures("measured")
async def test_stored_results(client: AsyncClient) -> None:
    assert (await client.get("/benchmark")).json() == {"results": [MEASURED]}


@pytest.mark.usefixtures("measured")
async def test_the_page_of_stored_results(client: AsyncClient) -> None:
    response = await client.get("/benchmark", headers={"Accept": "text/html"})

    page = Page(response.text)
    assert response.headers["content-security-policy"].startswith("default-src 'none'")
    assert all(address.startswith("#") for address in page.addresses)
    assert (page.tags.count("svg"), page.tags.count("b")) == (4, 0)
    assert {"71.2", "-19.2", "-10.4", "quality 5", "exact"} < {*page.cells}
    facts = (
        "Protocol A",
        "10,000",
        MEASURED["command"],
        "c0ffee",
        "2 CPU cores",
        "2.13.0+cpu",
        "brightness 7, gray-steps 8",
    )
    assert all(str(fact) in response.text for fact in facts)
    assert "gray-steps 000000000000<" in response.text  # twelve digits of its hash


@pytest.mark.usefixtures("measured")
async def test_the_page_of_stored_results_is_drawn_once_and_does_not_wait_for_a_benchmark(
    app: FastAPI, client: AsyncClient, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn, go_on, responses = list[ResultsReport](), threading.Event(), list[Response]()

    def draw(report: ResultsReport) -> str:
        drawn.append(report)
        go_on.wait(PATIENCE)
        return "the page"

    async def get() -> None:
        responses.append(await client.get("/benchmark", headers={"Accept": "text/html"}))

    monkeypatch.setattr(page, "results_page", draw)
    leave, sent = anyio.Event(), list[Message]()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(lambda: exchange(app, BENCHMARK, "application/json", leave=leave, sent=sent))
        await gate.waiting.wait()
        async with anyio.create_task_group() as readers:
            readers.start_soon(get)
            readers.start_soon(get)
            await until(lambda: app.state.service.results._drawing.statistics().tasks_waiting == 1)
            go_on.set()
        leave.set()

    assert ([response.text for response in responses], len(drawn)) == (["the page"] * 2, 1)
