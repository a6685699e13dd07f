"""Planning of a benchmark: names of images, and the size of the contact sheet."""

from dataclasses import replace

import pytest
from fastapi import FastAPI
from httpx import AsyncClient

from models.errors import BadOption, UnknownMethod
from models.names import ModelKind
from service.benchmark.job import Planner, image_names
from service.inference.selection import Catalog
from service.schemas.options import BenchmarkOptions
from service.schemas.upload import Upload, UploadedFile
from tests.service.benchmark_client import post
from tests.service.clients import problem
from tests.service.fake_loader import FakeLoader
from tests.service.fakes import ENTRIES, FakeEngine, Gate
from tests.service.images import DRAWING

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


def test_without_a_network_the_default_methods_are_classical(planner: Planner) -> None:
    job = planner.plan(UPLOAD, BenchmarkOptions(colors=("2",)), sheet="none", request_id="x")

    assert [setting.method for setting in job.settings] == ["halftone", "median_cut", "octree", "kmeans"]
    assert (job.model, job.conditions.classifier) == (None, "brightness")
    with pytest.raises(UnknownMethod, match="no method 'colorcnn'; the methods are halftone"):
        planner.plan(UPLOAD, BenchmarkOptions(methods=("colorcnn",)), sheet="none", request_id="x")


def test_maps_of_a_classifier_without_maps_are_rejected_before_any_work(planner: Planner) -> None:
    with pytest.raises(BadOption, match="'brightness' has no activation maps"):
        planner.plan(UPLOAD, BenchmarkOptions(cam=True), sheet="none", request_id="x")
