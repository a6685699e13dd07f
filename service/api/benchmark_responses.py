"""Benchmarks as HTTP answers: the same numbers as JSON, as lines of JSON, as a contact sheet and as a page."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import suppress

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from models.evaluation.compare import Summary
from models.names import method_name
from models.report import contact_sheet
from service.api.responses import NO_MODEL, json_response
from service.benchmark.job import Event, Failure, Finished, ImageDone, Job, RowDone
from service.benchmark.runner import Benchmarks, Ticket
from service.benchmark.worker import draw_sheet, write_benchmark_page
from service.http.disconnect import cancel_on_disconnect
from service.http.headers import header_text, server_timing
from service.runtime import timing
from service.runtime.timing import Timings
from service.schemas.media_types import HTML, JSON, NDJSON, PNG
from service.schemas.reports import (
    BenchmarkFailedImage,
    BenchmarkFailedRow,
    BenchmarkImage,
    BenchmarkLine,
    BenchmarkProgress,
    BenchmarkReport,
    BenchmarkRow,
    BenchmarkSummary,
    ErrorReport,
    ResultsReport,
)

SILENCE = 5.0  # seconds

# A page runs nothing and loads nothing, whatever its tables may hold.
_PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:",
    "Vary": "Accept",
}


async def benchmark_response(
    benchmarks: Benchmarks, ticket: Ticket, job: Job, media_type: str, observe: Callable[[Timings], None]
) -> Response:
    """Run `job` to its end and answer with all of it, as JSON, as a contact sheet (PNG) or as a page (HTML).

    observe: called with the seconds of the stages.
    """
    events: list[Event] = []
    with timing.started() as timer:
        async with benchmarks.turn():
            await benchmarks.run(job, events.append)
            with timing.measure("encode"):
                response = await _shape(benchmarks, job, events, media_type)
    ticket.leave()
    observe(timer.timings())
    response.headers.update(_headers(job) | {"Server-Timing": server_timing(timer.timings())})
    return response


class BenchmarkLines(StreamingResponse):
    """`job` as JSON lines, each sent as soon as it is there. Reading slowly holds up nobody else.

    After SILENCE without one comes the progress again, so that no proxy takes the connection for dead.
    """

    def __init__(self, benchmarks: Benchmarks, ticket: Ticket, job: Job, observe: Callable[[Timings], None]) -> None:
        super().__init__((), headers=_headers(job), media_type=NDJSON)
        self._benchmarks = benchmarks
        self._ticket = ticket
        self._job = job
        self._observe = observe

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await cancel_on_disconnect(receive, lambda: self.stream_response(send))

    async def stream_response(self, send: Send) -> None:
        """Send the head and the lines, while the benchmark runs beside."""
        made, received = anyio.create_memory_object_stream[Event](math.inf)
        async with anyio.create_task_group() as tasks, received:
            tasks.start_soon(self._run, made)
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            await self._send_lines(send, received)
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _send_lines(self, send: Send, received: MemoryObjectReceiveStream[Event]) -> None:
        done = 0
        await self._send_progress(send, done)
        with suppress(anyio.EndOfStream):
            while True:
                event = await _next(received)
                if event:
                    await _send_line(send, _line(self._job, event))
                done += isinstance(event, RowDone)
                if event is None or isinstance(event, RowDone):
                    await self._send_progress(send, done)

    async def _send_progress(self, send: Send, done: int) -> None:
        await _send_line(send, BenchmarkLine(progress=BenchmarkProgress(done=done, total=self._job.rows)))

    async def _run(self, made: MemoryObjectSendStream[Event]) -> None:
        with made, timing.started() as timer:
            async with self._benchmarks.turn():
                await self._benchmarks.run(self._job, made.send_nowait)
        self._ticket.leave()
        self._observe(timer.timings())


def results_response(report: ResultsReport, page: str | None) -> Response:
    """The stored results as the `page` that was made of them, or without one as JSON."""
    if page is not None:
        return Response(page, headers=_PAGE_HEADERS, media_type=HTML)
    return json_response(report, {"Vary": "Accept"})


def benchmark_report(job: Job, events: Sequence[Event]) -> BenchmarkReport:
    """Everything that a whole benchmark gave, for JSON and for the page."""
    return BenchmarkReport(
        model=job.model,
        classifier=job.conditions.classifier,
        images=[_image(job, event) for event in events if isinstance(event, ImageDone)],
        rows=[_row(event) for event in events if isinstance(event, RowDone)],
        summary=[_summary(means) for event in events if isinstance(event, Finished) for means in event.summary],
    )


def sheet_rows(job: Job, events: Sequence[Event]) -> tuple[list[str], list[contact_sheet.Row]]:
    """Headings of the contact sheet's columns, and its rows: the methods of one image, then those of the next."""
    originals = {event.picture: _original_cell(event) for event in events if isinstance(event, ImageDone)}
    quantized = {(event.picture, event.setting): _cell(event) for event in events if isinstance(event, RowDone)}
    rows = []
    for picture, original in originals.items():
        for method in dict.fromkeys(setting.method for setting in job.settings):
            cells = [quantized[picture, setting] for setting in job.settings if setting.method == method]
            shown = [original] if isinstance(original, contact_sheet.Failure) else [original, *cells]
            rows.append(contact_sheet.Row(method_name(method), shown))
    colors = dict.fromkeys(setting.colors for setting in job.settings)
    return ["original", *(f"{count} colors" for count in colors)], rows


async def _shape(benchmarks: Benchmarks, job: Job, events: Sequence[Event], media_type: str) -> Response:
    sheet_content = sheet_rows(job, events) if job.conditions.tiles else ([], [])
    if media_type == PNG:
        sheet = await benchmarks.draw(job, draw_sheet, *sheet_content)
        headers = {"X-Colors": str(sheet.colors), "X-Bits-Per-Pixel": f"{sheet.bits_per_pixel:.4f}"}
        return Response(sheet.png, headers=headers, media_type=PNG)
    report = await anyio.to_thread.run_sync(benchmark_report, job, events)
    if media_type == JSON:
        return await anyio.to_thread.run_sync(json_response, report, {})
    page = await benchmarks.draw(job, write_benchmark_page, report, *sheet_content)
    return Response(page, headers=_PAGE_HEADERS, media_type=HTML)


def _headers(job: Job) -> dict[str, str]:
    return {"X-Model": header_text(job.model or NO_MODEL), "Vary": "Accept"}


async def _next(received: MemoryObjectReceiveStream[Event]) -> Event | None:
    """The next event, or None after SILENCE. Raises anyio.EndOfStream after the last one."""
    with anyio.move_on_after(SILENCE):
        return await received.receive()
    return None


async def _send_line(send: Send, line: BenchmarkLine) -> None:
    body = line.model_dump_json(exclude_unset=True).encode() + b"\n"
    await send({"type": "http.response.body", "body": body, "more_body": True})


def _line(job: Job, event: Event) -> BenchmarkLine:
    match event:
        case ImageDone():
            return BenchmarkLine(image=_image(job, event))
        case RowDone():
            return BenchmarkLine(row=_row(event))
        case Finished():
            return BenchmarkLine(summary=[_summary(means) for means in event.summary])


def _image(job: Job, event: ImageDone) -> BenchmarkImage | BenchmarkFailedImage:
    picture, opened = event.picture, event.outcome
    if isinstance(opened, Failure):
        return BenchmarkFailedImage(image=picture.name, error=_error(opened))
    return BenchmarkImage(
        image=picture.name,
        width=opened.width,
        height=opened.height,
        bytes=len(picture.data),
        label=opened.seen.label,
        probability=opened.seen.probability,
        truth=None if picture.truth is None else job.classes[picture.truth],
        right=None if picture.truth is None else opened.seen.index == picture.truth,
        notes=list(opened.notes),
    )


def _row(event: RowDone) -> BenchmarkRow | BenchmarkFailedRow:
    setting, outcome = event.setting, event.outcome
    if isinstance(outcome, Failure):
        return BenchmarkFailedRow(
            image=event.picture.name, method=setting.method, colors=setting.colors, error=_error(outcome)
        )
    return BenchmarkRow(**{name: getattr(outcome.row, name) for name in BenchmarkRow.model_fields})


def _summary(means: Summary) -> BenchmarkSummary:
    return BenchmarkSummary(**{name: getattr(means, name) for name in BenchmarkSummary.model_fields})


def _error(failure: Failure) -> ErrorReport:
    problem = failure.problem
    return ErrorReport(type=problem.type, title=problem.title, status=problem.status, detail=failure.detail)


def _original_cell(event: ImageDone) -> contact_sheet.Tile | contact_sheet.Failure:
    opened, name = event.outcome, event.picture.name
    if isinstance(opened, Failure):
        return contact_sheet.Failure(f"{name}: {opened.detail}")
    return contact_sheet.Tile(opened.tile, name, opened.seen.label, opened.seen.probability, kept=True)


def _cell(event: RowDone) -> contact_sheet.Tile | contact_sheet.Failure:
    outcome = event.outcome
    if isinstance(outcome, Failure):
        return contact_sheet.Failure(outcome.detail)
    row = outcome.row
    return contact_sheet.Tile(outcome.tile, f"{row.bytes:,} bytes", row.label, row.probability, row.kept)
