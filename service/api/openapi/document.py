"""The OpenAPI document as a whole: what it says about the service, and the schemas that operations refer to."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from service.api.openapi.options import METHOD_SCHEMA, METHOD_SCHEMA_NAME
from service.api.openapi.responses import REF
from service.schemas.benchmark_reports import BenchmarkLine, BenchmarkReport, ResultsReport
from service.schemas.inference_protocol import InferenceError, InferenceRequest, InferenceResponse
from service.schemas.reports import ClassifyReport, CompressReport, ProblemReport, QuantizeReport

Json = dict[str, Any]

TITLE = "ColorCNN service"
SUMMARY = "Quantizes an image to very few colors so that a neural network still recognizes it."
LICENSE: Json = {"name": "MIT", "identifier": "MIT"}
CONTACT: Json = {"name": "ColorCNN Service authors"}
SERVERS: list[Json] = [
    {"url": "/", "description": "The service that this document comes from."},
    {"url": "http://127.0.0.1:8000", "description": "A service on this machine, with its default port."},
]
TAGS: list[Json] = [
    {"name": "images", "description": "Quantize, compress or classify an upload."},
    {"name": "benchmark", "description": "Compare methods on your own images, or over whole test sets."},
    {"name": "service", "description": "Models, probes and metrics of the running service."},
    {
        "name": "open inference protocol",
        "description": "The same work for clients of KServe and Triton; errors are objects with the member `error`.",
    },
]

DESCRIPTION = """
After ColorCNN (Hou, Zheng and Gould, CVPR 2020).

Send an image as the multipart field `file` or as the raw request body, with any Content-Type. Send options as form
fields or as query parameters, each option once. `/quantize` and `/benchmark` accept several fields `file`; lists are
repeated options, or separated by commas. The service fetches no addresses: send the bytes of the image.

The option `format` or the header Accept selects the format of a response.

`/quantize` keeps transparency; elsewhere, transparent pixels are composited over `background`. Of an animation, the
first frame is used. The orientation of the camera is applied. The header `X-Image-Notes` lists these changes.

The header `X-Method` names the quantization method. Without `method` and `model` it depends on the picture: a
photograph is optimized for classifiers of photographs (`refined_fast`), and the default network quantizes a smaller
image.

```
curl -F file=@photo.jpg -F colors=2 localhost:8000/quantize -o out.png
curl -F file=@photo.jpg -F colors=auto -F format=json localhost:8000/quantize
curl -F file=@photo.jpg -F palette=spectra6 localhost:8000/quantize -o out.png
curl -F file=@a.jpg -F file=@b.jpg -F shared_palette=true localhost:8000/quantize -o both.zip
curl --data-binary @photo.jpg 'localhost:8000/quantize?max_bytes=2000&scale=auto' -o small.png
curl -F file=@photo.jpg -F colors=2 -F format=bpg localhost:8000/compress -o out.bpg
curl -F file=@a.jpg -F file=@b.jpg -F methods=refined,kmeans -F format=html localhost:8000/benchmark -o page.html
```

Every error response is `application/problem+json` (RFC 9457) with a stable `type`, except below `/v2`, where the Open
Inference Protocol defines errors.
"""


def complete(document: Json) -> Json:
    """Add to the document of FastAPI, in place, the schemas that our operations refer to by name; return it."""
    document.setdefault("components", {}).setdefault("schemas", {}).update(_schemas())
    return document


def _schemas() -> Json:
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
            InferenceResponse,
            InferenceError,
        )
    ]
    shown.append((InferenceRequest, "validation"))
    _, schema = models_json_schema(shown, ref_template=REF + "{model}")
    definitions: Json = schema["$defs"]
    return definitions | {METHOD_SCHEMA_NAME: METHOD_SCHEMA}
