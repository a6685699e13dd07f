"""Headers of the OpenAPI document: which statuses have which, and examples as the service writes them."""

from __future__ import annotations

import pytest

from service.api.openapi import headers
from service.api.openapi.headers import OF_PROBLEMS
from service.http.problems import PROBLEMS


def test_only_a_refused_key_and_a_full_service_have_headers_of_their_own() -> None:
    assert {status: list(found) for status, found in OF_PROBLEMS.items()} == {
        401: ["WWW-Authenticate"],
        429: ["Retry-After"],
        503: ["Retry-After"],
    }
    assert OF_PROBLEMS.keys() <= {problem.status for problem in PROBLEMS.values()}


def test_every_response_has_an_id_and_the_digest_of_the_models() -> None:
    assert headers.OF_ALL.keys() == {"X-Request-ID", "X-Models-Digest"}


@pytest.mark.parametrize(
    ("described", "names"),
    [
        (headers.NOT_SMALLER, {"X-Upload-Bytes", "X-Image-Notes", *headers.OF_ALL}),
        (headers.NOT_MODIFIED, {"ETag", *headers.OF_ALL}),
        (headers.OF_PAGES, {"Content-Security-Policy", *headers.OF_ALL}),
    ],
)
def test_a_response_without_a_picture_has_few_headers(described: headers.Json, names: set[str]) -> None:
    assert described.keys() == names


@pytest.mark.parametrize(
    "described", [headers.OF_QUANTIZE, headers.OF_CLASSIFY, headers.OF_COMPRESS, headers.OF_BENCHMARK]
)
def test_every_header_has_a_sentence_and_an_example_that_is_text(described: headers.Json) -> None:
    for header in described.values():
        assert header["description"] and header["schema"] == {"type": "string"}
        assert isinstance(header["example"], str)
