"""Schemathesis checks the OpenAPI document: each operation with input that its schema allows, and with other input."""

import base64
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import count
from typing import Any

import pytest
import schemathesis
from fastapi import FastAPI
from hypothesis import strategies as st
from schemathesis import Case, HookContext
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import events, from_schema
from schemathesis.engine.recorder import ScenarioRecorder
from schemathesis.transport.serialization import Binary

from service.schemas.inference_protocol import PREFIX
from tests.service.fake_loader import CLASSES
from tests.service.images import encoded, ramp

CONFIG: Mapping[str, Any] = {
    "seed": 0,
    "continue-on-failure": True,
    "request-timeout": 120,  # seconds, for a machine that has other work
    "generation": {"deterministic": True, "database": "none", "max-examples": 5},
    "phases": {"stateful": {"enabled": False}},  # no operation creates anything that another one reads
    "checks": {"positive_data_acceptance": {"expected-statuses": ["2xx"]}},
}
FORM = "multipart/form-data"
CHOICES = {"model": ["second"], "method": ["refined"], "cam": ["top", *CLASSES], "mode": ["plain", "auto"]}
"""Values that fit any other option, among the names that GET /models lists."""

images = st.sampled_from([encoded(ramp(9, 6), kind) for kind in ("PNG", "JPEG", "BPG")])
schemathesis.openapi.format("binary", images.map(Binary))
schemathesis.openapi.media_type("image/png", images, aliases=["image/*", "application/octet-stream"])

turns = count()


@schemathesis.hook
def before_call(_: HookContext, case: Case[Any], __: dict[str, Any]) -> None:
    """Request each documented media type in turn."""
    offers = list(case.operation.definition.raw["responses"]["200"]["content"])
    case.headers["Accept"] = offers[next(turns) % len(offers)]


def narrowed(document: dict[str, Any], body: str) -> dict[str, Any]:
    """Return the document for one kind of body: options in the form, or in the query beside a raw body.

    What depends on another option, or on what is loaded, is narrowed to what is right. The endpoints of the Open
    Inference Protocol have neither form nor options.
    """
    document["paths"] = {path: each for path, each in document["paths"].items() if not path.startswith(PREFIX)}
    for path, operations in document["paths"].items():
        post = operations.get("post")
        if post:
            content = post["requestBody"]["content"][body]
            post["requestBody"]["content"] = {body: content}
            query = {each["name"]: each["schema"] for each in post["parameters"]}
            options = content["schema"]["properties"] if body == FORM else query
            _narrow(path, options)
            shown = {} if body == FORM else options
            post["parameters"] = [{"name": name, "in": "query", "schema": shown[name]} for name in shown]
    return document


def _narrow(path: str, options: dict[str, Any]) -> None:
    options.pop("labels", None)  # as many as there are images
    for name in ("palette", "keep", "max_bytes", "scale"):  # they depend on other options and on the image
        options.pop(name, None)
    if path == "/quantize":
        options["colors"] = options["colors"]["anyOf"][0]
    for name, schema in list(options.items()):
        if name in ("colors", "methods"):
            schema.pop("minItems", None)  # an empty list is not sent at all
        if name == "methods":
            schema["items"] = {"type": "string", "enum": ["octree", "median_cut"]}
        elif name == "method":
            options[name] = {"type": "string", "enum": CHOICES[name]}
        elif (path, name) == ("/classify", "model"):
            schema["enum"] = ["brightness", "second"]
        elif name in CHOICES and schema["type"] == "string":
            schema["enum"] = CHOICES[name]


def in_digits(_: HookContext, options: Any) -> bool:
    """Whether no number is written as 1e-05, which is rejected, though no schema can express that."""
    return not isinstance(options, dict) or "e" not in str(options.get("fidelity", ""))


FLAGS = ("recognize", "transferable", "dither", "skip_if_larger", "shared_palette", "tiles")


def harmless(failure: str) -> bool:
    """Whether it is the number 0, which is valid as false or as the first class."""
    return failure.endswith(tuple(f"{name}: Incorrect type" for name in (*FLAGS, "cam")))


def of_protocol(document: dict[str, Any]) -> dict[str, Any]:
    """Return the document for inference requests in JSON with one image; only images and models of the service fit."""
    document["paths"] = {path: each for path, each in document["paths"].items() if path.startswith(PREFIX)}
    files = [base64.b64encode(encoded(ramp(9, 6), kind)).decode() for kind in ("PNG", "JPEG", "BPG")]
    fixed = {"name": "image", "shape": [1], "datatype": "BYTES"}
    one = {
        "type": "object",
        "required": [*fixed, "data"],
        "additionalProperties": False,
        "properties": {name: {"enum": [value]} for name, value in fixed.items()}
        | {"data": {"type": "array", "minItems": 1, "maxItems": 1, "items": {"enum": files}}},
    }
    inputs = {"type": "array", "minItems": 1, "maxItems": 1, "items": one}
    body = {
        "type": "object",
        "required": ["inputs"],
        "additionalProperties": False,
        "properties": {"id": {"anyOf": [{"type": "string"}, {"type": "null"}]}, "inputs": inputs},
    }
    for operations in document["paths"].values():
        for operation in operations.values():
            operation["parameters"] = [each for each in operation.get("parameters", ()) if each["in"] == "path"]
            for each in operation["parameters"]:
                each["schema"] = {"enum": ["quantize", "classify", "second"]}
    post = document["paths"][f"{PREFIX}/models/{{model}}/infer"]["post"]
    post["requestBody"]["content"] = {"application/json": {"schema": body}}
    return document


def run(app: FastAPI, narrow: Callable[[dict[str, Any]], object]) -> Iterator[tuple[str, int, str]]:
    """Yield the operation and the status of each request, and again with each complaint about its response."""
    schema = schemathesis.openapi.from_asgi("/openapi.json", app, config=SchemathesisConfig.from_dict(dict(CONFIG)))
    narrow(schema.raw_schema)
    schema.hooks.register_hook_with_name(in_digits, "filter_body")
    schema.hooks.register_hook_with_name(in_digits, "filter_query")
    for event in from_schema(schema).execute():
        if isinstance(event, events.NonFatalError | events.FatalError):
            raise RuntimeError(str(event))
        if isinstance(event, events.ScenarioFinished):
            yield from _checks(event.recorder)


def _checks(recorder: ScenarioRecorder) -> Iterator[tuple[str, int, str]]:
    for case_id, checks in recorder.checks.items():
        case, response = recorder.cases[case_id].value, recorder.interactions[case_id].response
        if response is None:
            raise RuntimeError(f"no response to {case}")
        yield case.operation.label, response.status_code, ""
        for check in checks:
            found = check.failure_info
            if found and not harmless(found.failure.message):
                asked = f"{case.operation.label} {case.query} {case.body!r:.500}"
                complaint = f"{check.name} {found.failure.message}: {asked} {response.content!r:.500}"
                yield case.operation.label, response.status_code, complaint


@pytest.mark.parametrize("body", [FORM, "application/octet-stream"])
def test_every_operation_conforms_to_the_document(app: FastAPI, body: str) -> None:
    results = list(run(app, partial(narrowed, body=body)))

    assert [complaint for _, _, complaint in results if complaint] == []
    succeeded = Counter(operation for operation, status, _ in results if status == 200)
    assert len(succeeded) == 9 and min(succeeded.values()) >= 3  # or the checks saw rejections only


def test_the_open_inference_protocol_conforms_to_the_document(app: FastAPI) -> None:
    results = list(run(app, of_protocol))

    assert [complaint for _, _, complaint in results if complaint] == []
    succeeded = Counter(operation for operation, status, _ in results if status == 200)
    assert len(succeeded) == 7 and succeeded["POST /v2/models/{model}/infer"] >= 3
