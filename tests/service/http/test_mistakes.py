"""What people send in place of an image gets one sentence about what to do; images and other bytes get none."""

import base64
import gzip
import re

import pytest
from httpx import AsyncClient
from hypothesis import given
from hypothesis import strategies as st

from service.http.mistakes import advice
from tests.service.clients import problem
from tests.service.images import BPG, DRAWING, PHOTO, encoded, ramp

ADDRESS = "https://elsewhere.example/photo.jpg?size=2&x=1"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('{"colors": 4}', "is JSON, .*curl -F file=@photo.jpg"),
        ('[ {"image": "aGVsbG8="}]', "is JSON,"),
        (f'{{"url": "{ADDRESS}"}}', "is JSON with an address, .*download the image"),
        (ADDRESS, "is an address, .*download the image"),
        (f" {ADDRESS}\r\n", "is an address"),
        ("s3://bucket/photo.jpg", "is an address"),
        ("data:image/png;base64,iVBORw0KGgo=", "is base64, .*decode the text"),
        *((base64.b64encode(encoded(ramp(9, 6), kind)).decode(), "is base64") for kind in ("PNG", "JPEG", "WEBP")),
        (base64.b64encode(b"GIF89a" + bytes(9000)).decode(), "is base64"),
        ("photo.jpg", "is the name of a file, .*with @ before the name"),
        ("C:\\Users\\me\\My photo.jpeg", "is the name of a file"),
        ("/tmp/photo.png\n", "is the name of a file"),
        ("file=@photo.jpg&colors=2", "is a URL-encoded form, .*multipart/form-data"),
    ],
)
def test_each_mistake_has_its_sentence(text: str, told: str) -> None:
    sentence = advice("The body is", text.encode()) or ""

    assert re.search(told, sentence) and sentence.count(".") == sentence.rstrip(".").count(".") + 1


def test_the_declared_type_is_enough_for_json() -> None:
    assert "is JSON" in (advice("The body is", b'"photo"', "application/json") or "")
    assert advice("The body is", DRAWING, "application/json") is None


@pytest.mark.parametrize(
    "data",
    [b"", b"no image", b"just some text\n" * 9, b"<html>", b"1.5", b"\xc3", b"{\xff\xfe", b"x" * 5000, b"a=" * 3000],
)
def test_other_texts_and_bytes_have_none(data: bytes) -> None:
    assert advice("The body is", data) is None


@pytest.mark.parametrize("image", [DRAWING, PHOTO, BPG, gzip.compress(DRAWING)])
def test_an_image_has_none(image: bytes) -> None:
    assert advice("The body is", image) is None


@given(st.binary(max_size=200))
def test_any_bytes_are_read(data: bytes) -> None:
    found = advice("The body is", data)
    assert found is None or found.startswith("The body is")


@pytest.mark.anyio
@pytest.mark.parametrize("path", ["/quantize", "/classify", "/compress", "/benchmark"])
async def test_a_json_body_with_a_url_is_told_to_download(client: AsyncClient, path: str) -> None:
    response = await client.post(path, json={"url": ADDRESS})

    assert problem(response) == (415, "unsupported-format")
    assert "download the image" in response.json()["detail"]
