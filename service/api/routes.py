"""The endpoints: each handler declares its dependencies, calls one function, and shapes the response."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import anyio
from fastapi import APIRouter, Request
from starlette.responses import Response

from service import metrics
from service.api.benchmark_lines import BenchmarkLines
from service.api.benchmark_responses import benchmark_response, results_response
from service.api.dependencies import (
    AdmittedCompression,
    AdmittedService,
    AnyService,
    Benchmark,
    BenchmarkTicket,
    ClassifyMediaType,
    ClassifyParameters,
    ClassifyUpload,
    CompressMediaType,
    CompressParameters,
    CompressUpload,
    QuantizeMediaType,
    QuantizeParameters,
    QuantizeUpload,
    ReadyService,
    ResultsMediaType,
    ServiceMetrics,
    StageObserver,
)
from service.api.endpoints import Handler, get_and_head
from service.api.openapi import operations
from service.api.quantizing import Quantizing
from service.api.responses import (
    COMPRESSED,
    classify_response,
    compress_response,
    models_report,
    ready_report,
)
from service.http.disconnect import cancel_on_disconnect
from service.schemas.class_names import TOP
from service.schemas.media_types import HTML, NDJSON, PNG
from service.schemas.model_reports import ModelsReport
from service.schemas.reports import ReadyReport, StatusReport

router = APIRouter()
"""Endpoints behind the access checks."""

probes = APIRouter()
"""Endpoints without access checks."""


def _report(path: str, tag: str = "service", on: APIRouter = router, **described: Any) -> Callable[[Handler], Handler]:
    """Route GET and HEAD of `path` to a handler that needs a service that is ready."""
    return get_and_head(on, path, tag, **(operations.NOT_READY | described))


@router.post("/quantize", tags=["images"], response_class=Response, **operations.QUANTIZE)
async def quantize(
    request: Request,
    upload: QuantizeUpload,
    options: QuantizeParameters,
    media_type: QuantizeMediaType,
) -> Response:
    """Quantize the image to at most `colors` colors so that a network still recognizes it, as an indexed PNG.

    The PNG has the width and height of the upright upload, and the smallest bit depth that holds its palette. Several
    images are returned as a ZIP file.
    """
    quantizing: Quantizing = request.app.state.quantizing  # no dependency, each of which takes time
    work = partial(quantizing.respond, request, upload.files, options, media_type)
    return await cancel_on_disconnect(request.receive, work)


@router.post("/classify", tags=["images"], response_class=Response, **operations.CLASSIFY)
async def classify(
    request: Request,
    service: AdmittedService,
    upload: ClassifyUpload,
    options: ClassifyParameters,
    media_type: ClassifyMediaType,
    observe: StageObserver,
) -> Response:
    """Classify the image, the most probable class first. As a PNG, the response is a class activation map."""
    if media_type == PNG and options.cam is None:
        options = options.model_copy(update={"cam": TOP})
    result = await cancel_on_disconnect(request.receive, partial(service.pipeline.classify, upload.image, options))
    observe(result.timings)
    return await anyio.to_thread.run_sync(classify_response, result, media_type)


@router.post("/compress", tags=["images"], response_class=Response, **operations.COMPRESS)
async def compress(
    request: Request,
    compression: AdmittedCompression,
    upload: CompressUpload,
    options: CompressParameters,
    media_type: CompressMediaType,
    observe: StageObserver,
) -> Response:
    """Quantize the image, encode it as BPG, and compare size, error and label with the BPG file of the upload.

    `image/bpg` is the BPG file of the quantized image, and `image/png` the decoded BPG file.
    """
    work = partial(compression.compress, upload.image, options, COMPRESSED[media_type])
    result = await cancel_on_disconnect(request.receive, work)
    observe(result.timings)
    return await anyio.to_thread.run_sync(compress_response, result)


@router.post("/benchmark", tags=["benchmark"], response_class=Response, **operations.BENCHMARK)
async def benchmark(
    request: Request,
    service: ReadyService,
    ticket: BenchmarkTicket,
    planned: Benchmark,
    observe: StageObserver,
) -> Response:
    """Compare methods and numbers of colors on up to 32 images: bytes, similarity to the original, and predictions.

    An image or a row that fails has an `error`; the other images and rows are unaffected.
    """
    if planned.media_type == NDJSON:
        return BenchmarkLines(service.benchmarks, ticket, planned.job, observe)
    work = partial(benchmark_response, service.benchmarks, ticket, planned.job, planned.media_type, observe)
    return await cancel_on_disconnect(request.receive, work)


@_report("/benchmark", "benchmark", response_class=Response, **operations.RESULTS)
async def results(media_type: ResultsMediaType, service: ReadyService) -> Response:
    """Return the stored results of the loaded models over whole test sets, with the methods of POST /benchmark."""
    page = await service.results.page() if media_type == HTML else None
    return results_response(service.results.report, page)


@_report("/models")
async def models(service: ReadyService) -> ModelsReport:
    """List the loaded networks with their measured accuracy, and the methods of `/quantize`."""
    return models_report(service.engine, service.settings)


@_report("/metrics", operation_id="metrics", response_class=Response, **operations.METRICS)
async def scrape(service_metrics: ServiceMetrics) -> Response:
    """Return metrics for Prometheus: requests, seconds by stage, rejections, queues, models, memory."""
    return Response(service_metrics.render(), media_type=metrics.MEDIA_TYPE)


@_report("/healthz", on=probes)
async def healthz(service: AnyService) -> StatusReport:
    """Report liveness at once, whatever the load; fail only if the process must be restarted."""
    service.require_alive()
    return StatusReport(status="alive")


@_report("/readyz", on=probes)
async def readyz(service: ReadyService) -> ReadyReport:
    """Report readiness, from the end of warm-up until the service shuts down, and the networks in memory."""
    return ready_report(service.engine)
