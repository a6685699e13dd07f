"""A queue in front of one device: what gathers while the device is busy goes next, in batches of one kind.

The semantics are those of NVIDIA Triton's dynamic batcher without its optional delay: an item waits for the device and
never for company. What the items are, and what is done with them, is the caller's.
"""

from __future__ import annotations

import math
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, fields
from itertools import count
from typing import Generic, TypeVar

import anyio
from anyio import CapacityLimiter, Event

Key = TypeVar("Key")
Item = TypeVar("Item")
Result = TypeVar("Result")


class Full(Exception):
    """The queue holds as much as it may; nothing was queued."""


class Expired(Exception):
    """The item waited for the device as long as it was allowed to; it was not started."""


class Closed(Exception):
    """Nothing serves the queue, or it ended before the item's turn; the item was not started, or not finished."""


@dataclass(frozen=True)
class Limits:
    """How much may wait, and how much goes together; each at least 1, or ValueError.

    queue_items, queue_size: of all that waits, in items and as the sum of their sizes. batch_items, batch_size: of one
    batch. An item that is larger than a size allows is taken where nothing else is: alone in the queue or in a batch.
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
    """One call of the device, for whoever counts them.

    key: of the batch. waits: seconds that each item had waited, oldest first. size: the sum of the items' sizes.
    seconds: that the call took. failed: whether it raised; a batch that did is followed by a call for each item.
    """

    key: Key
    waits: tuple[float, ...]
    size: int
    seconds: float
    failed: bool


@dataclass(eq=False)
class _Waiter(Generic[Key, Item, Result]):
    """An item and what became of it; exactly one of `results` and `error` is set once it is settled."""

    key: Key
    item: Item
    size: int
    since: float
    started: Event = field(default_factory=Event)
    settled: Event = field(default_factory=Event)
    results: list[Result] = field(default_factory=list)
    error: Exception | None = None
    left: bool = False

    def succeed(self, result: Result) -> None:
        self.results.append(result)
        self.settled.set()

    def fail(self, error: Exception) -> None:
        self.error = error
        self.started.set()
        self.settled.set()

    def outcome(self) -> Result:
        if self.error is not None:
            raise self.error
        return self.results[0]


def _ignore(_: Ran[Key]) -> None:
    """In place of an observer."""


class Batcher(Generic[Key, Item, Result]):
    """Runs items on one device, those of equal keys together, oldest first.

    Each batch is of the key of the oldest item, so no key starves, and holds the items of that key in their order, as
    many as the limits allow.

    Args:
        run: does one batch, given its key and items, and returns a result for each in their order. It blocks, in a
            worker thread, and is never called twice at a time.
        limits: of the queue and of a batch.
        observe: called in the event loop after each call of `run`; it must not raise.
        clock: seconds, monotonic.
    """

    def __init__(
        self,
        run: Callable[[Key, Sequence[Item]], Sequence[Result]],
        limits: Limits,
        *,
        observe: Callable[[Ran[Key]], None] = _ignore,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._run = run
        self._limits = limits
        self._observe = observe
        self._clock = clock
        self._thread = CapacityLimiter(1)
        self._numbers = count()
        self._waiting: dict[int, _Waiter[Key, Item, Result]] = {}  # oldest first
        self._waiting_size = 0
        self._running: Sequence[_Waiter[Key, Item, Result]] = ()
        self._changed = Event()
        self._open = False

    @property
    def waiting(self) -> int:
        """Items that are queued and not started."""
        return len(self._waiting)

    @property
    def waiting_size(self) -> int:
        """The sum of the sizes of the items that are queued and not started."""
        return self._waiting_size

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """Serve for the length of the block; leaving it refuses new items and finishes all that were taken.

        Where that is cancelled, the batch on the device is still finished and answered, and the rest gets Closed.
        """
        if self._open:
            raise RuntimeError("the queue is served already")
        self._open = True
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._serve)
            try:
                yield
            finally:
                self._open = False
                self._changed.set()

    async def submit(self, key: Key, item: Item, size: int = 1, *, timeout: float = math.inf) -> Result:
        """The result of `run` for `item`. Being cancelled takes it out of the queue, or leaves its result unread.

        Args:
            key: what it takes to go together; only compared with others.
            size: 0 or more, in the unit of the limits; ValueError otherwise.
            timeout: seconds that it may wait for its start; what has started is finished.

        Raises:
            Full: at once, the queue has no room for it. Expired: it did not start in time. Closed: nothing serves the
            queue, or it ended before the item did. Also whatever `run` raises for this item alone.
        """
        self._check(size)
        waiter: _Waiter[Key, Item, Result] = _Waiter(key, item, size, self._clock())
        with self._queued(waiter):
            with anyio.move_on_after(timeout):
                await waiter.started.wait()
            if not waiter.started.is_set():
                raise Expired(f"not started within {timeout:g} seconds")
            await waiter.settled.wait()
        return waiter.outcome()

    def _check(self, size: int) -> None:
        if size < 0:
            raise ValueError(f"size must be 0 or more, not {size}")
        if not self._open:
            raise Closed("the queue is not served")
        if not self._waiting:
            return
        if self.waiting >= self._limits.queue_items:
            raise Full(f"{self.waiting} items wait already")
        if self._waiting_size + size > self._limits.queue_size:
            raise Full(f"items of size {self._waiting_size} wait already, and {size} more are too much")

    @contextmanager
    def _queued(self, waiter: _Waiter[Key, Item, Result]) -> Iterator[None]:
        """Have `waiter` in the queue until it is started or its task leaves the block, for whatever reason."""
        number = next(self._numbers)
        self._waiting[number] = waiter
        self._waiting_size += waiter.size
        self._changed.set()
        try:
            yield
        finally:
            waiter.left = True
            if number in self._waiting:
                self._remove(number)

    def _remove(self, number: int) -> _Waiter[Key, Item, Result]:
        waiter = self._waiting.pop(number)
        self._waiting_size -= waiter.size
        return waiter

    async def _serve(self) -> None:
        """Run batches until the block of `serving` has ended and nothing waits. Whatever ends it, nobody hangs."""
        try:
            while await self._has_work():
                self._running = self._next_batch()
                await self._settle(self._running)
                self._running = ()
        finally:
            self._open = False
            for waiter in (*self._running, *self._waiting.values()):
                if not waiter.settled.is_set():
                    waiter.fail(Closed("the queue ended before the item was done"))

    async def _has_work(self) -> bool:
        """Wait for an item; False when there will be no more."""
        while self._open and not self._waiting:
            self._changed = Event()
            await self._changed.wait()
        return bool(self._waiting)

    def _next_batch(self) -> list[_Waiter[Key, Item, Result]]:
        """Take the oldest item, and those of its key up to the first that does not fit, out of the queue."""
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

    async def _settle(self, batch: Sequence[_Waiter[Key, Item, Result]]) -> None:
        """Run a batch; if it fails, each of its items alone, so that only those that are to blame fail."""
        for waiter in batch:
            waiter.started.set()
        error = await self._attempt(batch)
        if error is None:
            return
        if len(batch) == 1:
            batch[0].fail(error)
            return
        for waiter in batch:
            if not waiter.left:
                await self._settle([waiter])

    async def _attempt(self, batch: Sequence[_Waiter[Key, Item, Result]]) -> Exception | None:
        """Run a batch and hand out its results, or return what it raised."""
        key, items = batch[0].key, [waiter.item for waiter in batch]
        started = self._clock()
        error: Exception | None = None
        try:
            # Shielded from cancellation, so that a batch that was started is answered.
            results = await anyio.to_thread.run_sync(self._run_checked, key, items, limiter=self._thread)
        except Exception as raised:
            error = raised
        else:
            for waiter, result in zip(batch, results, strict=True):
                waiter.succeed(result)
        waits = tuple(started - waiter.since for waiter in batch)
        size = sum(waiter.size for waiter in batch)
        self._observe(Ran(key, waits, size, self._clock() - started, error is not None))
        return error

    def _run_checked(self, key: Key, items: Sequence[Item]) -> Sequence[Result]:
        results = self._run(key, items)
        if len(results) != len(items):
            raise RuntimeError(f"the batch function gave {len(results)} results for {len(items)} items")
        return results
