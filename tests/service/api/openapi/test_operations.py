"""Operations of the OpenAPI document: statuses, media types, and the forms of a body."""

from __future__ import annotations

import pytest

from service.api.openapi import operations
from service.api.openapi.options import FILES, ONE_FILE, query_parameters, request_body
from service.schemas.benchmark_options import BenchmarkOptions
from service.schemas.options import ClassifyOptions, QuantizeOptions

UPLOAD = {400, 404, 406, 408, 413, 415, 422, 500, 503}


@pytest.mark.parametrize(
    ("operation", "statuses"),
    [
        (operations.QUANTIZE, {200, 204, 304, 504} | UPLOAD),
        (operations.CLASSIFY, {200, 504} | UPLOAD),
        (operations.COMPRESS, {200, 504} | UPLOAD),
        (operations.BENCHMARK, {200} | UPLOAD),
        (operations.RESULTS, {200, 406, 503}),
        (operations.METRICS, {200}),
        (operations.NOT_READY, {503}),
    ],
)
def test_an_operation_has_its_statuses(operation: operations.Json, statuses: set[int]) -> None:
    assert operation["responses"].keys() - {401, 429} == statuses


@pytest.mark.parametrize(
    ("operation", "types"),
    [
        (
            operations.QUANTIZE,
            [
                *("image/png", "application/octet-stream", "application/json"),
                *("image/webp", "image/vnd.colorcnn.packed", "application/zip", "multipart/mixed"),
            ],
        ),
        (operations.CLASSIFY, ["application/json", "image/png"]),
        (operations.COMPRESS, ["application/json", "image/bpg", "image/png"]),
        (operations.BENCHMARK, ["application/json", "image/png", "text/html", "application/x-ndjson"]),
        (operations.RESULTS, ["application/json", "text/html"]),
    ],
)
def test_a_success_has_its_media_types_in_order(operation: operations.Json, types: list[str]) -> None:
    assert list(operation["responses"][200]["content"]) == types


def test_a_body_is_required_and_a_parameter_is_not() -> None:
    body = request_body(QuantizeOptions, ONE_FILE)
    form = body["content"]["multipart/form-data"]["schema"]

    assert body["required"] is True
    assert (form["required"], form["additionalProperties"], form["type"]) == (["file"], False, "object")
    assert {each["required"] for each in query_parameters(QuantizeOptions)} == {False}
    assert {each["in"] for each in query_parameters(QuantizeOptions)} == {"query"}


def test_one_to_32_images_are_an_array_of_binary_strings() -> None:
    assert (FILES["type"], FILES["minItems"], FILES["maxItems"]) == ("array", 1, 32)
    assert "One to 32 images" in FILES["description"]
    assert ONE_FILE["format"] == FILES["items"]["format"] == "binary"


def test_null_is_no_value_of_a_form_and_a_default_is_a_sentence() -> None:
    parameters = {each["name"]: each for each in query_parameters(QuantizeOptions)}

    assert parameters["max_side"]["schema"].get("anyOf") is None
    assert parameters["dither"]["schema"]["type"] == "boolean"
    assert [set(kind) & {"type", "const"} for kind in parameters["colors"]["schema"]["anyOf"]]
    assert len(parameters["colors"]["schema"]["anyOf"]) == 2
    assert parameters["colors"]["description"].endswith("Default: 4.")
    assert parameters["alpha"]["description"].endswith('Default: "keep".')
    assert parameters["skip_if_larger"]["description"].endswith("Default: false.")
    assert all("Default" not in parameters[name]["description"] for name in ("keep", "max_bytes", "method", "model"))
    assert not any("null" in str(each["schema"]) for each in parameters.values())


def test_lists_without_a_default_name_none() -> None:
    parameters = {each["name"]: each for each in query_parameters(BenchmarkOptions)}

    assert "Default" not in parameters["labels"]["description"]
    assert parameters["methods"]["schema"]["items"] == {"$ref": "#/components/schemas/Method"}
    assert {each["name"] for each in query_parameters(ClassifyOptions)} == set(ClassifyOptions.model_fields)
