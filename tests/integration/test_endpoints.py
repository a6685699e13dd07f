"""Responses and rejections of every endpoint over HTTP, also behind a proxy."""

from typing import Any

import pytest
from httpx import Client

from tests.service.images import DRAWING, PHOTO, bomb, encoded, opened, pixels_of, ramp


@pytest.mark.parametrize(("path", "status"), [("/healthz", "alive"), ("/readyz", "ready")])
def test_probes_report_their_status(client: Client, path: str, status: str) -> None:
    response = client.get(path)

    assert (response.status_code, response.json()["status"]) == (200, status)


def test_form_raw_body_and_chunked_body_give_the_same_image(client: Client) -> None:
    form = client.post("/quantize", files={"file": ("photo.jpg", PHOTO)}, data={"colors": "2"})
    raw = client.post("/quantize", content=PHOTO, params={"colors": "2"})
    chunked = client.post("/quantize", content=iter([PHOTO[:99], PHOTO[99:]]), params={"colors": "2"})

    assert form.headers["content-type"] == "image/png"
    assert form.content == raw.content == chunked.content
    assert len(opened(raw.content).getcolors() or ()) == 2


@pytest.mark.parametrize(
    "method", ["median_cut", "median_cut_by_error", "octree", "octree_nearest", "kmeans", "wu", "libimagequant"]
)
def test_every_method_returns_an_image_of_the_same_size(client: Client, method: str) -> None:
    response = client.post("/quantize", content=DRAWING, params={"colors": "4", "method": method})

    assert pixels_of(response.content).shape == (24, 40, 3)


def test_an_upload_of_several_megabytes_is_accepted(client: Client) -> None:
    """A proxy does not keep an upload of this size in memory."""
    image = encoded(ramp(1200, 1000), "BMP")

    response = client.post("/quantize", content=image, params={"method": "octree", "recognize": "false"})

    assert len(image) > 3_000_000
    assert opened(response.content).size == (1200, 1000)


def test_metrics_are_served_as_text(client: Client) -> None:
    response = client.get("/metrics")
    if response.status_code == 404:
        pytest.skip("the proxy in front of this service hides its metrics")

    assert response.headers["content-type"].startswith("text/plain")
    assert "\ncolorcnn_requests_total{" in response.text


BAD: dict[str, tuple[str, str, dict[str, Any], int, str]] = {
    "no such path": ("GET", "/nothing", {}, 404, "not-found"),
    "no such method": ("GET", "/quantize", {}, 405, "method-not-allowed"),
    "nothing": ("POST", "/quantize", {"content": b""}, 400, "bad-image"),
    "cut off": ("POST", "/classify", {"content": PHOTO[:200]}, 400, "bad-image"),
    "not a form": (
        "POST",
        "/compress",
        {"content": b"x", "headers": {"Content-Type": "multipart/form-data; boundary=y"}},
        400,
        "malformed-upload",
    ),
    "too few colors": ("POST", "/quantize", {"content": PHOTO, "params": {"colors": "1"}}, 422, "bad-option"),
    "another quantizer": ("POST", "/quantize", {"content": PHOTO, "params": {"method": "x"}}, 404, "unknown-method"),
    "another media type": ("POST", "/compress", {"headers": {"Accept": "video/mp4"}}, 406, "not-acceptable"),
    "no images": ("POST", "/benchmark", {"content": b""}, 422, "bad-upload"),
    "another format": ("POST", "/classify", {"content": encoded(ramp(), "PPM")}, 415, "unsupported-format"),
    "a decompression bomb": ("POST", "/quantize", {"content": bomb()}, 413, "too-large"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_rejection_has_its_problem_type(client: Client, case: str) -> None:
    method, path, request, status, name = BAD[case]

    response = client.request(method, path, **request)

    assert (response.status_code, response.headers["content-type"]) == (status, "application/problem+json")
    assert (response.json()["type"], response.json()["status"]) == (f"urn:colorcnn:problem:{name}", status)
    assert response.json()["instance"] == f"urn:colorcnn:request:{response.headers['x-request-id']}"


def test_a_response_has_its_request_id_and_security_headers(client: Client) -> None:
    response = client.get("/models", headers={"X-Request-ID": "look-for-me"})

    assert response.headers["x-request-id"] == "look-for-me"
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["cache-control"] == "no-store"
    assert not [name for name in response.headers if name.startswith("access-control-")]
