"""Inference requests over HTTP, with the fake engine: outputs, options, several images, limits and errors."""

import gzip
import json
import zlib
from typing import Any

import anyio
import numpy as np
import pytest
from fastapi import FastAPI
from httpx import AsyncClient

from service.api.v2.outputs import CLASSIFY_OUTPUTS, QUANTIZE_OUTPUTS
from service.errors import OutOfMemory
from service.http.headers import SECURITY_HEADERS
from service.settings import Settings
from tests.service.api.v2.calls import (
    LENGTH,
    binary_outputs,
    error,
    in_binary,
    in_json,
    infer,
    names,
    outputs,
    packed,
    tensor,
)
from tests.service.clients import exchange, fake_app, queued, ready, running, samples, value
from tests.service.fakes import ENTRIES, NATIVE_SIZE, FakeEngine
from tests.service.images import DRAWING, PHOTO, PHOTOGRAPH, bomb, encoded, opened, ramp
from tests.service.waiting import PATIENCE

pytestmark = pytest.mark.anyio

NATIVE = encoded(ramp(NATIVE_SIZE, NATIVE_SIZE))
HASHES = {entry.name: entry.sha256 for entry in ENTRIES}
OPTIONAL = {"goals_met", "cam"}


async def test_quantize_returns_what_the_endpoint_returns(client: AsyncClient) -> None:
    report = (await client.post("/quantize?format=json&colors=2", content=PHOTO)).json()
    file = (await client.post("/quantize?colors=2", content=PHOTO)).content
    response = await infer(client, "quantize", in_json(tensor(PHOTO), id="42", parameters={"colors": 2}))

    found = outputs(response)
    assert found["image"] == [file]
    for name in ("method", "model", "width", "height", "bits_per_pixel"):
        assert found[name] == pytest.approx([report[name]]) if name == "bits_per_pixel" else [report[name]]
    assert (found["palette"], found["colors"]) == ([",".join(report["palette"])], [2])
    recognition = report["recognition"]
    assert found["label_before"] == [recognition["before"]["label"]]
    assert found["probability_after"] == pytest.approx([recognition["after"]["probability"]])
    body = response.json()
    assert (response.headers["x-model"], response.headers["x-model-sha256"]) == ("gray-steps", HASHES["gray-steps"])
    assert body["model_version"] == response.headers["x-models-digest"]
    assert (body["id"], body["model_name"], body["parameters"]) == ("42", "quantize", {"sha256": HASHES["gray-steps"]})
    assert names(response) == [each.name for each in QUANTIZE_OUTPUTS if each.name not in OPTIONAL]


async def test_classify_returns_what_the_endpoint_returns(client: AsyncClient) -> None:
    report = (await client.post("/classify?model=second", content=PHOTO)).json()
    response = await infer(client, "second", in_json(tensor(PHOTO, PHOTO)))

    found, predictions = outputs(response), report["predictions"] * 2
    assert found["label"] == [each["label"] for each in predictions]
    assert found["index"] == [each["index"] for each in predictions]
    assert found["probability"] == pytest.approx([each["probability"] for each in predictions])
    assert found["model"] == ["second"] * 2 and response.json()["model_version"] == HASHES["second"][:16]
    assert [each["shape"] for each in response.json()["outputs"]] == [[2, 3]] * 3 + [[2]] * 2
    assert names(response) == [each.name for each in CLASSIFY_OUTPUTS if each.name not in OPTIONAL]
    assert "id" not in response.json()


async def test_metadata_describes_the_tensors_of_a_response(client: AsyncClient) -> None:
    for model, parameters in (("quantize", {"max_bytes": 10_000}), ("classify", {"cam": "top"})):
        described = (await client.get(f"/v2/models/{model}")).json()
        response = (await infer(client, model, in_json(parameters=parameters))).json()
        shapes = {each["name"]: (each["datatype"], len(each["shape"])) for each in response["outputs"]}
        assert shapes == {each["name"]: (each["datatype"], len(each["shape"])) for each in described["outputs"]}
        assert described["versions"] == [response["model_version"]]
        assert described["inputs"] == [{"name": "image", "datatype": "BYTES", "shape": [-1]}]


async def test_every_name_of_a_list_is_a_model(client: AsyncClient) -> None:
    listed = (await client.get("/v2/models")).json()["models"]

    assert listed == ["quantize", "classify", "brightness", "second", "gray-steps"]
    for name in listed:
        assert (await client.get(f"/v2/models/{name}/ready")).json() == {"name": name, "ready": True}
        found = outputs(await infer(client, name, in_json()))
        assert found["model"] == [{"quantize": "gray-steps", "classify": "brightness"}.get(name, name)]


async def test_a_version_is_the_only_one_or_an_error(client: AsyncClient) -> None:
    [version] = (await client.get("/v2/models/second")).json()["versions"]
    path = f"/v2/models/second/versions/{version}"

    assert version == HASHES["second"][:16]
    assert (await client.get(path)).json()["name"] == "second"
    assert (await client.get(f"{path}/ready")).status_code == 200
    assert (await client.post(f"{path}/infer", content=in_json())).json()["model_version"] == version
    for each in ("", "/ready"):
        told = error(await client.get(f"/v2/models/second/versions/1{each}"), 404)
        assert told == f"The model 'second' has no version '1'; its only version is {version!r}."


async def test_binary_data_hold_the_same_as_json(client: AsyncClient) -> None:
    plain = outputs(await infer(client, "quantize", in_json(tensor(PHOTO, DRAWING), parameters={"keep": 0.1})))
    body, headers = in_binary(PHOTO, DRAWING, parameters={"keep": 0.1, "binary_data_output": True})
    response = await infer(client, "quantize", body, headers)

    assert response.headers["content-type"] == "application/octet-stream"
    head, data = binary_outputs(response)
    assert data.keys() == plain.keys()
    assert data["image"] == packed(*plain["image"])
    assert data["label_after"] == packed(*(text.encode() for text in plain["label_after"]))
    assert np.frombuffer(data["width"], "<i4").tolist() == plain["width"]
    assert np.frombuffer(data["bits_per_pixel"], "<f4") == pytest.approx(plain["bits_per_pixel"])
    assert data["goals_met"] == bytes(plain["goals_met"])
    assert all("data" not in each and "content_type" not in each["parameters"] for each in head["outputs"])


async def test_a_raw_request_is_the_file_of_one_image(client: AsyncClient) -> None:
    _, data = binary_outputs(await infer(client, "quantize", PHOTO, {LENGTH: "0"}))

    assert data["image"] == packed((await client.post("/quantize", content=PHOTO)).content)


async def test_outputs_are_selected_and_ordered_and_each_has_its_coding(client: AsyncClient) -> None:
    wanted = [{"name": "palette"}, {"name": "image", "parameters": {"binary_data": True}}, {"name": "width"}]
    head, data = binary_outputs(await infer(client, "quantize", in_json(outputs=wanted)))

    assert [each["name"] for each in head["outputs"]] == ["palette", "image", "width"]
    assert data.keys() == {"image"} and head["outputs"][2]["data"] == [40]


@pytest.mark.parametrize(("coding", "compress"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
async def test_a_compressed_body_is_decoded(client: AsyncClient, coding: str, compress: Any) -> None:
    body, headers = in_binary(DRAWING)
    response = await infer(client, "classify", compress(body), headers | {"Content-Encoding": coding})

    assert outputs(response)["label"]


async def test_options_select_the_file_and_the_optional_outputs(client: AsyncClient) -> None:
    webp = outputs(await infer(client, "quantize", in_json(parameters={"format": "webp", "recognize": False})))
    assert opened(webp["image"][0]).format == "WEBP"
    assert not [name for name in webp if name.startswith(("label", "probability"))]
    cam = outputs(await infer(client, "classify", in_json(parameters={"cam": "top", "top_k": 1})))
    assert opened(cam["cam"][0]).format == "PNG" and len(cam["label"]) == 1
    skipped = outputs(await infer(client, "quantize", in_json(parameters={"colors": 256, "skip_if_larger": True})))
    assert skipped["image"] == [b""] and "no fewer bytes" in skipped["notes"][0]


async def test_images_of_one_request_can_share_a_palette(client: AsyncClient) -> None:
    parameters = {"shared_palette": True, "method": "halftone", "colors": 4}
    found = outputs(await infer(client, "quantize", in_json(tensor(DRAWING, PHOTOGRAPH), parameters=parameters)))

    assert len(set(found["palette"])) == 1


async def test_images_of_one_request_share_a_batch(engine: FakeEngine) -> None:
    """While the device is busy with another image, four images of one request queue up."""
    app = fake_app(Settings(queue_size=32, workers=2), engine)
    engine.may_quantize.clear()
    async with ready(app) as client, anyio.create_task_group() as tasks:
        tasks.start_soon(lambda: client.post("/quantize?colors=2", content=PHOTO))
        assert await anyio.to_thread.run_sync(engine.busy.wait, PATIENCE)
        tasks.start_soon(infer, client, "quantize", in_json(tensor(*[NATIVE] * 4)))
        await queued(app.state.service.device, 4)
        assert app.state.service.pipeline.in_flight == 2
        engine.may_quantize.set()
    assert engine.batches == [(1, 2), (4, 4)]


async def test_the_first_image_that_fails_is_named(client: AsyncClient) -> None:
    files = (DRAWING, b"no image", DRAWING, b"")
    told = error(await infer(client, "classify", in_json(tensor(*files))), 400)

    assert told.startswith("Image 2 of 4: The bytes are not an image")
    assert error(await infer(client, "classify", in_json(tensor(b""))), 400).startswith("The")


BAD: dict[str, tuple[str, dict[str, Any], int, str]] = {
    "no model": ("nobody", {}, 404, "There is no model 'nobody'; the models are quantize, classify, brightness"),
    "no method": ("quantize", {"method": "x"}, 404, "There is no method 'x'"),
    "an option out of range": ("quantize", {"colors": 257}, 400, "less than or equal to 256 for the option 'colors'"),
    "an unknown option": ("quantize", {"timeout": 9}, 400, "There is no option 'timeout'"),
    "an option of the other task": ("quantize", {"top_k": 1}, 400, "There is no option 'top_k'"),
    "a model beside the model": ("second", {"model": "brightness"}, 400, "decides the option `model`; leave it out"),
    "several files as one": ("quantize", {"format": "zip"}, 400, "ask for png, webp, raw or packed"),
    "a format of a classifier": ("classify", {"format": "png"}, 400, "have no `format`"),
    "options that contradict": ("quantize", {"scale": "auto"}, 400, "scale=auto needs `max_bytes`"),
    "a goal out of reach": ("quantize", {"max_bytes": 1}, 400, "bytes"),
    "an unknown class": ("classify", {"cam": "dragon"}, 400, "cam 'dragon' is no class"),
}


@pytest.mark.parametrize("mistake", BAD)
async def test_a_rejection_has_the_form_of_the_protocol(client: AsyncClient, mistake: str) -> None:
    model, parameters, status, told = BAD[mistake]
    assert told in error(await infer(client, model, in_json(parameters=parameters)), status)


@pytest.mark.parametrize(
    ("model", "parameters", "output", "told"),
    [
        ("quantize", {"recognize": False}, "label_after", "leave out recognize=false"),
        ("quantize", {}, "goals_met", "give a goal, `keep` or `max_bytes`"),
        ("classify", {}, "cam", "give the option `cam`"),
    ],
)
async def test_an_output_that_the_options_rule_out_is_an_error(
    client: AsyncClient, model: str, parameters: dict[str, Any], output: str, told: str
) -> None:
    body = in_json(parameters=parameters, outputs=[{"name": output}])
    assert told in error(await infer(client, model, body), 400)


async def test_bodies_that_are_rejected_before_they_are_parsed(client: AsyncClient) -> None:
    too_large = await infer(client, "classify", bytes(1_000_001))
    assert "at most 1000000 bytes" in error(too_large, 413)
    assert "not accepted" in error(await infer(client, "classify", b"x", {"Content-Encoding": "br"}), 415)
    assert "not whole gzip data" in error(await infer(client, "classify", b"x", {"Content-Encoding": "gzip"}), 400)
    assert "50,000,000 pixels" in error(await infer(client, "classify", in_json(tensor(bomb()))), 413)


async def test_options_in_the_query_are_rejected(client: AsyncClient) -> None:
    response = await client.post("/v2/models/quantize/infer?colors=2", content=in_json())
    assert "'colors', but options of this endpoint belong in `parameters`" in error(response, 400)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v2/nothing", 404),
        ("GET", "/v2/models/x", 404),
        ("GET", "/v2/models/x/ready", 404),
        ("GET", "/v2/models/classify/infer", 405),
        ("POST", "/v2/models/classify", 405),
        ("POST", "/v2", 405),
        ("POST", "/v2/repository/index", 404),
    ],
)
async def test_paths_and_methods_that_do_not_exist(client: AsyncClient, method: str, path: str, status: int) -> None:
    response = await client.request(method, path, headers={"Accept": "text/html"})
    assert error(response, status)
    assert status != 405 or response.headers["allow"]


async def test_a_path_that_only_begins_alike_is_none_of_the_protocol(client: AsyncClient) -> None:
    assert (await client.get("/v2x")).headers["content-type"] == "application/problem+json"


async def test_a_bug_is_an_error_of_the_protocol(client: AsyncClient, engine: FakeEngine) -> None:
    engine.bug = ZeroDivisionError("secret")
    told = error(await infer(client, "quantize", in_json()), 500)
    assert "secret" not in told and "report the request id" in told


async def test_an_error_of_one_image_keeps_its_status_and_its_header(client: AsyncClient, engine: FakeEngine) -> None:
    engine.bug = OutOfMemory("Too little memory.", retry_after=9)
    response = await infer(client, "quantize", in_json(tensor(PHOTO, PHOTO)))

    assert error(response, 503) == "Image 1 of 2: Too little memory. Try again in 9 seconds."
    assert response.headers["retry-after"] == "9"


async def test_probes_follow_the_phase_of_the_service(app: FastAPI, engine: FakeEngine) -> None:
    engine.may_load.clear()
    async with running(app) as client:
        assert (await client.get("/v2/health/live")).json() == {"live": True}
        for path in ("/v2/health/ready", "/v2/models/classify/ready", "/v2/models/classify", "/v2/models"):
            response = await client.get(path)
            assert "being loaded" in error(response, 503) and response.headers["retry-after"] == "2"
        assert "being loaded" in error(await infer(client, "classify", in_json()), 503)
        assert (await client.get("/v2")).json()["extensions"] == ["binary_tensor_data", "parameters"]
        engine.may_load.set()


async def test_head_works_wherever_get_does(client: AsyncClient) -> None:
    for path in ("/v2", "/v2/health/live", "/v2/health/ready", "/v2/models", "/v2/models/classify"):
        response = await client.head(path)
        assert response.status_code == 200


async def test_a_full_queue_is_an_error_of_the_protocol_before_the_body_is_read(app: FastAPI) -> None:
    async with ready(app) as client:
        admission = app.state.service.pipeline.admission
        with admission.admit(), admission.admit(), admission.admit():
            response = await infer(client, "classify", b"not read")
        scraped = await samples(client)

    assert error(response, 503) == "3 requests are in flight already. Try again in 2 seconds."
    assert response.headers["retry-after"] == "2"
    path = "/v2/models/{model}/infer"
    assert value(scraped, "requests_total", path=path, method="POST", status="503") == 1
    assert value(scraped, "rejects_total", reason="queue-full") == 1


async def test_keys_and_the_rate_limit_apply_but_to_probes(engine: FakeEngine) -> None:
    key = "long-enough-01234"
    app = fake_app(Settings.model_validate({"api_keys": key, "rate_limit": 1, "rate_burst": 2}), engine)
    async with ready(app) as client:
        for path in ("/v2/health/live", "/v2/health/ready", "/v2/models/classify/ready"):
            assert (await client.get(path)).status_code == 200
        for path in ("/v2", "/v2/models", "/v2/models/classify"):
            assert "Send an API key" in error(await client.get(path), 401)
        refused = await infer(client, "classify", in_json())
        assert error(refused, 401) and refused.headers["www-authenticate"] == "Bearer"
        allowed = [await infer(client, "classify", in_json(), {"X-API-Key": key}) for _ in range(3)]

    assert [response.status_code for response in allowed] == [200, 200, 429]
    assert "too many requests" in error(allowed[2], 429) and int(allowed[2].headers["retry-after"]) > 0


async def test_the_work_ends_when_the_client_leaves(app: FastAPI, engine: FakeEngine) -> None:
    engine.may_quantize.clear()
    leave = anyio.Event()
    sent: list[Any] = []
    async with ready(app) as client, anyio.create_task_group() as tasks:
        body, path = in_json(tensor(PHOTO, PHOTO)), "/v2/models/quantize/infer"

        async def send() -> None:
            await exchange(app, path, "*/*", leave=leave, sent=sent, body=body)

        tasks.start_soon(send)
        assert await anyio.to_thread.run_sync(engine.busy.wait, PATIENCE)
        leave.set()
        with anyio.fail_after(PATIENCE):
            while app.state.service.pipeline.in_flight:
                await anyio.sleep(0.002)
        engine.may_quantize.set()
        scraped = await samples(client)

    assert sent == []
    assert value(scraped, "requests_total", path="/v2/models/{model}/infer", method="POST", status="499") == 1


async def test_requests_are_counted_by_the_template_of_their_path(client: AsyncClient) -> None:
    await infer(client, "marker", in_json())
    await infer(client, "quantize", in_json(tensor(PHOTO, PHOTO)))
    await infer(client, "quantize", b"marker")
    scraped = await samples(client)

    path = "/v2/models/{model}/infer"
    counted = {status: value(scraped, "requests_total", path=path, method="POST", status=status) for status in STATUSES}
    assert counted == dict.fromkeys(STATUSES, 1)
    assert value(scraped, "stage_seconds_count", path=path, stage="model") == 2
    assert value(scraped, "rejects_total", reason="bad-inference-request") == 1
    assert "marker" not in str(scraped)


STATUSES = ("200", "400", "404")


async def test_a_response_has_its_request_id_and_the_times_of_one_image(client: AsyncClient) -> None:
    headers = {"X-Request-ID": "look-for-me"}
    one = await infer(client, "quantize", in_json(), headers)
    two = await infer(client, "quantize", in_json(tensor(DRAWING, DRAWING)), headers)

    assert one.headers["x-request-id"] == "look-for-me"
    assert "model;dur=" in one.headers["server-timing"] and "model;dur=" not in two.headers["server-timing"]


async def test_json_that_is_mostly_an_image_is_not_compressed(client: AsyncClient) -> None:
    headers = {"Accept-Encoding": "gzip"}
    noise = encoded(np.random.default_rng(0).integers(0, 256, (60, 60, 3), np.uint8))
    parameters = {"method": "octree", "colors": 256}
    picture = await infer(client, "quantize", in_json(tensor(noise), parameters=parameters), headers)
    text = await infer(client, "quantize", in_json(tensor(noise), outputs=[{"name": "palette"}]), headers)
    labels = await infer(client, "classify", in_json(tensor(*[DRAWING] * 32)), headers)

    assert "content-encoding" not in picture.headers and picture.headers["cache-control"] == "no-store, no-transform"
    assert labels.headers["content-encoding"] == "gzip" and text.status_code == 200
    assert json.loads(labels.content)


async def test_a_classical_method_has_no_hash(client: AsyncClient) -> None:
    response = await infer(client, "quantize", in_json(parameters={"method": "octree"}))

    assert outputs(response)["model"] == ["none"] and response.json()["parameters"] == {"sha256": "none"}
    assert "x-model-sha256" not in response.headers


async def test_every_header_is_described(client: AsyncClient) -> None:
    document = (await client.get("/openapi.json")).json()
    described = document["paths"]["/v2/models/{model}/infer"]["post"]["responses"]["200"]["headers"]
    body, headers = in_binary(DRAWING, parameters={"binary_data_output": True})
    response = await infer(client, "quantize", body, headers)

    common = {"content-type", "content-length", *map(str.lower, SECURITY_HEADERS)}
    assert set(response.headers) - {name.lower() for name in described} <= common
