"""Dependencies of the handlers, as annotated types."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Annotated, cast

import anyio
from fastapi import Depends, Request

from service.api import formats
from service.benchmark.job import Job, SheetUse
from service.http.uploads import parse_options, read_upload
from service.inference.admission import Ticket
from service.inference.compression import Compression
from service.lifecycle import Service
from service.metrics import Metrics
from service.runtime.timing import Timings
from service.schemas.benchmark_options import MAX_IMAGES, BenchmarkOptions
from service.schemas.media_types import HTML, PNG
from service.schemas.options import ClassifyOptions, CompressOptions, QuantizeOptions
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


# Accept is checked before the upload is read, and the option `format` after it.
_QuantizeAccepted = Annotated[str, Depends(formats.negotiate(*formats.QUANTIZE_ONE))]
_ClassifyAccepted = Annotated[str, Depends(formats.negotiate(*formats.CLASSIFY))]
_CompressAccepted = Annotated[str, Depends(formats.negotiate(*formats.COMPRESS))]
_BenchmarkAccepted = Annotated[str, Depends(formats.negotiate(*formats.BENCHMARK))]
ResultsMediaType = Annotated[str, Depends(formats.negotiate(*formats.RESULTS))]


# Uploads are read after admission, so that a rejected request is not read.


async def _read_upload(request: Request, service: Service, max_images: int = 1, *, body_needed: bool = False) -> Upload:
    settings = service.settings
    return await read_upload(
        request,
        max_bytes=settings.max_upload_bytes,
        timeout=settings.upload_timeout,
        max_parts=settings.max_form_parts,
        max_images=max_images,
        body_needed=body_needed,
    )


async def _quantize_upload(request: Request, _: _QuantizeAccepted, service: AdmittedService) -> Upload:
    return await _read_upload(request, service, MAX_IMAGES)


async def _classify_upload(request: Request, _: _ClassifyAccepted, service: AdmittedService) -> Upload:
    return await _read_upload(request, service)


async def _compress_upload(
    request: Request, _: _CompressAccepted, service: ReadyService, __: AdmittedCompression
) -> Upload:
    return await _read_upload(request, service)


QuantizeUpload = Annotated[Upload, Depends(_quantize_upload, scope="function")]
ClassifyUpload = Annotated[Upload, Depends(_classify_upload, scope="function")]
CompressUpload = Annotated[Upload, Depends(_compress_upload, scope="function")]


async def _quantize_options(upload: QuantizeUpload) -> QuantizeOptions:
    return parse_options(upload, QuantizeOptions)


async def _classify_options(upload: ClassifyUpload) -> ClassifyOptions:
    return parse_options(upload, ClassifyOptions)


async def _compress_options(upload: CompressUpload) -> CompressOptions:
    return parse_options(upload, CompressOptions)


QuantizeParameters = Annotated[QuantizeOptions, Depends(_quantize_options)]
ClassifyParameters = Annotated[ClassifyOptions, Depends(_classify_options)]
CompressParameters = Annotated[CompressOptions, Depends(_compress_options)]


async def _quantize_media_type(
    request: Request, accepted: _QuantizeAccepted, upload: QuantizeUpload, options: QuantizeParameters
) -> str:
    return formats.quantize_media_type(request, options.format, accepted, len(upload.files))


async def _classify_media_type(accepted: _ClassifyAccepted, options: ClassifyParameters) -> str:
    return formats.media_type_of(options.format, accepted)


async def _compress_media_type(accepted: _CompressAccepted, options: CompressParameters) -> str:
    return formats.media_type_of(options.format, accepted)


QuantizeMediaType = Annotated[str, Depends(_quantize_media_type)]
ClassifyMediaType = Annotated[str, Depends(_classify_media_type)]
CompressMediaType = Annotated[str, Depends(_compress_media_type)]


_SHEET_USES: Mapping[str, SheetUse] = {PNG: "needed", HTML: "if it fits"}


@dataclass(frozen=True, eq=False)
class PlannedBenchmark:
    """A benchmark and the media type of its response."""

    job: Job
    media_type: str


async def _benchmark(
    request: Request, accepted: _BenchmarkAccepted, service: ReadyService, _: BenchmarkTicket
) -> PlannedBenchmark:
    upload = await _read_upload(request, service, MAX_IMAGES, body_needed=True)
    options = parse_options(upload, BenchmarkOptions)
    media_type = formats.media_type_of(options.format, accepted)
    sheet = _SHEET_USES.get(media_type, "needed" if options.tiles else "none")
    plan = partial(service.benchmarks.planner.plan, upload, options, sheet=sheet, request_id=request.state.request_id)
    job = await anyio.to_thread.run_sync(plan)  # it reads the headers of all images
    return PlannedBenchmark(job, media_type)


Benchmark = Annotated[PlannedBenchmark, Depends(_benchmark)]
