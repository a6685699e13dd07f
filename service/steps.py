"""The steps that requests are made of: each one in a worker thread, timed, and bounded in how many run at once."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TypeVar

import anyio
from anyio import CapacityLimiter

from models.palette_image import PaletteImage
from models.pixels import DecodedImage, decode
from service.engine import Choice, Engine, Pixels
from service.options import ImageOptions
from service.problems import QueueFull
from service.settings import Settings
from service.stopwatch import Stopwatch

Result = TypeVar("Result")


class Admission:
    """Lets at most `limit` requests be inside; the next one is refused at once."""

    def __init__(self, limit: int, retry_after: int) -> None:
        self._limit = limit
        self._retry_after = retry_after
        self._inside = 0

    @property
    def inside(self) -> int:
        return self._inside

    @contextmanager
    def admit(self) -> Iterator[None]:
        """Be inside for the length of the block. Raises QueueFull when there is no room."""
        if self._inside >= self._limit:
            raise QueueFull(
                f"{self._inside} requests are inside already; try again in {self._retry_after} seconds.",
                retry_after=self._retry_after,
            )
        self._inside += 1
        try:
            yield
        finally:
            self._inside -= 1


class Slot:
    """One of the places for decoded pixels; the wait for it counts as queue."""

    def __init__(self, slots: CapacityLimiter, watch: Stopwatch) -> None:
        self._slots = slots
        self._watch = watch

    async def __aenter__(self) -> None:
        with self._watch.measure("queue"):
            await self._slots.acquire_on_behalf_of(self)

    async def __aexit__(self, *_: object) -> None:
        self._slots.release_on_behalf_of(self)


class Steps:
    """What can be done with an image. Of all requests at most `workers` decode, measure or encode at the same time.

    The device does one thing at a time.
    """

    def __init__(self, engine: Engine, settings: Settings) -> None:
        self.engine = engine
        self._threads = CapacityLimiter(settings.workers)
        self._device = CapacityLimiter(1)

    async def decode(self, watch: Stopwatch, data: bytes, options: ImageOptions, max_pixels: int) -> DecodedImage:
        """The pixels of an upload; raises BadImage, UnsupportedFormat or ImageTooLarge."""
        step = partial(decode, data, max_pixels=max_pixels, background=options.background_rgb())
        return await self.run(watch, "decode", step)

    async def paint(self, watch: Stopwatch, pixels: Pixels, colors: int, choice: Choice) -> PaletteImage:
        """The image in at most `colors` colours."""
        step = partial(self.engine.quantize, pixels, colors, choice)
        return await (self.run_on_device(watch, step) if choice.on_device else self.run(watch, "model", step))

    async def run(self, watch: Stopwatch, stage: str, step: Callable[[], Result]) -> Result:
        """Run `step` in a thread; the wait for the thread counts as queue."""
        return await _run(watch, stage, self._threads, step)

    async def run_on_device(self, watch: Stopwatch, step: Callable[[], Result]) -> Result:
        """Run `step`, which uses a network, alone."""
        return await _run(watch, "model", self._device, step)


async def _run(watch: Stopwatch, stage: str, limiter: CapacityLimiter, step: Callable[[], Result]) -> Result:
    asked = time.perf_counter()

    def timed() -> Result:
        watch.add("queue", time.perf_counter() - asked)
        with watch.measure(stage):
            return step()

    return await anyio.to_thread.run_sync(timed, limiter=limiter)
