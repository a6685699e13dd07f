"""The device behind its queues: work with equal keys from several requests runs in one batch.

Each lane of work has a queue and threads of its own, so that quick work waits behind no long work. The threads of all
lanes take turns on the device: long work gives way after each tile or step, and ends there if its caller has left.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from models.pauses import at_each_pause
from service.errors import NotReady, QueueFull
from service.inference.batching import Batcher, Closed, Expired, Full, Limits, Ran
from service.inference.device_errors import is_broken, is_out_of_memory, out_of_memory
from service.inference.engine import Engine
from service.inference.together import images_at_once
from service.inference.turns import Turns
from service.inference.work import LANES, BatchKey, Lane, Work, WorkName
from service.runtime import timing
from service.runtime.logs import request_id_here
from service.runtime.timing import Timer
from service.settings import Settings

Result = TypeVar("Result")

# The structure of a batch takes 4 bytes for each pixel and color: 128 MiB at 256 colors, below the structure cutoff.
_BATCH_PIXELS = 1 << 17

# Turns at once: parts of a step leave cores idle, and a GPU waits for the CPU. More turns would need more memory.
_TURNS = 3
_LARGE_TURNS = 1

Observer = Callable[[WorkName, Ran[BatchKey]], None]
"""Called after each batch with the name of its work."""


@dataclass(frozen=True, eq=False)
class _Submission:
    """Work, and the request that it belongs to: batches run outside the context of their requests."""

    work: Work[Any]
    timer: Timer
    submitted: float
    request_id: str | None


def _ignore(_: Exception) -> None:
    """Do nothing; the default callback."""


class Device:
    """Runs an engine's networks while `serving`: in each lane one batch of passes at a time, or two refinements.

    Args:
        on_broken: called with each error after which the device cannot be trusted.
    """

    def __init__(self, engine: Engine, settings: Settings, on_broken: Callable[[Exception], None] = _ignore) -> None:
        self._engine = engine
        self._on_broken = on_broken
        self._timeout = settings.queue_timeout
        self._turns = Turns(_TURNS, _LARGE_TURNS)
        limits = _limits(settings)
        self._queues: dict[Lane, Batcher[BatchKey, _Submission, Any]] = {
            lane: Batcher(self._run_batch, limits, threads=_threads(lane), observe=self._notify) for lane in LANES
        }
        self._observers: list[Observer] = []

    @property
    def waiting(self) -> int:
        """Number of submissions that wait for their turn."""
        return sum(queue.waiting for queue in self._queues.values())

    def subscribe(self, observer: Observer) -> None:
        """Call `observer` after each batch, in the event loop; it must not raise."""
        self._observers.append(observer)

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """Serve for the length of the block; leaving it finishes everything that is queued."""
        async with AsyncExitStack() as stack:
            for queue in self._queues.values():
                await stack.enter_async_context(queue.serving())
            yield

    async def run(self, work: Work[Result]) -> Result:
        """Queue `work`, wait for its batch, and return its result. The waiting counts as queue, the batch as model.

        Cancellation ends work that has started at its next pause, unless others share its batch.

        Raises:
            QueueFull: the queue has no room, or the wait was too long.
            NotReady: the device is not served, or it failed.
            OutOfMemory: the device has too little memory.
            Also every other error that the engine raises for this work.
        """
        submission = _Submission(work, timing.current(), time.perf_counter(), request_id_here.get())
        try:
            result: Result = await self._queues[work.lane].submit(
                work.key, submission, work.size, timeout=self._timeout
            )
        except Full as error:
            raise QueueFull("The queue of the device is full.") from error
        except Expired as error:
            raise QueueFull(f"The image waited {self._timeout:g} seconds for the device.") from error
        except Closed as error:
            raise NotReady("The service is shutting down.") from error
        except Exception as error:
            response = self._response_to(error)
            if response is error:
                raise
            raise response from error
        return result

    def _response_to(self, error: Exception) -> Exception:
        """Return the error to raise for an error of the engine: the same error, unless the device caused it."""
        if is_broken(error):
            self._on_broken(error)
            return NotReady("The device failed; the service restarts.")
        if is_out_of_memory(error):
            return out_of_memory()
        return error

    def _run_batch(self, _: BatchKey, batch: Sequence[_Submission], check: Callable[[], None]) -> Sequence[Any]:
        """Run a batch, add its wait and its work to the timer of each request, and log with the ids of all requests."""
        ids = ",".join(submission.request_id for submission in batch if submission.request_id)
        request_id_here.set(ids)  # the batcher calls this in a context of its own
        work = [submission.work for submission in batch]
        waited = Timer()
        with self._turns.turn(heavy=work[0].lane.scale == "large") as give_way:
            started = time.perf_counter()

            def between_parts() -> None:
                with waited.measure("queue"):
                    give_way()
                check()

            check()
            with at_each_pause(between_parts):
                results = work[0].run(self._engine, work)
            seconds = time.perf_counter() - started
        gave_way = waited.timings().queue
        for submission in batch:
            submission.timer.add("queue", started - submission.submitted + gave_way)
            submission.timer.add("model", seconds - gave_way)
        return results

    def _notify(self, ran: Ran[BatchKey]) -> None:
        for observer in self._observers:
            observer(ran.key.work, ran)


def _threads(lane: Lane) -> int:
    """Return the number of batches of a lane that run at once.

    Passes form larger batches while one runs. Two small refinements share the device, so that neither waits for all of
    the other one. Of large ones, one at a time is in memory.
    """
    return 1 if lane.pace == "passes" or lane.scale == "large" else 2


def _limits(settings: Settings) -> Limits:
    """Return limits of a queue that holds work for each request in flight; more would be a bug.

    A request has one piece of work for each of its images that are at work.
    """
    return Limits(
        queue_items=settings.queue_size * images_at_once(settings) + settings.compress_queue_size,
        queue_size=(settings.workers + 1) * settings.max_pixels
        + settings.compress_workers * settings.compress_max_pixels,
        batch_items=settings.max_batch,
        batch_size=_BATCH_PIXELS,
    )
