"""Responses of /benchmark that are sent as a whole: JSON, contact sheet and page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import anyio
from starlette.responses import Response

from service.api.benchmark_reports import benchmark_report
from service.api.model_headers import model_headers
from service.api.responses import json_response
from service.benchmark.events import Event
from service.benchmark.job import Job
from service.benchmark.queue import Benchmarks
from service.benchmark.sheet import draw_sheet, sheet_content, write_benchmark_page
from service.http.headers import server_timing
from service.inference.admission import Ticket
from service.runtime import timing
from service.runtime.timing import Timings
from service.schemas.benchmark_reports import ResultsReport
from service.schemas.media_types import HTML, JSON, PNG

# A page runs no script and loads nothing, even if file names in its tables contain HTML.
_PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:",
    "Vary": "Accept",
}


async def benchmark_response(
    benchmarks: Benchmarks, ticket: Ticket, job: Job, media_type: str, observe: Callable[[Timings], None]
) -> Response:
    """Run `job` to its end, and return the result as JSON, as a contact sheet (PNG) or as a page (HTML).

    ticket: released when the work has ended, so that a slow client does not block others. observe: gets the timings.
    """
    events: list[Event] = []
    with timing.started() as timer:
        async with benchmarks.turn():
            await benchmarks.run(job, events.append)
            with timing.measure("encode"):
                response = await _shape(benchmarks, job, events, media_type)
    ticket.release()
    observe(timer.timings())
    response.headers.update(benchmark_headers(job) | {"Server-Timing": server_timing(timer.timings())})
    return response


def benchmark_headers(job: Job) -> dict[str, str]:
    """Return the headers that every response to POST /benchmark has."""
    return model_headers([job.model], job.sha256) | {"Vary": "Accept"}


def results_response(report: ResultsReport, page: str | None) -> Response:
    """Return the stored results as their `page`, or as JSON without one."""
    if page is not None:
        return Response(page, headers=_PAGE_HEADERS, media_type=HTML)
    return json_response(report, {"Vary": "Accept"})


async def _shape(benchmarks: Benchmarks, job: Job, events: Sequence[Event], media_type: str) -> Response:
    content = sheet_content(job, events)
    if media_type == PNG:
        sheet = await benchmarks.draw(job, draw_sheet, content)
        headers = {"X-Colors": str(sheet.colors), "X-Bits-Per-Pixel": f"{sheet.bits_per_pixel:.4f}"}
        return Response(sheet.png, headers=headers, media_type=PNG)
    report = await anyio.to_thread.run_sync(partial(benchmark_report, job, events, tiles=media_type == JSON))
    if media_type == JSON:
        return await anyio.to_thread.run_sync(json_response, report, {})
    page = await benchmarks.draw(job, write_benchmark_page, report, content)
    return Response(page, headers=_PAGE_HEADERS, media_type=HTML)
