"""The OpenAPI document is complete and matches the service."""

from collections.abc import Iterator
from typing import Any

import pytest
from httpx import AsyncClient

from models.zoo.registry import Registry
from service.http.headers import SECURITY_HEADERS
from service.schemas.benchmark_options import BenchmarkOptions
from service.schemas.methods import METHODS
from service.schemas.options import ClassifyOptions, CompressOptions, ImageOptions, QuantizeOptions
from tests.service.images import DRAWING

pytestmark = pytest.mark.anyio


@pytest.fixture
async def document(client: AsyncClient) -> dict[str, Any]:
    document: dict[str, Any] = (await client.get("/openapi.json")).json()
    return document


def references(node: object) -> Iterator[str]:
    if isinstance(node, dict):
        yield from (value for key, value in node.items() if key == "$ref")
        node = list(node.values())
    if isinstance(node, list):
        for child in node:
            yield from references(child)


async def test_the_endpoints_are_those_of_the_contract(document: dict[str, Any]) -> None:
    assert {(path, method) for path, methods in document["paths"].items() for method in methods} == {
        ("/quantize", "post"),
        ("/classify", "post"),
        ("/compress", "post"),
        ("/benchmark", "post"),
        ("/benchmark", "get"),
        ("/models", "get"),
        ("/healthz", "get"),
        ("/readyz", "get"),
        ("/metrics", "get"),
        ("/v2", "get"),
        ("/v2/health/live", "get"),
        ("/v2/health/ready", "get"),
        ("/v2/models", "get"),
        ("/v2/models/{model}", "get"),
        ("/v2/models/{model}/ready", "get"),
        ("/v2/models/{model}/infer", "post"),
    }


async def test_operations_have_the_names_of_functions_in_generated_clients(document: dict[str, Any]) -> None:
    names = {
        f"{method} {path}": operation["operationId"]
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }

    assert names == {
        "post /quantize": "quantize",
        "post /classify": "classify",
        "post /compress": "compress",
        "post /benchmark": "benchmark",
        "get /benchmark": "results",
        "get /models": "models",
        "get /healthz": "healthz",
        "get /readyz": "readyz",
        "get /metrics": "metrics",
        "get /v2": "server_metadata",
        "get /v2/health/live": "server_live",
        "get /v2/health/ready": "server_ready",
        "get /v2/models": "model_list",
        "get /v2/models/{model}": "model_metadata",
        "get /v2/models/{model}/ready": "model_ready",
        "post /v2/models/{model}/infer": "infer",
    }


async def test_the_document_names_license_contact_servers_and_tags(document: dict[str, Any]) -> None:
    used = {
        tag for methods in document["paths"].values() for operation in methods.values() for tag in operation["tags"]
    }

    assert document["info"]["license"]["identifier"] == "MIT"
    assert document["info"]["contact"]["name"]
    assert document["servers"][0]["url"] == "/"  # /docs sends its requests to the service that it comes from
    assert {tag["name"] for tag in document["tags"]} == used
    assert all(tag["description"] for tag in document["tags"])


@pytest.mark.parametrize("path", ["/quantize", "/compress", "/benchmark"])
async def test_methods_are_an_enumeration_and_models_have_examples(document: dict[str, Any], path: str) -> None:
    operation = document["paths"][path]["post"]
    form = operation["requestBody"]["content"]["multipart/form-data"]["schema"]["properties"]
    query = {each["name"]: each["schema"] for each in operation["parameters"]}

    for options in (form, query):
        method = options["method"] if "method" in options else options["methods"]["items"]
        assert method["$ref"] == "#/components/schemas/Method"
        assert set(options["model"]["examples"]) <= {entry.name for entry in Registry.open().available()}
    assert document["components"]["schemas"]["Method"]["enum"] == list(METHODS)


async def test_every_reference_resolves(document: dict[str, Any]) -> None:
    names = set(references(document))

    assert names
    assert all(name.removeprefix("#/components/schemas/") in document["components"]["schemas"] for name in names)


OPTIONS: dict[str, type[ImageOptions]] = {
    "/quantize": QuantizeOptions,
    "/classify": ClassifyOptions,
    "/compress": CompressOptions,
    "/benchmark": BenchmarkOptions,
}


@pytest.mark.parametrize(("path", "options"), OPTIONS.items())
async def test_both_kinds_of_body_and_every_option_are_described(
    document: dict[str, Any], path: str, options: type[ImageOptions]
) -> None:
    operation = document["paths"][path]["post"]
    bodies = operation["requestBody"]["content"]

    assert bodies.keys() == {"multipart/form-data", "application/octet-stream"}  # generators of clients reject image/*
    assert bodies["multipart/form-data"]["schema"]["properties"].keys() == {"file", *options.model_fields}
    assert [parameter["name"] for parameter in operation["parameters"]] == list(options.model_fields)
    assert all(parameter["description"] for parameter in operation["parameters"])
    # /docs and generated clients send defaults, so an option would be given twice, or beside one that it excludes
    fields = bodies["multipart/form-data"]["schema"]["properties"].values()
    schemas = [*fields, *(parameter["schema"] for parameter in operation["parameters"])]
    assert not any("default" in schema for schema in schemas)


@pytest.mark.parametrize("path", ["/quantize", "/compress"])
async def test_fidelity_is_a_number_in_a_range(document: dict[str, Any], path: str) -> None:
    parameters = {parameter["name"]: parameter for parameter in document["paths"][path]["post"]["parameters"]}

    fidelity = parameters["fidelity"]
    assert [fidelity["schema"][key] for key in ("type", "minimum", "maximum")] == ["number", 0, 1]
    assert "Default: 0.0." in fidelity["description"]


async def test_benchmark_accepts_several_images_and_lists(document: dict[str, Any]) -> None:
    form = document["paths"]["/benchmark"]["post"]["requestBody"]["content"]["multipart/form-data"]["schema"]

    file = form["properties"]["file"]
    assert (file["type"], file["minItems"], file["maxItems"]) == ("array", 1, 32)
    assert {name for name, schema in form["properties"].items() if schema.get("type") == "array"} == {
        "file",
        "colors",
        "methods",
        "labels",
    }


async def test_a_list_describes_its_items_and_that_they_are_unique(document: dict[str, Any]) -> None:
    parameters = {each["name"]: each["schema"] for each in document["paths"]["/benchmark"]["post"]["parameters"]}

    assert parameters["colors"]["items"] == {"type": "integer", "minimum": 2, "maximum": 256}
    assert parameters["colors"]["uniqueItems"] and parameters["methods"]["uniqueItems"]


@pytest.mark.parametrize("path", OPTIONS)
async def test_no_option_is_null_which_neither_form_nor_query_can_express(document: dict[str, Any], path: str) -> None:
    operation = document["paths"][path]["post"]

    form = operation["requestBody"]["content"]["multipart/form-data"]["schema"]["properties"]
    schemas = [*form.values(), *(parameter["schema"] for parameter in operation["parameters"])]
    assert all(schema.keys() & {"type", "$ref", "anyOf"} for schema in schemas)
    assert {"type": "null"} not in [kind for schema in schemas for kind in schema.get("anyOf", ())]


@pytest.mark.parametrize("path", OPTIONS)
async def test_every_response_is_described(document: dict[str, Any], path: str) -> None:
    responses = document["paths"][path]["post"]["responses"]

    statuses = {"200", "400", "404", "406", "408", "413", "415", "422", "500", "503"}
    more = {
        "/benchmark": {"text/html", "application/x-ndjson"},
        "/compress": {"image/bpg"},
        "/quantize": {
            "image/webp",
            "image/vnd.colorcnn.packed",
            "application/octet-stream",
            "application/zip",
            "multipart/mixed",
        },
    }.get(path, set())
    other = {"/benchmark": set(), "/quantize": {"504", "204", "304"}}.get(path, {"504"})
    assert responses.keys() == statuses | other
    assert responses["200"]["content"].keys() == {"image/png", "application/json"} | more
    for status, response in responses.items():
        if status not in ("200", "204", "304"):
            assert response["content"].keys() == {"application/problem+json"}
            examples = response["content"]["application/problem+json"]["examples"].values()
            assert all(example["value"]["status"] == int(status) for example in examples)


@pytest.mark.parametrize(
    ("path", "accept"),
    [
        ("/quantize", "image/png"),
        ("/quantize", "image/webp"),
        ("/quantize", "application/octet-stream"),
        ("/quantize", "application/zip"),
        ("/classify", "image/png"),
        ("/compress", "image/png"),
        ("/compress", "image/bpg"),
        ("/benchmark", "image/png"),
        ("/benchmark", "text/html"),
        ("/benchmark", "application/x-ndjson"),
    ],
)
async def test_every_header_is_described(client: AsyncClient, document: dict[str, Any], path: str, accept: str) -> None:
    response = await client.post(path, content=DRAWING, headers={"Accept": accept})

    described = {name.lower() for name in document["paths"][path]["post"]["responses"]["200"]["headers"]}
    of_every_response = {
        "content-type",
        "content-length",
        "content-encoding",
        "vary",
        *map(str.lower, SECURITY_HEADERS),
    }
    assert set(response.headers) - described <= of_every_response


@pytest.mark.parametrize(
    ("path", "schema"),
    [
        ("/quantize", "QuantizeReport"),
        ("/classify", "ClassifyReport"),
        ("/compress", "CompressReport"),
        ("/benchmark", "BenchmarkReport"),
    ],
)
async def test_json_has_the_fields_that_are_described(
    client: AsyncClient, document: dict[str, Any], path: str, schema: str
) -> None:
    response = await client.post(path, content=DRAWING, headers={"Accept": "application/json"})

    assert response.json().keys() == document["components"]["schemas"][schema]["properties"].keys()


async def test_rows_and_means_have_the_fields_that_are_described(client: AsyncClient, document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    response = (await client.post("/benchmark", content=DRAWING)).json()

    assert response["images"][0].keys() == schemas["BenchmarkImage"]["properties"].keys()
    assert response["rows"][0].keys() == schemas["BenchmarkRow"]["properties"].keys()
    assert response["summary"][0].keys() == schemas["BenchmarkSummary"]["properties"].keys()
    assert schemas["BenchmarkSummary"]["properties"]["colors"]["type"] == "integer"  # only codecs have none
    assert {"type": "null"} in schemas["DatasetSummary"]["properties"]["colors"]["anyOf"]


async def test_the_stored_results_are_described(document: dict[str, Any]) -> None:
    responses = document["paths"]["/benchmark"]["get"]["responses"]

    assert responses.keys() == {"200", "406", "503"}
    assert responses["200"]["content"].keys() == {"application/json", "text/html"}
