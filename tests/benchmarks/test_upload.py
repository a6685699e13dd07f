"""tests/benchmarks/upload.py and its client: rows and requests; speed is not tested."""

import pytest

from tests.benchmarks import upload
from tests.benchmarks.http_load import Outcome


def test_every_image_and_encoding_has_a_row_with_both_routes() -> None:
    rows = upload.measure("simulated", 0.05, 1)

    assert [(row["image"], row["sent_as"]) for row in rows] == [
        (image, way) for image in ("32x32 PNG", "20 kB JPEG", "20 kB JPEG by `colorcnn`") for way in ("form", "raw")
    ]
    for row in rows:
        rates = [row[route]["requests_per_second"] for route in ("quantize", "no-op")]
        assert abs(row["ratio"] - rates[0] / rates[1]) < 0.01
        assert row["quantize"]["p50_ms"] <= row["quantize"]["p99_ms"]
    small, large = rows[0], rows[2]
    assert 0 < small["decode_ms"] < large["decode_ms"] and 0 < small["encode_ms"] < large["encode_ms"]


def test_the_photo_takes_20_kilobytes() -> None:
    assert 19_000 < len(upload.images()["20 kB JPEG"].file) < 21_000


def test_a_status_other_than_200_ends_the_load() -> None:
    answered, refused = (Outcome("load-0", 0.0, 0.1, 0.1, status, {}) for status in (200, 503))

    assert upload.all_ok([answered]) == [answered]
    with pytest.raises(RuntimeError, match="status 503"):
        upload.all_ok([answered, refused])
