"""Queue in front of one device: items that arrive while the device is busy run next, in batches of equal keys.

The semantics match NVIDIA Triton's dynamic batcher without the optional delay: an item waits for the device, but
never for other items to join its batch. The caller defines the items and how they run.
"""

from __future__ import annotations

import math
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, fields
from functools import partial
from itertools import count
from typing import Generic, TypeVar

import anyio
from anyio import CapacityLimiter, Event, from_thread

from service.inference.waiter import Waiter

Key = TypeVar("Key")
Item = TypeVar("Item")
Result = TypeVar("Result")


class Full(Exception):
    """The queue has no room for the item; the item was not queued."""


class Expired(Exception):
    """The item waited for the device until its timeout; it was not started."""


class Closed(Exception):
    """Nothing serves the queue, or the queue closed early; the item was not started, or not finished."""


class Abandoned(Exception):
    """No caller waits for an item of the running batch any more."""


@dataclass(frozen=True)
class Limits:
    """Limits of the queue and of one batch, each in items and in the sum of the item sizes.

    An item that is larger than a limit is still accepted alone, in an empty queue or in a batch of its own. Raises
    ValueError for a limit below 1.
    """

    queue_items: int
    queue_size: int
    batch_items: int
    batch_size: int

    def __post_init__(self) -> None:
        for limit in fields(self):
            if getattr(self, limit.name) < 1:
                raise ValueError(f"{limit.name} must be 1 or more, not {getattr(self, limit.name)}")


@dataclass(frozen=True)
class Ran(Generic[Key]):
    """Record of one call of the device, for observers.

    key: key of the batch. waits: seconds that each item waited, oldest first. size: sum of the item sizes. seconds:
    duration of the call. failed: whether the call raised an error; after a failed batch, each of its items runs alone.
    """

    key: Key
    waits: tuple[float, ...]
    size: int
    seconds: float
    failed: bool


def _ignore(_: Ran[Key]) -> None:
    """Do nothing; the default observer."""


def _check(batch: Sequence[Waiter[Key, Item, Result]]) -> None:
    """In the thread of a batch, raise Abandoned or a cancellation if the batch should end."""
    from_thread.check_cancelled()
    if all(waiter.left for waiter in batch):
        raise Abandoned("every caller has left")


class Batcher(Generic[Key, Item, Result]):
    """Runs items on one device, in batches of equal keys.

    A batch has the key of the oldest item, so that no key starves. It contains items of that key in the order of their
    arrival, as many as the limits allow.

    Args:
        run: runs one batch, given its key and items, and returns a result for each item in order. It blocks a worker
            thread. Its third argument is a function for long batches to call now and then. It raises Abandoned once
            every caller has left, and a cancellation once the block of `serving` is canceled.
        limits: limits of the queue and of a batch.
        threads: number of batches that run at once.
        observe: called in the event loop after each call of `run`; it must not raise.
        clock: returns seconds, monotonic.
    """

    def __init__(
        self,
        run: Callable[[Key, Sequence[Item], Callable[[], None]], Sequence[Result]],
        limits: Limits,
        *,
        threads: int = 1,
        observe: Callable[[Ran[Key]], None] = _ignore,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._run = run
        self._limits = limits
        self._observe = observe
        self._clock = clock
        self._threads = threads
        self._limiter = CapacityLimiter(threads)
        self._numbers = count()
        self._waiting: dict[int, Waiter[Key, Item, Result]] = {}  # oldest first
        self._waiting_size = 0
        self._changed = Event()
        self._open = False

    @property
    def waiting(self) -> int:
        """Number of queued items that have not started."""
        return len(self._waiting)

    @property
    def waiting_size(self) -> int:
        """Sum of the sizes of the queued items that have not started."""
        return self._waiting_size

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """Serve the queue for the length of the block; leaving the block rejects new items and finishes queued ones.

        If leaving is canceled, the batches on the device end where they check, or else finish. Every other item raises
        Closed. Raises RuntimeError if the queue is served already.
        """
        if self._open:
            raise RuntimeError("the queue is served already")
        self._open = True
        async with anyio.create_task_group() as tasks:
            for _ in range(self._threads):
                tasks.start_soon(self._serve)
            try:
                yield
            finally:
                self._open = False
                self._changed.set()

    async def submit(self, key: Key, item: Item, size: int = 1, *, timeout: float = math.inf) -> Result:
        """Queue `item` and return its result. Cancellation removes the item, or ends a batch that nobody waits for.

        Args:
            key: items of equal keys may share a batch.
            size: 0 or more, in the unit of the limits.
            timeout: seconds that the item may wait for its start.

        Raises:
            Full: the queue has no room for the item; raised at once.
            Expired: the item did not start in time.
            Closed: nothing serves the queue, or the queue closed before the item finished.
            ValueError: the size is negative.
            Also every error that `run` raises for this item alone.
        """
        self._check(size)
        waiter: Waiter[Key, Item, Result] = Waiter(key, item, size, self._clock())
        number = self._join(waiter)
        if timeout < math.inf:
            waiter.call_unless_started(timeout, partial(self._expire, number, timeout))
        try:
            return await waiter.outcome()
        finally:
            waiter.leave()
            if number in self._waiting:
                self._remove(number)

    def _check(self, size: int) -> None:
        if size < 0:
            raise ValueError(f"size must be 0 or more, not {size}")
        if not self._open:
            raise Closed("the queue is not served")
        if not self._waiting:
            return
        if self.waiting >= self._limits.queue_items:
            raise Full(f"{self.waiting} items are waiting already")
        if self._waiting_size + size > self._limits.queue_size:
            raise Full(f"items of size {self._waiting_size} are waiting already; there is no room for {size} more")

    def _join(self, waiter: Waiter[Key, Item, Result]) -> int:
        """Put `waiter` at the end of the queue, and return its number there."""
        number = next(self._numbers)
        self._waiting[number] = waiter
        self._waiting_size += waiter.size
        self._changed.set()
        return number

    def _expire(self, number: int, timeout: float) -> None:
        """Settle an item that no batch has taken in time."""
        self._remove(number).fail(Expired(f"not started within {timeout:g} seconds"))

    def _remove(self, number: int) -> Waiter[Key, Item, Result]:
        waiter = self._waiting.pop(number)
        self._waiting_size -= waiter.size
        return waiter

    async def _serve(self) -> None:
        """Run batches until the block of `serving` ends and the queue is empty; settle every waiter in any case."""
        batch: Sequence[Waiter[Key, Item, Result]] = ()
        try:
            while await self._has_work():
                batch = self._next_batch()
                await self._settle(batch)
                batch = ()
        finally:
            self._open = False
            for waiter in (*batch, *self._waiting.values()):
                if not waiter.is_settled:
                    waiter.fail(Closed("the queue closed before the item finished"))

    async def _has_work(self) -> bool:
        """Wait for an item; return False once the queue is closed and empty."""
        while self._open and not self._waiting:
            if self._changed.is_set():
                self._changed = Event()
            await self._changed.wait()
        return bool(self._waiting)

    def _next_batch(self) -> list[Waiter[Key, Item, Result]]:
        """Remove the oldest item, and items of its key up to the first that does not fit, from the queue."""
        oldest = next(iter(self._waiting.values()))
        numbers: list[int] = []
        size = 0
        for number, waiter in self._waiting.items():
            if waiter.key == oldest.key:
                size += waiter.size
                if numbers and (len(numbers) == self._limits.batch_items or size > self._limits.batch_size):
                    break
                numbers.append(number)
        return [self._remove(number) for number in numbers]

    async def _settle(self, batch: Sequence[Waiter[Key, Item, Result]]) -> None:
        """Run a batch; if it fails, run its items one by one, so that an error affects only the item that causes it."""
        for waiter in batch:
            waiter.start()
        error = await self._attempt(batch)
        if error is None:
            return
        if len(batch) == 1:
            batch[0].fail(error)
            return
        for waiter in batch:
            if not waiter.left:
                await self._settle([waiter])

    async def _attempt(self, batch: Sequence[Waiter[Key, Item, Result]]) -> Exception | None:
        """Run a batch and settle its waiters, or return the error that it raised."""
        key, items = batch[0].key, [waiter.item for waiter in batch]
        started = self._clock()
        error: Exception | None = None
        try:
            # A worker thread is shielded from cancellation, so that a started batch settles its waiters.
            run = partial(self._run_checked, key, items, partial(_check, batch))
            results = await anyio.to_thread.run_sync(run, limiter=self._limiter)
        except Exception as raised:
            error = raised
        else:
            for waiter, result in zip(batch, results, strict=True):
                waiter.succeed(result)
        waits = tuple(started - waiter.since for waiter in batch)
        size = sum(waiter.size for waiter in batch)
        self._observe(Ran(key, waits, size, self._clock() - started, error is not None))
        return error

    def _run_checked(self, key: Key, items: Sequence[Item], check: Callable[[], None]) -> Sequence[Result]:
        results = self._run(key, items, check)
        if len(results) != len(items):
            raise RuntimeError(f"the batch function returned {len(results)} results for {len(items)} items")
        return results
