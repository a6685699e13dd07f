"""The endpoints: each handler takes what it depends on, calls one function, and shapes the answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, TypeVar

import anyio
from fastapi import APIRouter, Request
from pydantic import BaseModel
from starlette.responses import Response

from service import metrics
from service.api import openapi
from service.api.benchmark_responses import BenchmarkLines, benchmark_response, results_response
from service.api.dependencies import (
    AdmittedCompression,
    AdmittedService,
    AnyService,
    BenchmarkJob,
    BenchmarkMediaType,
    BenchmarkTicket,
    ClassifyParameters,
    CompressMediaType,
    CompressParameters,
    CompressUpload,
    ImageUpload,
    JsonOrHtml,
    JsonOrPng,
    PngOrJson,
    QuantizeParameters,
    ReadyService,
    ServiceMetrics,
    StageObserver,
)
from service.api.responses import COMPRESSED, classify_response, compress_response, models_report, quantize_response
from service.http.disconnect import cancel_on_disconnect
from service.schemas.media_types import HTML, NDJSON, PNG
from service.schemas.options import TOP
from service.schemas.reports import ModelsReport, StatusReport

Handler = TypeVar("Handler", bound=Callable[..., Awaitable[BaseModel | Response]])

router = APIRouter()
probes = APIRouter()
"""What is open to everybody, where all else may be guarded."""


def _report(path: str, tag: str = "service", on: APIRouter = router, **described: Any) -> Callable[[Handler], Handler]:
    """Route GET and HEAD of `path` to a handler: HEAD must work wherever GET does (RFC 9110, section 9.1)."""

    def register(handler: Handler) -> Handler:
        # FastAPI describes each method of a route under the same operation id, so the route that answers is not
        # described, and the one that is described never answers: the first match wins, and its methods go into Allow.
        on.add_api_route(path, handler, methods=["GET", "HEAD"], include_in_schema=False)
        on.add_api_route(path, handler, methods=["GET"], tags=[tag], **(openapi.NOT_READY | described))
        return handler

    return register


@router.post("/quantize", tags=["images"], response_class=Response, **openapi.QUANTIZE)
async def quantize(
    request: Request,
    media_type: PngOrJson,
    service: AdmittedService,
    upload: ImageUpload,
    options: QuantizeParameters,
    observe: StageObserver,
) -> Response:
    """Paint the image with at most `colors` colors so that a network still recognizes it, as an indexed PNG.

    The PNG has the width and height of the upright upload and the smallest bit depth that holds its palette.
    """
    result = await cancel_on_disconnect(request.receive, partial(service.pipeline.quantize, upload.image, options))
    observe(result.timings)
    if media_type == PNG:  # nothing but headers is left to do
        return quantize_response(result, media_type)
    return await anyio.to_thread.run_sync(quantize_response, result, media_type)


@router.post("/classify", tags=["images"], response_class=Response, **openapi.CLASSIFY)
async def classify(
    request: Request,
    media_type: JsonOrPng,
    service: AdmittedService,
    upload: ImageUpload,
    options: ClassifyParameters,
    observe: StageObserver,
) -> Response:
    """Say what the image shows, best guess first; as a PNG, show where the classifier looks (class activation map)."""
    if media_type == PNG and options.cam is None:
        options = options.model_copy(update={"cam": TOP})
    result = await cancel_on_disconnect(request.receive, partial(service.pipeline.classify, upload.image, options))
    observe(result.timings)
    return await anyio.to_thread.run_sync(classify_response, result, media_type)


@router.post("/compress", tags=["images"], response_class=Response, **openapi.COMPRESS)
async def compress(
    request: Request,
    media_type: CompressMediaType,
    compression: AdmittedCompression,
    upload: CompressUpload,
    options: CompressParameters,
    observe: StageObserver,
) -> Response:
    """Paint the image, take it through BPG and back, and report what that costs and does; beside it, the upload itself.

    `image/bpg` is the BPG file of the painted image, `image/png` what a viewer shows of it.
    """
    work = partial(compression.compress, upload.image, options, COMPRESSED[media_type])
    result = await cancel_on_disconnect(request.receive, work)
    observe(result.timings)
    return await anyio.to_thread.run_sync(compress_response, result)


@router.post("/benchmark", tags=["benchmark"], response_class=Response, **openapi.BENCHMARK)
async def benchmark(
    request: Request,
    media_type: BenchmarkMediaType,
    service: ReadyService,
    ticket: BenchmarkTicket,
    job: BenchmarkJob,
    observe: StageObserver,
) -> Response:
    """Compare methods and numbers of colors on up to 32 images: bytes, likeness, and what a classifier still sees.

    An image that cannot be opened, and a row that cannot be made, carry an `error`; the others are answered.
    """
    if media_type == NDJSON:
        return BenchmarkLines(service.benchmarks, ticket, job, observe)
    work = partial(benchmark_response, service.benchmarks, ticket, job, media_type, observe)
    return await cancel_on_disconnect(request.receive, work)


@_report("/benchmark", "benchmark", response_class=Response, **openapi.RESULTS)
async def results(media_type: JsonOrHtml, service: ReadyService) -> Response:
    """What was measured over whole test sets with the models that are loaded, by the methods of POST /benchmark."""
    page = await service.results.page() if media_type == HTML else None
    return results_response(service.results.report, page)


@_report("/models")
async def models(service: ReadyService) -> ModelsReport:
    """The networks that are loaded, with their measured accuracy, and the methods of `/quantize`."""
    return models_report(service.engine)


@_report("/metrics", response_class=Response, **openapi.METRICS)
async def scrape(counted: ServiceMetrics) -> Response:
    """What Prometheus reads: requests, seconds by stage, refusals, queues, models, memory."""
    return Response(counted.render(), media_type=metrics.MEDIA_TYPE)


@_report("/healthz", on=probes)
async def healthz(service: AnyService) -> StatusReport:
    """Liveness: answers at once, whatever work there is; fails only when a restart is needed."""
    service.require_alive()
    return StatusReport(status="alive")


@_report("/readyz", on=probes)
async def readyz(service: ReadyService) -> StatusReport:
    """Readiness: true from the end of warm-up until the service shuts down."""
    return StatusReport(status="ready")
