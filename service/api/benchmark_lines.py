"""The response of /benchmark as lines of JSON, sent while the benchmark runs."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import suppress

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from service.api.benchmark_reports import benchmark_line
from service.api.benchmark_responses import benchmark_headers
from service.benchmark.events import Event, RowDone
from service.benchmark.job import Job
from service.benchmark.queue import Benchmarks
from service.http.disconnect import cancel_on_disconnect
from service.inference.admission import Ticket
from service.runtime import timing
from service.runtime.timing import Timings
from service.schemas.benchmark_reports import BenchmarkLine, BenchmarkProgress
from service.schemas.media_types import NDJSON

SILENCE = 5.0  # seconds


class BenchmarkLines(StreamingResponse):
    """The events of `job` as JSON lines, each sent as soon as it happens.

    After SILENCE without an event, the progress is sent again, so that no proxy closes the connection. The ticket is
    released when the work has ended, so that a slow client does not block others.
    """

    def __init__(self, benchmarks: Benchmarks, ticket: Ticket, job: Job, observe: Callable[[Timings], None]) -> None:
        super().__init__((), headers=benchmark_headers(job), media_type=NDJSON)
        self._benchmarks = benchmarks
        self._ticket = ticket
        self._job = job
        self._observe = observe

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await cancel_on_disconnect(receive, lambda: self.stream_response(send))

    async def stream_response(self, send: Send) -> None:
        """Send the head and the lines, while the benchmark runs in a task of its own."""
        emitted, received = anyio.create_memory_object_stream[Event](math.inf)
        async with anyio.create_task_group() as tasks, received:
            tasks.start_soon(self._run, emitted)
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            await self._send_lines(send, received)
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _run(self, emitted: MemoryObjectSendStream[Event]) -> None:
        with emitted, timing.started() as timer:
            async with self._benchmarks.turn():
                await self._benchmarks.run(self._job, emitted.send_nowait)
        self._ticket.release()
        self._observe(timer.timings())

    async def _send_lines(self, send: Send, received: MemoryObjectReceiveStream[Event]) -> None:
        done = 0
        await self._send_progress(send, done)
        with suppress(anyio.EndOfStream):
            while True:
                event = await _next(received)
                if event:
                    # In a thread, because it encodes tiles.
                    await _send_line(send, await anyio.to_thread.run_sync(benchmark_line, self._job, event))
                done += isinstance(event, RowDone)
                if event is None or isinstance(event, RowDone):
                    await self._send_progress(send, done)

    async def _send_progress(self, send: Send, done: int) -> None:
        await _send_line(send, BenchmarkLine(progress=BenchmarkProgress(done=done, total=self._job.rows)))


async def _next(received: MemoryObjectReceiveStream[Event]) -> Event | None:
    """Return the next event, or None after SILENCE. Raises anyio.EndOfStream after the last event."""
    with anyio.move_on_after(SILENCE):
        return await received.receive()
    return None


async def _send_line(send: Send, line: BenchmarkLine) -> None:
    body = line.model_dump_json(exclude_unset=True).encode() + b"\n"
    await send({"type": "http.response.body", "body": body, "more_body": True})
