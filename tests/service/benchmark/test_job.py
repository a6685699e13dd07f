"""Planning of a benchmark: names of images, and the size of the contact sheet."""

from dataclasses import replace

import pytest
from fastapi import FastAPI
from httpx import AsyncClient

from models.errors import BadOption, UnknownMethod
from models.names import ModelKind
from service.benchmark.job import Planner, image_names
from service.inference.catalog import Catalog
from service.schemas.benchmark_options import COMPARED_PHOTOGRAPH, COMPARED_SMALL, BenchmarkOptions
from service.schemas.upload import Upload, UploadedFile
from tests.service.benchmark_client import post, report
from tests.service.clients import problem
from tests.service.fake_loader import FakeLoader
from tests.service.fakes import ENTRIES, FakeEngine, Gate
from tests.service.images import DRAWING, PHOTOGRAPH

pytestmark = pytest.mark.anyio


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


async def test_a_sheet_that_is_too_large_is_rejected_before_any_work(
    app: FastAPI, client: AsyncClient, gate: Gate
) -> None:
    options = {"methods": "colorcnn,octree,wu", "colors": ",".join(map(str, range(2, 18)))}
    refused = await post(client, *[DRAWING] * 23, accept="image/png", **options)

    assert problem(refused) == (422, "bad-option")
    assert "1173 tiles" in refused.json()["detail"] and "1142" in refused.json()["detail"]
    assert not gate.waiting.is_set()


@pytest.fixture
def planner(engine: FakeEngine) -> Planner:
    """Planner of a service with a classifier without maps, and without a network."""
    entry = replace(ENTRIES[0], cam=False)
    engine.catalog = Catalog((entry,), {ModelKind.CLASSIFIER: entry.name})
    return Planner(engine, FakeLoader(), 1000)


UPLOAD = Upload((UploadedFile(DRAWING, "a.png"),))


@pytest.mark.parametrize(
    ("image", "methods", "classifier"),
    [
        (PHOTOGRAPH, COMPARED_PHOTOGRAPH, "second"),
        (DRAWING, COMPARED_SMALL, "brightness"),
    ],
)
def test_photographs_have_methods_and_a_classifier_of_their_own(
    engine: FakeEngine, image: bytes, methods: tuple[str, ...], classifier: str
) -> None:
    job = Planner(engine, FakeLoader(), 10_000).plan(
        Upload((UploadedFile(image, "a.png"),) * 2), BenchmarkOptions(colors=("2", "4")), sheet="none", request_id="x"
    )

    first, _ = job.pictures
    assert first.treatment.methods == methods
    assert job.classifier == classifier
    models = {setting.method: setting.model for setting in first.treatment.settings}
    assert models[methods[0]] == {"refined_fast": "second", "colorcnn": "gray-steps"}[methods[0]]
    assert job.rows == 2 * 2 * len(methods)


@pytest.mark.parametrize(
    ("model", "methods", "classifier", "models"),
    [
        (None, ("colorcnn", "refined"), "second", ["gray-steps", "second"]),
        ("gray-steps", ("colorcnn", "refined"), "brightness", ["gray-steps", "brightness"]),
        ("brightness", ("colorcnn", "refined"), "brightness", ["gray-steps", "brightness"]),
        ("brightness", (), "brightness", ["brightness", None, None, None]),
    ],
)
def test_refined_methods_optimize_for_the_classifier_that_judges(
    engine: FakeEngine, model: str | None, methods: tuple[str, ...], classifier: str, models: list[str | None]
) -> None:
    options = BenchmarkOptions(colors=("2",), methods=methods, model=model)
    job = Planner(engine, FakeLoader(), 10_000).plan(
        Upload((UploadedFile(PHOTOGRAPH, "a.png"),)), options, sheet="none", request_id="x"
    )

    assert job.classifier == classifier
    assert [setting.model for setting in job.pictures[0].treatment.settings] == models


async def test_photographs_and_smaller_images_may_be_mixed(client: AsyncClient) -> None:
    broken = PHOTOGRAPH[:20]
    mixed = await report(client, PHOTOGRAPH, DRAWING, broken, colors="2", labels="0,1,0")

    assert mixed["classifier"] is None
    assert [image.get("classifier") for image in mixed["images"]] == ["second", "brightness", None]
    methods = {name: [row["method"] for row in mixed["rows"] if row["image"] == name] for name in ("a.png", "b.png")}
    assert methods == {"a.png": list(COMPARED_PHOTOGRAPH), "b.png": list(COMPARED_SMALL)}
    kmeans = next(means for means in mixed["summary"] if means["method"] == "kmeans")
    assert kmeans["images"] == 2
    for accept in ("image/png", "text/html", "application/x-ndjson"):
        response = await post(client, PHOTOGRAPH, DRAWING, accept=accept, colors="2,4")
        assert response.status_code == 200
        assert accept != "text/html" or "classified by second and brightness" in response.text


async def test_an_image_that_cannot_be_read_leaves_the_classifier_to_the_others(client: AsyncClient) -> None:
    response = await report(client, b"no image", PHOTOGRAPH, colors="2", methods="kmeans")

    assert response["classifier"] == "second"


def test_without_a_network_the_default_methods_are_classical(planner: Planner) -> None:
    job = planner.plan(UPLOAD, BenchmarkOptions(colors=("2",)), sheet="none", request_id="x")

    [picture] = job.pictures
    assert picture.treatment.methods == ("halftone", "median_cut", "octree", "kmeans")
    assert (job.model, job.classifier) == (None, "brightness")
    with pytest.raises(UnknownMethod, match="no method 'colorcnn'; the methods are halftone"):
        planner.plan(UPLOAD, BenchmarkOptions(methods=("colorcnn",)), sheet="none", request_id="x")


def test_maps_of_a_classifier_without_maps_are_rejected_before_any_work(planner: Planner) -> None:
    with pytest.raises(BadOption, match="'brightness' has no activation maps"):
        planner.plan(UPLOAD, BenchmarkOptions(cam=True), sheet="none", request_id="x")
