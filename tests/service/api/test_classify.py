"""POST /classify: predictions, and the activation map over the image."""

import base64
from dataclasses import replace
from urllib.parse import unquote

import numpy as np
import pytest
from fastapi import FastAPI
from httpx import AsyncClient

from service.settings import Settings
from tests.service.clients import fake_app, ready
from tests.service.fakes import ENTRIES, FakeEngine
from tests.service.images import DRAWING, encoded, opened, ramp

pytestmark = pytest.mark.anyio

AS_PNG = {"Accept": "image/png"}


async def test_predictions_come_best_first(client: AsyncClient) -> None:
    response = await client.post("/classify", content=DRAWING)

    report = response.json()
    chances = [prediction["probability"] for prediction in report["predictions"]]
    assert response.headers["content-type"] == "application/json"
    assert (report["model"], report["cam"], report["notes"]) == ("brightness", None, [])
    assert report["predictions"][0].keys() == {"label", "index", "probability"}
    assert chances == sorted(chances, reverse=True)
    assert response.headers["x-model"] == "brightness"
    assert response.headers["server-timing"].startswith("decode;dur=")


@pytest.mark.parametrize(("top_k", "expected"), [("1", 1), ("2", 2), ("1000", 3)])
async def test_top_k_limits_the_predictions(client: AsyncClient, top_k: str, expected: int) -> None:
    response = await client.post("/classify", content=DRAWING, params={"top_k": top_k})

    assert len(response.json()["predictions"]) == expected


async def test_a_classifier_can_be_selected(client: AsyncClient) -> None:
    response = await client.post("/classify", content=DRAWING, params={"model": "second"})

    assert response.json()["model"] == "second"


async def test_a_png_is_the_map_of_the_best_class(client: AsyncClient) -> None:
    response = await client.post("/classify", content=DRAWING, headers=AS_PNG)

    image = opened(response.content)
    assert (response.headers["content-type"], image.mode, image.size) == ("image/png", "RGB", (40, 24))
    assert response.headers["x-label"] == "dark"
    assert int(response.headers["x-colors"]) == len(np.unique(np.asarray(image).reshape(-1, 3), axis=0))
    assert float(response.headers["x-bits-per-pixel"]) == pytest.approx(8 * len(response.content) / (40 * 24), abs=1e-4)


async def test_high_activation_is_red_and_low_activation_is_blue(client: AsyncClient) -> None:
    gray = encoded(np.full((4, 64, 3), 128, dtype=np.uint8))

    response = await client.post("/classify", content=gray, params={"cam": "1"}, headers=AS_PNG)

    pixels = np.asarray(opened(response.content)).astype(int)
    assert pixels[0, 0, 2] > pixels[0, 0, 0]
    assert pixels[0, -1, 0] > pixels[0, -1, 2]


@pytest.mark.parametrize(
    ("cam", "label"), [("top", "dark"), ("0", "dark"), ("light", "light"), ("1", "light"), ("déjà vu", "déjà vu")]
)
async def test_cam_names_a_class_by_label_or_index(client: AsyncClient, cam: str, label: str) -> None:
    picture = await client.post("/classify", content=DRAWING, params={"cam": cam}, headers=AS_PNG)
    report = await client.post("/classify", content=DRAWING, params={"cam": cam, "top_k": "1"})

    assert picture.headers["x-label"].isascii()
    assert unquote(picture.headers["x-label"]) == label
    drawn = report.json()["cam"]
    assert drawn["label"] == label
    assert base64.b64decode(drawn["png"]) == picture.content


async def test_the_map_of_a_class_outside_the_top_k_has_its_own_probability(client: AsyncClient) -> None:
    response = await client.post("/classify", content=DRAWING, params={"cam": "déjà vu", "top_k": "1"})

    assert response.json()["cam"]["probability"] == pytest.approx(0.1)


@pytest.mark.parametrize("cam", ["3", "-1", "cat", "0" * 5000, "1e0"])
async def test_an_unknown_class_is_rejected(client: AsyncClient, cam: str) -> None:
    response = await client.post("/classify", content=DRAWING, params={"cam": cam})

    assert response.status_code == 422
    assert response.json()["type"] == "urn:colorcnn:problem:bad-option"
    assert "light" in response.json()["detail"]


async def test_the_default_classifier_of_photographs_reads_their_center(engine: FakeEngine) -> None:
    """Its map lies over the central square that it sees; a smaller image has the other default."""
    entries = [replace(entry, crop=0.5) if entry.name == "second" else entry for entry in ENTRIES]
    engine.catalog = replace(engine.catalog, entries=tuple(entries), photographs=True, photograph_classifier="second")
    gray, small = (encoded(np.full((side, side, 3), 128, dtype=np.uint8)) for side in (80, 64))
    async with ready(fake_app(Settings(), engine)) as client:
        models = [(await client.post("/classify", content=data)).json()["model"] for data in (gray, small)]
        drawn = await client.post("/classify", content=gray, headers=AS_PNG)

    changed = (np.asarray(opened(drawn.content)) != 128).any(axis=2)
    assert models == ["second", "brightness"]
    assert changed[20:60, 20:60].all() and changed.sum() == 40 * 40


@pytest.fixture
def small_maps(engine: FakeEngine) -> FastAPI:
    return fake_app(Settings(max_cam_pixels=1024), engine)


async def test_the_map_of_a_large_image_is_bounded(small_maps: FastAPI) -> None:
    async with ready(small_maps) as client:
        response = await client.post("/classify", content=encoded(ramp(200, 50)), headers=AS_PNG)

    width, height = opened(response.content).size
    assert width * height <= 1024
    assert width / height == pytest.approx(4, rel=0.1)
    assert response.headers["x-image-notes"] == f"activation map drawn at {width}x{height}"


@pytest.mark.parametrize("options", [{"cam": "top"}, {"accept": "image/png"}])
async def test_a_map_of_a_classifier_without_maps_is_rejected(engine: FakeEngine, options: dict[str, str]) -> None:
    entries = [replace(entry, cam=False) if entry.name == "second" else entry for entry in ENTRIES]
    engine.catalog = replace(engine.catalog, entries=tuple(entries))
    headers = {"Accept": options.pop("accept", "application/json")}
    async with ready(fake_app(Settings(), engine)) as client:
        query = {"model": "second", **options}
        refused = await client.post("/classify", content=DRAWING, params=query, headers=headers)
        plain = await client.post("/classify", content=DRAWING, params={"model": "second"})
        listed = {model["name"]: model["cam"] for model in (await client.get("/models")).json()["models"]}

    assert refused.json()["type"] == "urn:colorcnn:problem:bad-option"
    assert "'second' has no activation maps" in refused.json()["detail"]
    assert plain.json()["model"] == "second" and plain.json()["cam"] is None
    assert listed == {"brightness": True, "second": False, "gray-steps": False}
