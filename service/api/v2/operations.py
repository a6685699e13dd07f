"""Arguments of each route of the Open Inference Protocol that describe its operation in the OpenAPI document."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from service.api.openapi import headers
from service.api.openapi.responses import BINARY, reference
from service.http.inference_errors import status_of
from service.http.problems import PROBLEMS
from service.schemas.inference_protocol import HEADER_LENGTH, InferenceError, InferenceRequest, InferenceResponse
from service.schemas.media_types import JSON
from service.schemas.problems import INTERNAL, Problem

Json = dict[str, Any]

_BINARY = "application/octet-stream"
_MODEL: Json = {
    "name": "model",
    "in": "path",
    "required": True,
    "description": "A network of GET /models, or `quantize` or `classify`, which have the defaults of these endpoints.",
    "schema": {"type": "string", "examples": ["quantize", "classify"]},
}
_LENGTH: Json = {
    "name": HEADER_LENGTH,
    "in": "header",
    "required": False,
    "description": "Bytes of the JSON object in a body with binary data; 0 where the body is the file of one image.",
    "schema": {"type": "integer", "minimum": 0},
}
_LENGTH_OF_RESPONSE: Json = {
    HEADER_LENGTH: {
        "description": "Bytes of the JSON object, which binary data follow; absent without binary data.",
        "schema": {"type": "string"},
        "example": "512",
    }
}


def error_responses(statuses: Sequence[int]) -> dict[int | str, Json]:
    """Return the `responses` of a route with the errors of these statuses."""
    known = (*PROBLEMS.values(), INTERNAL)
    return {
        status: _error_response([each for each in known if status_of(each.status) == status]) for status in statuses
    }


def _error_response(problems: Sequence[Problem]) -> Json:
    return {
        "description": "; ".join(dict.fromkeys(problem.title for problem in problems)),
        "headers": headers.OF_ALL | headers.OF_PROBLEMS.get(problems[0].status, {}),
        "content": {JSON: {"schema": reference(InferenceError)}},
    }


ABOUT_SERVER: Json = {"responses": error_responses((503,))}
ABOUT_MODEL: Json = {"responses": error_responses((404, 503)), "openapi_extra": {"parameters": [_MODEL]}}
INFER: Json = {
    "responses": {
        200: {
            "description": "The outputs, in the JSON object or as binary data after it.",
            "headers": {**headers.OF_ALL, **headers.OF_MODEL, **headers.SERVER_TIMING, **_LENGTH_OF_RESPONSE},
            "content": {JSON: {"schema": reference(InferenceResponse)}, _BINARY: {"schema": BINARY}},
        },
        **error_responses((400, 404, 408, 413, 415, 500, 503, 504)),
    },
    "openapi_extra": {
        "parameters": [_MODEL, _LENGTH],
        "requestBody": {
            "required": True,
            "content": {JSON: {"schema": reference(InferenceRequest)}, _BINARY: {"schema": BINARY}},
        },
    },
}
