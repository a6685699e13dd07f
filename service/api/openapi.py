"""OpenAPI descriptions of requests and responses that FastAPI cannot derive from a signature."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from models.decoding.decode import ACCEPTED_FORMATS
from models.report.contact_sheet import MOST_TILES
from service.http.forms import FILE_FIELD
from service.http.problems import INTERNAL, MEDIA_TYPE, PROBLEMS, Problem
from service.schemas.benchmark_reports import BenchmarkLine, BenchmarkReport, ResultsReport
from service.schemas.media_types import BPG, HTML, JSON, NDJSON, PNG
from service.schemas.options import (
    MAX_IMAGES,
    BenchmarkOptions,
    ClassifyOptions,
    CompressOptions,
    ImageOptions,
    QuantizeOptions,
)
from service.schemas.reports import ClassifyReport, CompressReport, ProblemReport, QuantizeReport

Json = dict[str, Any]

DESCRIPTION = """
Quantizes an image to very few colors so that a neural network still recognizes it (ColorCNN, Hou, Zheng and Gould,
CVPR 2020).

Send an image as the multipart field `file` or as the raw request body. Send options as form fields or as query
parameters, each option once. `/benchmark` accepts several fields `file`, and lists as repeated options or separated by
commas.

Transparent pixels are composited over `background`. Of an animation, the first frame is used. The orientation of the
camera is applied. The header `X-Image-Notes` lists these changes.

The header `X-Method` names the quantization method. Without `method` and `model` it depends on the picture: a
photograph is optimized for classifiers of photographs (`refined_fast`), and the default network quantizes a smaller
image.

```
curl -F file=@photo.jpg -F colors=2 localhost:8000/quantize -o out.png
curl -F file=@photo.jpg -F colors=2 -H 'Accept: image/bpg' localhost:8000/compress -o out.bpg
curl --data-binary @photo.jpg -H 'Accept: application/json' 'localhost:8000/quantize?colors=2'
curl -F file=@a.jpg -F file=@b.jpg -F methods=refined,kmeans -F colors=2,4 -H 'Accept: text/html' \
    localhost:8000/benchmark -o page.html
```

Every error response is `application/problem+json` (RFC 9457) with a stable `type`.
"""

_REF = "#/components/schemas/"
_BINARY: Json = {"type": "string", "format": "binary"}
_FORMATS = f"{', '.join(ACCEPTED_FORMATS)}. The content decides, not the file name or the media type."
_ONE_FILE: Json = _BINARY | {"description": f"The image: {_FORMATS}"}
_FILES: Json = {
    "type": "array",
    "items": _BINARY,
    "minItems": 1,
    "maxItems": MAX_IMAGES,
    "description": f"One to {MAX_IMAGES} images: {_FORMATS}",
}
_TEXT: Json = {"type": "string"}
_SHEET: Json = _BINARY | {"description": f"The contact sheet, of at most {MOST_TILES:,} tiles."}
_PAGE: Json = _TEXT | {"description": "Tables, plots, and the contact sheet if it has room for all tiles."}
_UPLOAD_STATUSES = (400, 404, 406, 408, 413, 415, 422, 500, 503)
_IMAGE_STATUSES = (*_UPLOAD_STATUSES, 504)  # in a benchmark, each row has its own error


def components() -> Json:
    """Return the schemas that the operations below refer to, by name."""
    shown: list[tuple[type[BaseModel], Any]] = [
        (report, "serialization")
        for report in (
            QuantizeReport,
            ClassifyReport,
            CompressReport,
            BenchmarkReport,
            BenchmarkLine,
            ResultsReport,
            ProblemReport,
        )
    ]
    _, schema = models_json_schema(shown, ref_template=_REF + "{model}")
    definitions: Json = schema["$defs"]
    return definitions


def _header(description: str, example: str) -> Json:
    return {"description": description, "schema": {"type": "string"}, "example": example}


_REQUEST_ID = {"X-Request-ID": _header("The id of the request, or a new id; also in the log.", "5f2c0d1e")}
_COMMON_HEADERS: Json = {
    **_REQUEST_ID,
    "X-Model": _header(
        "The network of the method, or the classifier that a refined image is optimized for first; `none` for a "
        "classical method.",
        "cifar10-resnet9-colorcnn",
    ),
    "Server-Timing": _header(
        "Milliseconds in each stage.", "decode;dur=2.1, queue;dur=0.0, model;dur=9.4, encode;dur=1.2"
    ),
    "X-Image-Notes": _header("Changes that decoding made to the upload, if any.", "EXIF orientation applied"),
}
_IMAGE_HEADERS: Json = {
    **_COMMON_HEADERS,
    "X-Colors": _header("Number of different colors in the image.", "2"),
    "X-Bits-Per-Pixel": _header("Bits of the file per pixel.", "0.4127"),
}
_METHOD_HEADERS: Json = {
    "X-Method": _header("The quantization method, also where the request names none.", "refined_fast"),
    "X-Recognizers": _header(
        "Classifiers that a refined image is optimized for; absent for other methods.",
        "imagenet-efficientnet-lite0, imagenet-efficientnet-lite1",
    ),
}
_LABEL_HEADERS: Json = {
    "X-Label-Before": _header("Label of the upload (percent-encoded outside ASCII).", "frog"),
    "X-Probability-Before": _header("The probability of that label.", "0.9300"),
    "X-Label-After": _header("Label of the quantized image, decoded from its file.", "frog"),
    "X-Probability-After": _header("The probability of that label.", "0.8700"),
}
_COMPRESS_HEADERS: Json = {
    **_COMMON_HEADERS,
    **_METHOD_HEADERS,
    **_LABEL_HEADERS,
    "X-Colors": _header("Number of colors of the quantized image, before BPG.", "2"),
    "X-Bits-Per-Pixel": _header("Bits of the BPG file of the quantized image per pixel.", "0.3127"),
}
_MAP_HEADERS: Json = {
    "X-Label": _header("The class of the activation map; PNG only.", "frog"),
    "X-Probability": _header("The probability of that class; PNG only.", "0.9300"),
}


_BENCHMARK_HEADERS: Json = {
    **_REQUEST_ID,
    "X-Model": _COMMON_HEADERS["X-Model"],
    "Server-Timing": _header(
        "Milliseconds in each stage; not with JSON lines.",
        "decode;dur=9.0, queue;dur=0.0, model;dur=180.1, encode;dur=7.2",
    ),
    "X-Colors": _header("Number of different colors in the contact sheet; PNG only.", "5120"),
    "X-Bits-Per-Pixel": _header("Bits of the contact sheet per pixel; PNG only.", "9.8120"),
}
_PAGE_HEADERS: Json = {
    **_REQUEST_ID,
    "Content-Security-Policy": _header("Forbids a page to load anything; HTML only.", "default-src 'none'"),
}


_RETRY_AFTER = {"Retry-After": _header("Seconds to wait.", "2")}
_PROBLEM_HEADERS: Mapping[int, Json] = {
    401: {"WWW-Authenticate": _header("The authentication scheme.", "Bearer")},
    429: _RETRY_AFTER,
    503: _RETRY_AFTER,
}


def _problem_response(problems: Sequence[Problem]) -> Json:
    headers = _REQUEST_ID | _PROBLEM_HEADERS.get(problems[0].status, {})
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
        "detail": "What is wrong with the request, and how to correct it.",
        "instance": "urn:colorcnn:request:5f2c0d1e",
    }


def problem_responses(statuses: Sequence[int]) -> dict[int | str, Json]:
    """Return the `responses` of a route with the problems of these statuses."""
    known = (*PROBLEMS.values(), INTERNAL)
    return {
        status: _problem_response([problem for problem in known if problem.status == status]) for status in statuses
    }


def _request_body(options: type[ImageOptions], files: Json) -> Json:
    form = {
        "type": "object",
        "required": [FILE_FIELD],
        "additionalProperties": False,
        "properties": {FILE_FIELD: files, **_option_schemas(options)},
    }
    raw = {"schema": _ONE_FILE}
    return {
        "required": True,
        "content": {"multipart/form-data": {"schema": form}, "image/*": raw, "application/octet-stream": raw},
    }


def _option_schemas(options: type[ImageOptions]) -> Json:
    """Return the schema of each option, without null: neither a form nor a query can express it."""
    properties: Json = options.model_json_schema()["properties"]
    for schema in properties.values():
        present = [kind for kind in schema.pop("anyOf", ()) if kind != {"type": "null"}]
        schema.update(*present)
    return properties


def _query_parameters(options: type[ImageOptions]) -> list[Json]:
    """Return the options as query parameters.

    The description has the default, not the schema: /docs would send a default of the schema beside the form.
    """
    parameters = []
    for name, schema in _option_schemas(options).items():
        default, description = schema.pop("default", None), schema.pop("description")
        text = description if default in (None, []) else f"{description} Default: {json.dumps(default)}."
        parameters.append({"name": name, "in": "query", "required": False, "description": text, "schema": schema})
    return parameters


def _success(schemas: Mapping[str, Json], headers: Mapping[str, Json]) -> Json:
    """Return a successful response in the media types of `schemas`."""
    return {
        "description": "The result, in the media type that `Accept` prefers.",
        "headers": dict(headers),
        "content": {media_type: {"schema": schema} for media_type, schema in schemas.items()},
    }


def _operation(
    options: type[ImageOptions],
    schemas: Mapping[str, Json],
    headers: Mapping[str, Json],
    files: Json = _ONE_FILE,
    statuses: Sequence[int] = _IMAGE_STATUSES,
) -> Json:
    """Return arguments of a route that accepts images. schemas: by media type of the response, the default first."""
    return {
        "responses": {200: _success(schemas, headers), **problem_responses(statuses)},
        "openapi_extra": {"parameters": _query_parameters(options), "requestBody": _request_body(options, files)},
    }


def _report(report: type[BaseModel]) -> Json:
    return {"$ref": f"{_REF}{report.__name__}"}


QUANTIZE = _operation(
    QuantizeOptions,
    {PNG: _BINARY, JSON: _report(QuantizeReport)},
    _IMAGE_HEADERS | _METHOD_HEADERS | _LABEL_HEADERS,
)
CLASSIFY = _operation(ClassifyOptions, {JSON: _report(ClassifyReport), PNG: _BINARY}, _IMAGE_HEADERS | _MAP_HEADERS)
COMPRESS = _operation(
    CompressOptions,
    {JSON: _report(CompressReport), BPG: _BINARY, PNG: _BINARY},
    _COMPRESS_HEADERS,
)
BENCHMARK = _operation(
    BenchmarkOptions,
    {JSON: _report(BenchmarkReport), PNG: _SHEET, HTML: _PAGE, NDJSON: _report(BenchmarkLine)},
    _BENCHMARK_HEADERS | _PAGE_HEADERS,
    _FILES,
    _UPLOAD_STATUSES,
)
RESULTS: Json = {
    "responses": {
        200: _success({JSON: _report(ResultsReport), HTML: _TEXT}, _PAGE_HEADERS),
        **problem_responses((406, 503)),
    }
}
METRICS: Json = {
    "responses": {
        200: {
            "description": "Metrics in the Prometheus text format 0.0.4.",
            "headers": _REQUEST_ID,
            "content": {"text/plain": {"schema": _TEXT}},
        }
    }
}
NOT_READY: Json = {"responses": problem_responses((503,))}
