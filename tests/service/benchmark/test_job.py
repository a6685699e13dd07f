"""Planning of a benchmark: names of images, and the size of the contact sheet."""

import pytest
from fastapi import FastAPI
from httpx import AsyncClient

from service.benchmark.job import image_names
from service.schemas.upload import UploadedFile
from tests.service.benchmark_client import post
from tests.service.clients import problem
from tests.service.fakes import Gate
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
