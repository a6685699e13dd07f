"""A benchmark: images x methods x colors, row by row in a process of its own, one benchmark at a time."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from typing import TypeVar, TypeVarTuple

import anyio
from anyio import BrokenWorkerProcess

from models.evaluation.compare import Row, Setting, summarize
from models.names import LEARNED_METHOD, LEARNED_METHODS
from models.palette_image import MAX_COLORS
from models.prediction import Prediction
from service.benchmark.job import (
    Event,
    Failure,
    Finished,
    ImageDone,
    Job,
    Picture,
    RowDone,
    SheetUse,
    _pictures,
    _tiles,
    _truths,
)
from service.benchmark.worker import (
    Compared,
    Conditions,
    ImageGone,
    Loader,
    Opened,
    close_image,
    compare_row,
    open_image,
)
from service.errors import NotDrawn, NotReady, OutOfTime, QueueFull
from service.http.problems import INTERNAL, problem_of
from service.inference.engine import Engine
from service.inference.selection import Selection
from service.runtime import timing
from service.runtime.worker_process import Run
from service.schemas.options import BenchmarkOptions
from service.schemas.upload import Upload
from service.settings import Settings

Result = TypeVar("Result")
Arguments = TypeVarTuple("Arguments")


_DRAWING_TIME = 120.0  # seconds; the largest sheet takes a few on a free core, but this process is nice to the others
_DRAWING_ATTEMPTS = 2

log = logging.getLogger("colorcnn.benchmark")


class Ticket:
    """One of the places in the queue."""

    def __init__(self, in_flight: set[Ticket]) -> None:
        self._in_flight = in_flight
        in_flight.add(self)

    def leave(self) -> None:
        """Make room for another; again does nothing."""
        self._in_flight.discard(self)


class Benchmarks:
    """Admits benchmarks, and runs them one after the other in the worker process.

    Args:
        loader: what the worker process loads its quantizers and classifiers with.
        work: runs a function in the worker process.
    """

    def __init__(self, engine: Engine, settings: Settings, loader: Loader, work: Run) -> None:
        self.work = work
        self._engine = engine
        self._settings = settings
        self._loader = loader
        self._in_flight: set[Ticket] = set()
        self._turn = anyio.Lock()
        self._working: anyio.CancelScope | None = None
        self._stopped = False

    @property
    def in_flight(self) -> int:
        """How many benchmarks are admitted."""
        return len(self._in_flight)

    @property
    def waiting(self) -> int:
        """How many of them wait for their turn."""
        return self._turn.statistics().tasks_waiting

    @contextmanager
    def admit(self) -> Iterator[Ticket]:
        """Be inside for the length of the block, or until the place is left. Raises QueueFull when there is no room."""
        if len(self._in_flight) >= self._settings.benchmark_queue_size:
            raise QueueFull(f"{len(self._in_flight)} benchmarks are in flight already.")
        ticket = Ticket(self._in_flight)
        try:
            yield ticket
        finally:
            ticket.leave()

    def plan(self, upload: Upload, options: BenchmarkOptions, *, sheet: SheetUse, request_id: str) -> Job:
        """Check names and labels, and whether a contact sheet that is needed has room for all tiles.

        Raises UnknownMethod, UnknownModel or BadOption.
        """
        judged = self._engine.catalog.select(LEARNED_METHOD, options.model, MAX_COLORS)
        settings = [self._setting(method, judged, k) for method in options.methods for k in options.colors]
        classes = self._engine.catalog.classifier(judged.classifier).classes
        pictures = _pictures(upload.files, _truths(options.labels, len(upload.files), classes))
        conditions = Conditions(
            loader=self._loader,
            classifier=judged.classifier,
            max_pixels=self._settings.benchmark_max_pixels,
            background=options.background_rgb(),
            tiles=_tiles(len(pictures) * (len(settings) + len(options.methods)), sheet),
            cam=options.cam,
        )
        return Job(tuple(pictures), tuple(settings), conditions, classes, request_id)

    def _setting(self, method: str, judged: Selection, colors: int) -> Setting:
        model = judged.model if method in LEARNED_METHODS else None
        return Setting(method, self._engine.catalog.select(method, model, colors, judged.classifier).model, colors)

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait until no other benchmark works, then keep the others waiting for the length of the block."""
        with timing.measure("queue"):
            await self._turn.acquire()
        try:
            yield
        finally:
            self._turn.release()

    async def run(self, job: Job, emit: Callable[[Event], None]) -> None:
        """In a turn: hand each result to `emit` as soon as it is there. Being cancelled ends the work.

        No image and no row raises: what goes wrong with it is its outcome.
        """
        deadline = anyio.current_time() + self._settings.benchmark_timeout
        rows: list[Row] = []
        for picture in job.pictures:
            with timing.measure("decode"):
                opened = await self._attempt(job, deadline, partial(self._open, job, picture))
            emit(ImageDone(picture, opened))
            for setting in job.settings:
                with timing.measure("model"):
                    outcome = await self._outcome(job, deadline, picture, opened, setting)
                emit(RowDone(picture, setting, outcome))
                rows += [outcome.row] if isinstance(outcome, Compared) else []
        await self._attempt(job, deadline, partial(self.work, close_image))
        emit(Finished(tuple(summarize(rows))))

    async def draw(self, job: Job, function: Callable[[*Arguments], Result], *args: *Arguments) -> Result:
        """In a turn: run what draws, and once more in a fresh process if the one that does it is killed.

        Raises NotDrawn when that does not help either, when it takes too long, or when the service shuts down.
        """
        with anyio.move_on_after(_DRAWING_TIME) as self._working:
            for _ in range(0 if self._stopped else _DRAWING_ATTEMPTS):
                try:
                    return await self.work(function, *args)
                except BrokenWorkerProcess:
                    log.warning("the process that draws was killed request_id=%s", job.request_id)
        raise NotDrawn("The rows were measured, but could not be drawn; ask for JSON to do without the drawing.")

    def stop(self) -> None:
        """End all benchmarks soon: the rows that they do not have yet say that the service is shutting down."""
        self._stopped = True
        if self._working:
            self._working.cancel()

    async def _open(self, job: Job, picture: Picture) -> Opened:
        return await self.work(open_image, job.conditions, picture.token, picture.data)

    async def _outcome(
        self, job: Job, deadline: float, picture: Picture, opened: Opened | Failure, setting: Setting
    ) -> Compared | Failure:
        if isinstance(opened, Failure):
            return opened
        return await self._attempt(job, deadline, partial(self._compare, job, picture, opened.seen, setting))

    async def _compare(self, job: Job, picture: Picture, seen: Prediction, setting: Setting) -> Compared:
        details = (picture.token, picture.name, picture.truth, seen, setting)
        try:
            return await self.work(compare_row, job.conditions, *details)
        except ImageGone:  # the process that had it open was killed since
            await self._open(job, picture)
            return await self.work(compare_row, job.conditions, *details)

    async def _attempt(self, job: Job, deadline: float, attempt: Callable[[], Awaitable[Result]]) -> Result | Failure:
        try:
            with anyio.move_on_after(max(0.0, deadline - anyio.current_time())) as self._working:
                await anyio.lowlevel.checkpoint()  # without time, the worker process is not even asked
                if not self._stopped:
                    return await attempt()
        except Exception as error:  # whatever it is, the other rows go on
            return self._failure(job, error)
        return self._failure(job, self._ended())

    def _ended(self) -> NotReady | OutOfTime:
        if self._stopped:
            return NotReady("The service is shutting down; try again.")
        seconds = self._settings.benchmark_timeout
        return OutOfTime(f"The benchmark had {seconds:g} seconds; ask for fewer images, methods or colors.")

    def _failure(self, job: Job, error: Exception) -> Failure:
        problem = problem_of(error)
        if problem is not INTERNAL:
            return Failure(problem, str(error))
        # A bug, or the process was killed: for its memory, perhaps.
        log.error("a part of a benchmark failed request_id=%s", job.request_id, exc_info=error)
        return Failure(INTERNAL, f"Other rows are not concerned. Please report the request id {job.request_id}.")
