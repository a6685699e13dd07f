"""The run of one job: row by row in the worker process, until a deadline or an interruption."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeVar

import anyio
from anyio import CancelScope
from anyio.lowlevel import checkpoint

from models.errors import BadImage, BadOption, ImageTooLarge, UnsupportedFormat
from models.evaluation.compare import Row, Setting, summarize
from models.prediction import Prediction
from service.benchmark.events import Event, Failure, Finished, ImageDone, RowDone
from service.benchmark.job import Job, Picture
from service.benchmark.worker import Compared, ImageGone, Opened, close_image, compare_row, open_image
from service.errors import NotReady, OutOfTime
from service.runtime import timing
from service.runtime.worker_process import Run

Result = TypeVar("Result")

EXPECTED = (BadImage, UnsupportedFormat, ImageTooLarge, BadOption, NotReady, OutOfTime)
"""Errors that an image or a row may have; any other error is a bug, or the death of the worker process."""

log = logging.getLogger("colorcnn.benchmark")


class Interruption:
    """Switch that ends the work in progress and all later work."""

    def __init__(self) -> None:
        self.requested = False
        self._scope: CancelScope | None = None

    def request(self) -> None:
        """Cancel the work in the current scope, and in every later one."""
        self.requested = True
        if self._scope:
            self._scope.cancel()

    def scope(self, deadline: float) -> CancelScope:
        """Return a scope for work that ends at the deadline at the latest; one scope is in use at a time."""
        self._scope = CancelScope(deadline=deadline)
        if self.requested:
            self._scope.cancel()
        return self._scope


class JobRunner:
    """Runs one job.

    Args:
        work: runs a function in the worker process.
        seconds: time for the whole job. After this time, the outcome of each remaining image and row is OutOfTime.
        interruption: once requested, the outcome of each remaining image and row is NotReady.
    """

    def __init__(self, job: Job, work: Run, seconds: float, interruption: Interruption) -> None:
        self._job = job
        self._work = work
        self._seconds = seconds
        self._deadline = anyio.current_time() + seconds
        self._interruption = interruption

    async def run(self, emit: Callable[[Event], None]) -> None:
        """Pass each event to `emit` as it happens. The outcome of an image or row that fails is a Failure."""
        rows: list[Row] = []
        for picture in self._job.pictures:
            with timing.measure("decode"):
                opened = await self._attempt(partial(self._open, picture))
            emit(ImageDone(picture, opened))
            for setting in picture.treatment.settings:
                with timing.measure("model"):
                    outcome = await self._outcome(picture, opened, setting)
                emit(RowDone(picture, setting, outcome))
                rows += [outcome.row] if isinstance(outcome, Compared) else []
        await self._attempt(partial(self._work, close_image))
        emit(Finished(tuple(summarize(rows))))

    async def _outcome(self, picture: Picture, opened: Opened | Failure, setting: Setting) -> Compared | Failure:
        if isinstance(opened, Failure):
            return opened
        return await self._attempt(partial(self._compare, picture, opened.prediction, setting))

    async def _open(self, picture: Picture) -> Opened:
        return await self._work(open_image, picture.treatment.conditions, picture.token, picture.data)

    async def _compare(self, picture: Picture, prediction: Prediction, setting: Setting) -> Compared:
        details = (picture.treatment.conditions, picture.token, picture.name, picture.truth, prediction, setting)
        try:
            return await self._work(compare_row, *details)
        except ImageGone:  # the process that had the image open was killed
            await self._open(picture)
            return await self._work(compare_row, *details)

    async def _attempt(self, attempt: Callable[[], Awaitable[Result]]) -> Result | Failure:
        try:
            with self._interruption.scope(self._deadline):
                await checkpoint()  # past the deadline, the worker process gets no call
                return await attempt()
        except Exception as error:  # after any error, the other rows continue
            return _failure(error, self._job.request_id)
        return _failure(self._end(), self._job.request_id)

    def _end(self) -> NotReady | OutOfTime:
        if self._interruption.requested:
            return NotReady("The service is shutting down; try again.")
        return OutOfTime(f"The benchmark had {self._seconds:g} seconds; request fewer images, methods or colors.")


def _failure(error: Exception, request_id: str) -> Failure:
    if isinstance(error, EXPECTED):
        return Failure(error, str(error))
    log.error("a part of a benchmark failed request_id=%s", request_id, exc_info=error)
    return Failure(error, f"The other rows are not affected. Please report the request id {request_id}.")
