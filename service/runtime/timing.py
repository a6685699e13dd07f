"""How long a request spends where."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

STAGES = ("decode", "queue", "model", "encode")


@dataclass(frozen=True)
class Timings:
    """Seconds that one request spent in each stage; `queue` is all of its waiting."""

    decode: float
    queue: float
    model: float
    encode: float


@dataclass
class Timer:
    """Adds up the seconds of one request, stage by stage."""

    _seconds: dict[str, float] = field(default_factory=lambda: dict.fromkeys(STAGES, 0.0))

    @contextmanager
    def measure(self, stage: str) -> Iterator[None]:
        """Count the time inside the block for `stage`, one of STAGES."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self._seconds[stage] += time.perf_counter() - started

    def add(self, stage: str, seconds: float) -> None:
        self._seconds[stage] += seconds

    def timings(self) -> Timings:
        return Timings(**self._seconds)
