"""Arguments of each route that describe its operation in the OpenAPI document."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from models.report.contact_sheet import MOST_TILES
from service.api.openapi import headers
from service.api.openapi.options import FILES, ONE_FILE, query_parameters, request_body
from service.api.openapi.responses import BINARY, TEXT, problem_responses, reference, success
from service.schemas.benchmark_options import BenchmarkOptions
from service.schemas.benchmark_reports import BenchmarkLine, BenchmarkReport, ResultsReport
from service.schemas.media_types import BPG, HTML, JSON, MIXED, NDJSON, PACKED, PNG, RAW, WEBP, ZIP
from service.schemas.options import ClassifyOptions, CompressOptions, ImageOptions, QuantizeOptions
from service.schemas.reports import ClassifyReport, CompressReport, QuantizeReport

Json = dict[str, Any]

_SHEET: Json = BINARY | {"description": f"The contact sheet, of at most {MOST_TILES:,} tiles."}
_PAGE: Json = TEXT | {"description": "Tables, plots, and the contact sheet if it has room for all tiles."}
_UPLOAD_STATUSES = (400, 404, 406, 408, 413, 415, 422, 500, 503)
_IMAGE_STATUSES = (*_UPLOAD_STATUSES, 504)  # in a benchmark, each row has its own error


def _operation(
    options: type[ImageOptions],
    schemas: Mapping[str, Json],
    described: Mapping[str, Json],
    files: Json = ONE_FILE,
    statuses: Sequence[int] = _IMAGE_STATUSES,
) -> Json:
    """Return arguments of a route that accepts images.

    schemas: by media type of the response, the default first. described: headers of the response.
    """
    return {
        "responses": {200: success(schemas, described), **problem_responses(statuses)},
        "openapi_extra": {"parameters": query_parameters(options), "requestBody": request_body(options, files)},
    }


_RAW: Json = BINARY | {"description": "Packed indices of 1, 2, 4 or 8 bits, each row padded to bytes."}
_PACKED: Json = BINARY | {"description": "The smallest file of palette and indices; docs/packed.md specifies it."}
_MANY: Json = BINARY | {"description": "The file of each image; an image that failed has its problem instead."}
# openapi-python-client reads every response as the first media type that it knows. So packed indices stand before JSON,
# for any body is bytes.
QUANTIZE = _operation(
    QuantizeOptions,
    {PNG: BINARY, RAW: _RAW, JSON: reference(QuantizeReport), WEBP: BINARY, PACKED: _PACKED, ZIP: _MANY, MIXED: _MANY},
    headers.OF_QUANTIZE,
)
QUANTIZE["responses"] |= {
    204: {"description": "With `skip_if_larger`: the file would not be smaller.", "headers": headers.NOT_SMALLER},
    304: {"description": "The client has this response, as If-None-Match states.", "headers": headers.NOT_MODIFIED},
}
CLASSIFY = _operation(ClassifyOptions, {JSON: reference(ClassifyReport), PNG: BINARY}, headers.OF_CLASSIFY)
COMPRESS = _operation(CompressOptions, {JSON: reference(CompressReport), BPG: BINARY, PNG: BINARY}, headers.OF_COMPRESS)
BENCHMARK = _operation(
    BenchmarkOptions,
    {JSON: reference(BenchmarkReport), PNG: _SHEET, HTML: _PAGE, NDJSON: reference(BenchmarkLine)},
    headers.OF_BENCHMARK,
    FILES,
    _UPLOAD_STATUSES,
)
RESULTS: Json = {
    "responses": {
        200: success({JSON: reference(ResultsReport), HTML: TEXT}, headers.OF_PAGES),
        **problem_responses((406, 503)),
    }
}
METRICS: Json = {
    "responses": {
        200: {
            "description": "Metrics in the Prometheus text format 0.0.4.",
            "headers": headers.OF_ALL,
            "content": {"text/plain": {"schema": TEXT}},
        }
    }
}
NOT_READY: Json = {"responses": problem_responses((503,))}
