"""Seconds that a request spends in each stage, measured in every task and thread that serves the request.

The timer of a request is a context variable, as the request's id in `service.runtime.logs` is: tasks and worker threads
that the request starts inherit the timer. Code that serves several requests at once passes their timers explicitly.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Literal, get_args

Stage = Literal["decode", "queue", "model", "encode"]
"""A part of the work for one request; `queue` is all of its waiting."""

STAGES: tuple[Stage, ...] = get_args(Stage)


@dataclass(frozen=True)
class Timings:
    """Seconds that one request spent in each stage."""

    decode: float
    queue: float
    model: float
    encode: float


@dataclass
class Timer:
    """Sums of the seconds of one request, stage by stage."""

    _seconds: dict[Stage, float] = field(default_factory=lambda: dict.fromkeys(STAGES, 0.0))

    @contextmanager
    def measure(self, stage: Stage) -> Iterator[None]:
        """Add the time of the block to `stage`."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self.add(stage, time.perf_counter() - started)

    def add(self, stage: Stage, seconds: float) -> None:
        """Add `seconds` to `stage`."""
        self._seconds[stage] += seconds

    def timings(self) -> Timings:
        """Return the sums so far."""
        return Timings(**self._seconds)


_timer_here: ContextVar[Timer | None] = ContextVar("timer_here", default=None)


@contextmanager
def started() -> Iterator[Timer]:
    """Measure everything in the block with a fresh timer."""
    timer = Timer()
    token = _timer_here.set(timer)
    try:
        yield timer
    finally:
        _timer_here.reset(token)


def current() -> Timer:
    """Return the timer of the running request; outside `started`, a new timer that is never read."""
    return _timer_here.get() or Timer()


def measure(stage: Stage) -> AbstractContextManager[None]:
    """Add the time of the block to `stage` of the running request."""
    return current().measure(stage)


def add(stage: Stage, seconds: float) -> None:
    """Add `seconds` to `stage` of the running request."""
    current().add(stage, seconds)
