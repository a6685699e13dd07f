"""tests/benchmarks/large_images.py: what is measured, against a server that answers at once."""

from pathlib import Path

import httpx
import pytest

from tests.benchmarks import large_images
from tests.service.images import opened
from tests.service.processes import serving


def test_each_small_size_is_measured_alone_and_beside_the_stream(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(large_images, "LARGE", (90, 70))
    with serving("tests.service.fake_server", tmp_path / "log") as server:
        server.wait_until_ready()
        report = large_images.measure(server.url, 3, 2)

    assert [row["request"] for row in report["rows"]] == list(large_images.SMALL)
    for row in report["rows"]:
        assert row["requests_alone"] == 6 <= row["requests_beside"]
        assert row["ratio"]["p99"] == round(
            row["milliseconds"]["beside"]["p99"] / row["milliseconds"]["alone"]["p99"], 2
        )
    assert report["megapixels"] == 0.0063
    assert report["stream"]["requests"] >= 8


def test_a_tiny_picture_is_a_png_and_others_are_photographs() -> None:
    for size, kind in (((32, 32), "PNG"), ((700, 600), "JPEG")):
        image = opened(large_images.picture(*size))
        assert (image.size, image.format) == (size, kind)


def test_a_request_of_the_stream_that_fails_ends_the_measurement() -> None:
    with pytest.raises(httpx.ConnectError), large_images.Stream("http://127.0.0.1:1", b"") as stream:
        stream._thread.join(large_images.PATIENCE)
