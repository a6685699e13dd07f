"""POST /compress around the fake engine, with the real codec, in threads instead of the worker processes."""

import base64
import logging
from collections.abc import Callable
from typing import Any, TypeVar, TypeVarTuple

import anyio
import numpy as np
import pytest
from anyio import BrokenWorkerProcess
from fastapi import FastAPI
from httpx import AsyncClient, Response
from starlette.types import Message

from models.codecs import bpg
from models.codecs.bpg import Mode
from models.errors import CodecError
from models.evaluation.metrics import mean_squared_error, psnr
from models.palette_image import nearest
from service.inference.encoding_worker import warm_up
from service.settings import Settings
from tests.service.clients import exchange, fake_app, problem, ready
from tests.service.fake_loader import FakeClassifier, gray_steps
from tests.service.fakes import FakeEngine, Gate, hash_of, in_thread
from tests.service.images import BPG, DRAWING, PHOTO, encoded, opened, pixels_of, ramp
from tests.service.waiting import PATIENCE, until

pytestmark = pytest.mark.anyio

Result = TypeVar("Result")
Arguments = TypeVarTuple("Arguments")

MEDIA_TYPES = ("application/json", "image/bpg", "image/png")
VERSIONS = ("original", "quantized", "quantized_bpg", "original_bpg")


async def post(client: AsyncClient, data: bytes = DRAWING, accept: str = "image/bpg", **options: str) -> Response:
    return await client.post("/compress", content=data, params=options, headers={"Accept": accept})


async def report(client: AsyncClient, data: bytes = DRAWING, **options: str) -> dict[str, Any]:
    response = await post(client, data, "application/json", **options)
    assert response.status_code == 200, response.text
    body: dict[str, Any] = response.json()
    return body


def files_of(response: dict[str, Any]) -> dict[str, bytes]:
    return {name: base64.b64decode(file) for name, file in response["files"].items()}


async def test_files_match_the_output_of_the_codecs(client: AsyncClient) -> None:
    files = files_of(await report(client, colors="3", qp="20", chroma="420"))
    quantized = await client.post("/quantize", content=DRAWING, params={"colors": "3"})

    assert files == {
        "png": quantized.content,
        "bpg": bpg.encode(gray_steps(ramp(), 3), qp=20, chroma="420"),
        "original_bpg": bpg.encode(ramp(), qp=20, chroma="420"),
    }


async def test_a_report_measures_its_decoded_files(client: AsyncClient) -> None:
    response = await report(client, colors="3")
    files = files_of(response)

    shown = {
        "original": (DRAWING, ramp(), None),
        "quantized": (files["png"], pixels_of(files["png"]), 69),
        "quantized_bpg": (files["bpg"], bpg.decode(files["bpg"]), bpg.fixed_bytes(files["bpg"])),
        "original_bpg": (
            files["original_bpg"],
            bpg.decode(files["original_bpg"]),
            bpg.fixed_bytes(files["original_bpg"]),
        ),
    }
    for name, (file, pixels, fixed) in shown.items():
        version = response[name]
        (seen,) = FakeClassifier().predict(pixels)
        assert version["bytes"] == len(file)
        assert version["bits_per_pixel"] == 8 * len(file) / (40 * 24)
        assert version["payload_bits_per_pixel"] == (None if fixed is None else 8 * (len(file) - fixed) / (40 * 24))
        assert version["mse"] == mean_squared_error(ramp(), pixels)
        assert version["psnr"] == psnr(version["mse"])
        assert (version["label"], version["probability"], version["kept"]) == (seen.label, seen.probability, True)


async def test_the_report_describes_the_image_and_its_processing(client: AsyncClient) -> None:
    response = await report(client, colors="3", background="#000000")

    assert {name: response[name] for name in response if name not in (*VERSIONS, "files")} == {
        "model": "gray-steps",
        "model_sha256": hash_of("gray-steps"),
        "method": "colorcnn",
        "fidelity": 0.0,
        "dither": None,
        "recognizers": [],
        "classifier": "brightness",
        "classifier_sha256": hash_of("brightness"),
        "width": 40,
        "height": 24,
        "colors": 3,
        "qp": 28,
        "chroma": "444",
        "mode": "plain",
        "notes": [],
    }


async def test_the_bpg_response_is_the_file_in_the_report(client: AsyncClient) -> None:
    response = await client.post(
        "/compress", files={"file": ("a.jpg", PHOTO)}, data={"colors": "2"}, headers={"Accept": "image/bpg"}
    )

    assert response.headers["content-type"] == "image/bpg"
    assert response.content == files_of(await report(client, PHOTO, colors="2"))["bpg"]


async def test_the_png_response_is_the_decoded_bpg(client: AsyncClient) -> None:
    file = (await post(client, colors="4", qp="40")).content
    response = await post(client, accept="image/png", colors="4", qp="40")

    assert (response.headers["content-type"], opened(response.content).mode) == ("image/png", "RGB")
    np.testing.assert_array_equal(pixels_of(response.content), bpg.decode(file))


@pytest.mark.parametrize("accept", MEDIA_TYPES)
async def test_the_headers_are_the_same_in_all_media_types(client: AsyncClient, accept: str) -> None:
    size = len((await post(client, PHOTO, colors="2")).content)
    headers = (await post(client, PHOTO, accept, colors="2")).headers

    assert (headers["x-model"], headers["x-colors"]) == ("gray-steps", "2")
    assert headers["vary"].split(", ")[0] == "Accept"
    assert float(headers["x-bits-per-pixel"]) == pytest.approx(8 * size / (40 * 24), abs=1e-4)
    assert (headers["x-label-before"], headers["x-label-after"]) == ("dark", "dark")
    assert headers["server-timing"].startswith("decode;dur=")


async def test_json_is_the_default(client: AsyncClient) -> None:
    response = await client.post("/compress", content=DRAWING)

    assert response.headers["content-type"] == "application/json"


@pytest.mark.parametrize("accept", MEDIA_TYPES)
async def test_recognition_can_be_switched_off(client: AsyncClient, accept: str) -> None:
    response = await post(client, accept=accept, recognize="false")

    assert not any(name.startswith("x-label") for name in response.headers)
    if accept == "application/json":
        response = response.json()
        assert response["classifier"] is None
        assert {response[name][field] for name in VERSIONS for field in ("label", "probability", "kept")} == {None}


async def test_a_lower_qp_takes_more_bytes_and_is_closer_to_the_image(client: AsyncClient) -> None:
    fine, coarse = [(await report(client, qp=qp))["original_bpg"] for qp in ("10", "45")]

    assert fine["bytes"] > coarse["bytes"] and fine["psnr"] > coarse["psnr"]


@pytest.mark.parametrize("accept", MEDIA_TYPES)
async def test_the_engine_quantizes_with_the_fidelity(client: AsyncClient, engine: FakeEngine, accept: str) -> None:
    response = await post(client, accept=accept, fidelity="0.25")

    assert [selection.fidelity for selection in engine.quantized] == [0.25]
    if accept == "application/json":
        assert response.json()["fidelity"] == 0.25


@pytest.mark.parametrize(("mode", "colors"), [("auto", "2"), ("auto", "5"), ("auto", "200"), ("index", "2")])
async def test_modes_keep_the_index_map(client: AsyncClient, mode: Mode, colors: str) -> None:
    plain = await report(client, qp="51", colors=colors)
    response = await report(client, mode=mode, qp="51", colors=colors)
    file = files_of(response)["bpg"]

    quantized = gray_steps(ramp(), int(colors))
    restored = bpg.read_index_plane(file) if mode == "index" else nearest(bpg.decode(file), quantized.palette)
    assert (plain["quantized_bpg"]["index_map_kept"], response["quantized_bpg"]["index_map_kept"]) == (False, True)
    assert restored == quantized
    assert response["original_bpg"] == plain["original_bpg"]
    assert plain["quantized_bpg"]["coding"] == {"qp": 51, "chroma": "444", "color_space": "ycbcr"}
    chosen = bpg.encode_as(quantized, bpg.Coding(51), mode).coding
    assert response["quantized_bpg"]["coding"] == {
        "qp": None if chosen.lossless else chosen.qp,
        "chroma": chosen.chroma,
        "color_space": chosen.color_space,
    }


async def test_a_picture_in_index_mode_keeps_its_colors(client: AsyncClient) -> None:
    response = await post(client, accept="image/png", mode="index", colors="2", method="octree")
    quantized = await client.post("/quantize", content=DRAWING, params={"colors": "2", "method": "octree"})

    np.testing.assert_array_equal(pixels_of(response.content), pixels_of(quantized.content))


@pytest.mark.parametrize("path", ["/quantize", "/classify", "/compress", "/benchmark"])
async def test_every_endpoint_accepts_a_bpg(client: AsyncClient, path: str) -> None:
    shown = encoded(bpg.decode(BPG))

    responses = [(await client.post(path, content=data, headers={"Accept": "image/png"})) for data in (BPG, shown)]

    assert [response.status_code for response in responses] == [200, 200]
    np.testing.assert_array_equal(pixels_of(responses[0].content), pixels_of(responses[1].content))


async def test_notes_of_decoding_are_in_the_report(client: AsyncClient) -> None:
    clear = encoded(ramp()[..., [0, 1, 2, 0]])

    response = await report(client, clear, background="102030")

    assert response["notes"] == ["alpha composited over #102030"]


@pytest.mark.parametrize("shape", [(1, 1), (1, 70), (33, 2), (9, 17)])
async def test_images_of_any_shape_are_compressed(client: AsyncClient, shape: tuple[int, int]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)

    response = await post(client, encoded(pixels), "image/png", chroma="420")

    assert opened(response.content).size == shape[::-1]


@pytest.mark.parametrize(
    ("options", "expected", "hint"),
    [
        ({"qp": "52"}, (422, "bad-option"), "from 0 to 51"),
        ({"qp": "-1"}, (422, "bad-option"), "from 0 to 51"),
        ({"qp": "low"}, (422, "bad-option"), "qp"),
        ({"chroma": "411"}, (422, "bad-option"), "420"),
        ({"chroma": "gray"}, (422, "bad-option"), "444"),
        ({"mode": "best"}, (422, "bad-option"), "auto"),
        ({"mode": "index"}, (422, "bad-option"), "colors=2"),
        ({"mode": "index", "colors": "3"}, (422, "bad-option"), "not 3"),
        ({"colors": "1"}, (422, "bad-option"), "from 2 to 256"),
        ({"fidelity": "1.1"}, (422, "bad-option"), "0 serves the classifier, 1 the human eye"),
        ({"fidelity": "1", "method": "octree"}, (422, "bad-option"), "octree"),
        ({"effort": "max"}, (422, "bad-option"), "no option 'effort'"),
        ({"method": "magic"}, (404, "unknown-method"), "magic"),
        ({"model": "nobody"}, (404, "unknown-model"), "nobody"),
    ],
)
async def test_bad_options_of_compress_are_rejected(
    client: AsyncClient, options: dict[str, str], expected: tuple[int, str], hint: str
) -> None:
    response = await client.post("/compress", content=DRAWING, params=options)

    assert problem(response) == expected
    assert hint in response.json()["detail"]


async def test_index_mode_rejects_an_image_of_one_color(client: AsyncClient) -> None:
    response = await post(client, encoded(np.full((4, 4, 3), 7, dtype=np.uint8)), mode="index", colors="2")

    assert problem(response) == (422, "bad-option")
    assert "only one" in response.json()["detail"]


@pytest.mark.parametrize("setting", ["max_pixels", "compress_max_pixels"])
@pytest.mark.parametrize(("size", "status"), [((40, 24), 200), ((31, 31), 413), ((1, 60), 200), ((1, 61), 413)])
async def test_the_limit_counts_encoded_pixels(
    engine: FakeEngine, setting: str, size: tuple[int, int], status: int
) -> None:
    """A narrow image is encoded 16 pixels wide."""
    app = fake_app(Settings.model_validate({setting: 40 * 24}), engine, encoders=[in_thread])
    async with ready(app) as client:
        response = await post(client, encoded(ramp(*size)))

    assert response.status_code == status
    if status == 413:
        assert problem(response) == (413, "too-large")


async def test_the_mode_auto_has_a_lower_size_limit(engine: FakeEngine) -> None:
    app = fake_app(Settings(compress_max_pixels=8 * 40 * 24 - 1), engine, encoders=[in_thread])
    async with ready(app) as client:
        refused, plain = await post(client, mode="auto"), await post(client)

    assert (problem(refused), plain.status_code) == ((413, "too-large"), 200)
    assert "Leave out `mode`" in refused.json()["detail"]


async def hanging(function: Callable[[*Arguments], Result], *args: *Arguments) -> Result:
    await anyio.sleep_forever()
    raise SystemExit  # never reached


@pytest.mark.parametrize("accept", MEDIA_TYPES)
async def test_an_image_that_takes_too_long_is_out_of_time(engine: FakeEngine, accept: str) -> None:
    app = fake_app(Settings(compress_timeout=0.1), engine, encoders=[hanging])
    async with ready(app) as client:
        responses = [await post(client, accept=accept), await post(client, accept=accept)]

    assert [problem(response) for response in responses] == [(504, "out-of-time")] * 2
    assert "0.1 seconds" in responses[0].json()["detail"]


@pytest.mark.parametrize("error", [CodecError("The image is too large."), BrokenWorkerProcess()])
async def test_an_encoder_error_is_a_problem(
    engine: FakeEngine, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    errors = [error]

    async def encode(function: Callable[[*Arguments], Result], *args: *Arguments) -> Result:
        if errors and function is not warm_up:
            raise errors.pop()
        return await in_thread(function, *args)

    app = fake_app(Settings(), engine, encoders=[encode])
    async with ready(app) as client:
        refused, after = [await post(client) for _ in range(2)]

    assert (problem(refused), after.status_code) == ((413, "too-large"), 200)
    assert [record.name for record in caplog.records if record.levelno >= logging.ERROR] == (
        ["colorcnn.compression"] if isinstance(error, BrokenWorkerProcess) else []
    )


async def test_a_bug_is_a_problem_and_releases_its_ticket(client: AsyncClient, engine: FakeEngine) -> None:
    engine.bug = ZeroDivisionError("secret")
    bugs = [await post(client) for _ in range(4)]
    engine.bug = None
    after = await post(client)

    assert {problem(bug) for bug in bugs} == {(500, "internal")}
    assert "secret" not in bugs[0].text
    assert after.status_code == 200


@pytest.fixture
def gate(app: FastAPI, client: AsyncClient, monkeypatch: pytest.MonkeyPatch) -> Gate:
    gate = Gate()
    monkeypatch.setattr(app.state.service.compression, "_idle", [gate])
    return gate


async def in_flight(app: FastAPI, requests: int) -> None:
    await until(lambda: app.state.service.compression.in_flight == requests)


async def test_a_full_queue_rejects_at_once_and_quantize_goes_on(app: FastAPI, client: AsyncClient, gate: Gate) -> None:
    responses: list[Response] = []

    async def compress() -> None:
        responses.append(await post(client))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(compress)
        tasks.start_soon(compress)
        await in_flight(app, 2)
        await gate.waiting.wait()
        refused = await post(client)
        quantized = [await client.post("/quantize", content=PHOTO) for _ in range(4)]
        gate.opened.set()
    after = await post(client)

    assert problem(refused) == (503, "queue-full")
    assert refused.headers["retry-after"] == "2"
    assert {response.status_code for response in quantized} == {200}
    assert [response.status_code for response in (*responses, after)] == [200] * 3
    await in_flight(app, 0)


@pytest.mark.parametrize("accept", MEDIA_TYPES)
@pytest.mark.parametrize("first", [True, False], ids=["working", "waiting"])
async def test_a_client_that_disconnects_releases_its_ticket(
    app: FastAPI, client: AsyncClient, gate: Gate, accept: str, first: bool, caplog: pytest.LogCaptureFixture
) -> None:
    leave, sent = anyio.Event(), list[Message]()
    with caplog.at_level(logging.INFO, "colorcnn.access"), anyio.fail_after(PATIENCE):
        async with anyio.create_task_group() as tasks:
            if not first:
                tasks.start_soon(post, client)
                await gate.waiting.wait()
            async with anyio.create_task_group() as leaving:
                leaving.start_soon(lambda: exchange(app, "/compress", accept, leave=leave, sent=sent))
                await in_flight(app, 1 + (not first))
                await gate.waiting.wait()
                leave.set()
            await in_flight(app, int(not first))
            gate.opened.set()
        after = await post(client)

    assert (gate.cancelled, sent) == (int(first), [])
    assert [record.message for record in caplog.records if "status=499" in record.message]
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert after.status_code == 200


@pytest.mark.parametrize("failure", [BrokenWorkerProcess(), CodecError("another x265")])
async def test_every_encoder_is_warm_before_its_first_request(engine: FakeEngine, failure: Exception) -> None:
    """An encoder that cannot be started is logged, and delays no request."""
    warmed: list[str] = []

    async def first(function: Callable[[*Arguments], Result], *args: *Arguments) -> Result:
        warmed.append(function.__name__)
        raise failure

    async def second(function: Callable[[*Arguments], Result], *args: *Arguments) -> Result:
        result = await in_thread(function, *args)
        warmed.append(function.__name__)
        return result

    app = fake_app(Settings(), engine, encoders=[first, second])
    async with ready(app) as client:
        await until(lambda: len(warmed) == 2)
        response = await post(client)

    assert warmed == ["warm_up", "warm_up", "encode_all"]
    assert response.status_code == 200
