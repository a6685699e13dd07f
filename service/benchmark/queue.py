"""The queue of benchmarks: admitted side by side, run one after the other in a worker process."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TypeVar, TypeVarTuple

import anyio
from anyio import BrokenWorkerProcess
from anyio.lowlevel import checkpoint

from service.benchmark.events import Event
from service.benchmark.job import Job, Planner
from service.benchmark.runner import Interruption, JobRunner
from service.benchmark.worker import Loader
from service.errors import NotDrawn
from service.inference.admission import Admission
from service.inference.engine import Engine
from service.runtime import timing
from service.runtime.worker_process import Run
from service.settings import Settings

Result = TypeVar("Result")
Arguments = TypeVarTuple("Arguments")

_DRAWING_TIME = 120.0  # seconds; the largest sheet takes a few on a free core, but the process has a low priority
_DRAWING_ATTEMPTS = 2

log = logging.getLogger("colorcnn.benchmark")


class Benchmarks:
    """Queue, turns and worker process of all benchmarks.

    Args:
        loader: loads quantizers and classifiers in the worker process.
        work: runs a function in the worker process.
    """

    def __init__(self, engine: Engine, settings: Settings, loader: Loader, work: Run) -> None:
        self.admission = Admission(settings.benchmark_queue_size)
        self.planner = Planner(engine, loader, settings.benchmark_max_pixels)
        self.work = work
        self._timeout = settings.benchmark_timeout
        self._turn = anyio.Lock()
        self._interruption = Interruption()

    @property
    def in_flight(self) -> int:
        """Number of admitted benchmarks."""
        return self.admission.in_flight

    @property
    def waiting(self) -> int:
        """Number of admitted benchmarks that wait for their turn."""
        return self._turn.statistics().tasks_waiting

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait until no other benchmark runs; until the block ends, the others wait."""
        with timing.measure("queue"):
            await self._turn.acquire()
        try:
            yield
        finally:
            self._turn.release()

    async def run(self, job: Job, emit: Callable[[Event], None]) -> None:
        """Run `job` in its turn, and pass each event to `emit` as it happens. Cancellation ends the work."""
        await JobRunner(job, self.work, self._timeout, self._interruption).run(emit)

    async def draw(self, job: Job, function: Callable[[*Arguments], Result], *args: *Arguments) -> Result:
        """Run a drawing function in the turn of `job`, and once more in a fresh process if the first one is killed.

        Raises NotDrawn if both processes are killed, if the drawing takes too long, or if the service shuts down.
        """
        with self._interruption.scope(anyio.current_time() + _DRAWING_TIME):
            await checkpoint()
            for _ in range(_DRAWING_ATTEMPTS):
                try:
                    return await self.work(function, *args)
                except BrokenWorkerProcess:
                    log.warning("the drawing process was killed request_id=%s", job.request_id)
        raise NotDrawn("The rows were measured, but could not be drawn; request JSON instead, which needs no drawing.")

    def stop(self) -> None:
        """End all benchmarks soon: each image and row that is missing reports that the service is shutting down."""
        self._interruption.request()
