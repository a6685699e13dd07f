"""Dependencies of the handlers, as annotated types."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from functools import partial
from typing import Annotated, cast

import anyio
from fastapi import Depends, Request

from service.benchmark.job import Job, SheetUse
from service.http.negotiation import select_media_type
from service.http.uploads import parse_options, read_upload
from service.inference.admission import Ticket
from service.inference.compression import Compression
from service.lifecycle import Service
from service.metrics import Metrics
from service.runtime.timing import Timings
from service.schemas.media_types import BPG, HTML, JSON, NDJSON, PNG
from service.schemas.options import MAX_IMAGES, BenchmarkOptions, ClassifyOptions, CompressOptions, QuantizeOptions
from service.schemas.upload import Upload


async def _service(request: Request) -> Service:
    return cast(Service, request.app.state.service)


AnyService = Annotated[Service, Depends(_service)]
"""The service, in any phase."""


async def _ready_service(service: AnyService) -> Service:
    service.require_ready()
    return service


ReadyService = Annotated[Service, Depends(_ready_service)]


async def _metrics(request: Request) -> Metrics:
    return cast(Metrics, request.app.state.metrics)


ServiceMetrics = Annotated[Metrics, Depends(_metrics)]


async def _stage_observer(request: Request, metrics: ServiceMetrics) -> Callable[[Timings], None]:
    return partial(metrics.observe_stages, request.scope["route"].path)


StageObserver = Annotated[Callable[[Timings], None], Depends(_stage_observer)]
"""Counts the stages of the request in the metrics."""


# Admission: /quantize and /classify share one queue, /compress and /benchmark have one each.


async def _admitted_service(service: ReadyService) -> AsyncIterator[Service]:
    with service.pipeline.admission.admit():
        yield service


async def _compression(service: ReadyService) -> AsyncIterator[Compression]:
    with service.compression.admission.admit():
        yield service.compression


async def _benchmark_ticket(service: ReadyService) -> AsyncIterator[Ticket]:
    with service.benchmarks.admission.admit() as ticket:
        yield ticket


AdmittedService = Annotated[Service, Depends(_admitted_service, scope="function")]
AdmittedCompression = Annotated[Compression, Depends(_compression, scope="function")]
# The ticket covers the whole request, because JSON lines are sent while the benchmark runs.
BenchmarkTicket = Annotated[Ticket, Depends(_benchmark_ticket, scope="request")]


def _negotiate(*offers: str) -> Callable[[Request], Awaitable[str]]:
    async def media_type(request: Request) -> str:
        lines = request.headers.getlist("accept")
        return select_media_type(", ".join(lines) if lines else None, offers)

    return media_type


PngOrJson = Annotated[str, Depends(_negotiate(PNG, JSON))]
JsonOrPng = Annotated[str, Depends(_negotiate(JSON, PNG))]
JsonOrHtml = Annotated[str, Depends(_negotiate(JSON, HTML))]
CompressMediaType = Annotated[str, Depends(_negotiate(JSON, BPG, PNG))]
BenchmarkMediaType = Annotated[str, Depends(_negotiate(JSON, PNG, HTML, NDJSON))]


# Uploads are read after admission, so that a rejected request is not read.


async def _read_upload(request: Request, service: Service, max_images: int = 1) -> Upload:
    settings = service.settings
    return await read_upload(
        request,
        max_bytes=settings.max_upload_bytes,
        timeout=settings.upload_timeout,
        max_parts=settings.max_form_parts,
        max_images=max_images,
    )


async def _upload(request: Request, service: AdmittedService) -> Upload:
    return await _read_upload(request, service)


async def _compress_upload(request: Request, service: ReadyService, _: AdmittedCompression) -> Upload:
    return await _read_upload(request, service)


ImageUpload = Annotated[Upload, Depends(_upload, scope="function")]
CompressUpload = Annotated[Upload, Depends(_compress_upload, scope="function")]


async def _quantize_options(upload: ImageUpload) -> QuantizeOptions:
    return parse_options(upload, QuantizeOptions)


async def _classify_options(upload: ImageUpload) -> ClassifyOptions:
    return parse_options(upload, ClassifyOptions)


async def _compress_options(upload: CompressUpload) -> CompressOptions:
    return parse_options(upload, CompressOptions)


QuantizeParameters = Annotated[QuantizeOptions, Depends(_quantize_options)]
ClassifyParameters = Annotated[ClassifyOptions, Depends(_classify_options)]
CompressParameters = Annotated[CompressOptions, Depends(_compress_options)]


_SHEET_USES: Mapping[str, SheetUse] = {PNG: "needed", HTML: "if it fits"}


async def _benchmark_job(
    request: Request, media_type: BenchmarkMediaType, service: ReadyService, _: BenchmarkTicket
) -> Job:
    upload = await _read_upload(request, service, MAX_IMAGES)
    options = parse_options(upload, BenchmarkOptions)
    sheet = _SHEET_USES.get(media_type, "needed" if options.tiles else "none")
    plan = partial(service.benchmarks.planner.plan, upload, options, sheet=sheet, request_id=request.state.request_id)
    return await anyio.to_thread.run_sync(plan)  # it reads the headers of all images


BenchmarkJob = Annotated[Job, Depends(_benchmark_job)]
