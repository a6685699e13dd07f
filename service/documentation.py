"""What OpenAPI must say about requests and answers that FastAPI cannot see in a signature."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from models.pixels import ACCEPTED_FORMATS
from service.answers import JSON, PNG
from service.problems import INTERNAL, MEDIA_TYPE, PROBLEMS, Problem
from service.schemas import (
    ClassifyOptions,
    ClassifyReport,
    ImageOptions,
    ProblemReport,
    QuantizeOptions,
    QuantizeReport,
)
from service.uploads import FILE_FIELD

Json = dict[str, Any]

DESCRIPTION = """
Paints an image with very few colours so that a neural network still recognises it (ColorCNN, Hou, Zheng and Gould,
CVPR 2020).

An image comes as the multipart field `file` or as the raw request body; options come as form fields or as query
parameters, each one once. Transparency is composited over `background`, an animation gives its first frame, and the
orientation of the camera is applied: the header `X-Image-Notes` says which of these happened.

```
curl -F file=@photo.jpg -F colors=2 localhost:8000/quantize -o out.png
curl --data-binary @photo.jpg -H 'Accept: application/json' 'localhost:8000/quantize?colors=2'
```

Every error is `application/problem+json` (RFC 9457) with a stable `type`.
"""

_REF = "#/components/schemas/"
_BINARY: Json = {"type": "string", "format": "binary"}
_FILE = f"The image: {', '.join(ACCEPTED_FORMATS)}. The bytes decide, not the name or the type."
_UPLOAD_STATUSES = (400, 404, 406, 408, 413, 415, 422, 500, 503)


def components() -> Json:
    """The schemas that the operations below refer to, by name."""
    shown: list[tuple[type[BaseModel], Any]] = [
        (report, "serialization") for report in (QuantizeReport, ClassifyReport, ProblemReport)
    ]
    _, schema = models_json_schema(shown, ref_template=_REF + "{model}")
    definitions: Json = schema["$defs"]
    return definitions


def _header(description: str, example: str) -> Json:
    return {"description": description, "schema": {"type": "string"}, "example": example}


_REQUEST_ID = {"X-Request-ID": _header("The id that came in, or a new one; also in the log.", "5f2c0d1e")}
_COMMON_HEADERS: Json = {
    **_REQUEST_ID,
    "X-Model": _header("The network that worked; `none` for a classical method.", "cifar10-colorcnn"),
    "Server-Timing": _header(
        "Milliseconds in each stage.", "decode;dur=2.1, queue;dur=0.0, model;dur=9.4, encode;dur=1.2"
    ),
    "X-Image-Notes": _header("What decoding did to the upload, if anything.", "EXIF orientation applied"),
}
_IMAGE_HEADERS: Json = {
    **_COMMON_HEADERS,
    "X-Colors": _header("Different colours in the image.", "2"),
    "X-Bits-Per-Pixel": _header("Bits of the file over pixels.", "0.4127"),
}
_LABEL_HEADERS: Json = {
    "X-Label-Before": _header("What the classifier sees in the upload (percent-encoded outside ASCII).", "frog"),
    "X-Label-After": _header("What it sees in the painted image.", "frog"),
}
_MAP_HEADERS: Json = {
    "X-Label": _header("The class whose map is drawn; PNG only.", "frog"),
    "X-Probability": _header("Its probability; PNG only.", "0.9300"),
}


def _problem_answer(problems: Sequence[Problem]) -> Json:
    headers = dict(_REQUEST_ID)
    if problems[0].status == 503:
        headers["Retry-After"] = _header("Seconds to wait.", "2")
    return {
        "description": "; ".join(problem.title for problem in problems),
        "headers": headers,
        "content": {
            MEDIA_TYPE: {
                "schema": {"$ref": f"{_REF}{ProblemReport.__name__}"},
                "examples": {problem.name: {"value": _problem_example(problem)} for problem in problems},
            }
        },
    }


def _problem_example(problem: Problem) -> Json:
    return {
        "type": problem.type,
        "title": problem.title,
        "status": problem.status,
        "detail": "What is wrong with this request, and what to do.",
        "instance": "urn:colorcnn:request:5f2c0d1e",
    }


def _problem_answers(statuses: Sequence[int]) -> dict[int | str, Json]:
    known = (*PROBLEMS.values(), INTERNAL)
    return {status: _problem_answer([problem for problem in known if problem.status == status]) for status in statuses}


def _request_body(options: type[ImageOptions]) -> Json:
    form = {
        "type": "object",
        "required": [FILE_FIELD],
        "additionalProperties": False,
        "properties": {FILE_FIELD: _BINARY | {"description": _FILE}, **_option_schemas(options)},
    }
    raw = {"schema": _BINARY | {"description": _FILE}}
    return {
        "required": True,
        "content": {"multipart/form-data": {"schema": form}, "image/*": raw, "application/octet-stream": raw},
    }


def _option_schemas(options: type[ImageOptions]) -> Json:
    properties: Json = options.model_json_schema()["properties"]
    return properties


def _query_parameters(options: type[ImageOptions]) -> list[Json]:
    """The options as query parameters. Their defaults are told in words only: /docs would send them beside the form."""
    parameters = []
    for name, schema in _option_schemas(options).items():
        default, description = schema.pop("default", None), schema.pop("description")
        told = description if default is None else f"{description} Default: {json.dumps(default)}."
        parameters.append({"name": name, "in": "query", "required": False, "description": told, "schema": schema})
    return parameters


def _operation(
    options: type[ImageOptions], report: type[BaseModel], media_types: Sequence[str], headers: Mapping[str, Json]
) -> Json:
    """Arguments of a route that takes an image and answers with `report` as JSON or with a PNG."""
    schemas = {JSON: {"$ref": f"{_REF}{report.__name__}"}, PNG: _BINARY}
    success: Json = {
        "description": "The result, in the media type that Accept prefers.",
        "headers": dict(headers),
        "content": {media_type: {"schema": schemas[media_type]} for media_type in media_types},
    }
    return {
        "responses": {200: success, **_problem_answers(_UPLOAD_STATUSES)},
        "openapi_extra": {"parameters": _query_parameters(options), "requestBody": _request_body(options)},
    }


QUANTIZE = _operation(QuantizeOptions, QuantizeReport, (PNG, JSON), _IMAGE_HEADERS | _LABEL_HEADERS)
CLASSIFY = _operation(ClassifyOptions, ClassifyReport, (JSON, PNG), _IMAGE_HEADERS | _MAP_HEADERS)
NOT_READY = _problem_answers((503,))
