"""An item that waits in the queue of a device, until its batch settles it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar

Key = TypeVar("Key")
Item = TypeVar("Item")
Result = TypeVar("Result")


class Waiter(Generic[Key, Item, Result]):
    """An item in a queue and its outcome. Its caller wakes once, when the item is settled.

    Args:
        key, item: see `Batcher.submit`.
        size: 0 or more, in the unit of the queue's limits.
        since: time of its arrival, in seconds of the queue's clock.
    """

    def __init__(self, key: Key, item: Item, size: int, since: float) -> None:
        self.key, self.item, self.size, self.since = key, item, size, since
        self.left = False
        """Whether its caller waits no more."""
        self._loop = asyncio.get_running_loop()
        self._settled = self._loop.create_future()
        self._patience: asyncio.TimerHandle | None = None
        self._results: list[Result] = []
        self._error: Exception | None = None

    @property
    def is_settled(self) -> bool:
        """Whether the item has an outcome, or its caller has left."""
        return self._settled.done()

    def call_unless_started(self, seconds: float, expire: Callable[[], None]) -> None:
        """Call `expire` after so many seconds, unless the item has started or its caller has left before."""
        self._patience = self._loop.call_later(seconds, expire)

    def start(self) -> None:
        """Note that a batch has taken the item, which then expires no more."""
        if self._patience:
            self._patience.cancel()
            self._patience = None

    def leave(self) -> None:
        """Note that the caller waits no more."""
        self.left = True
        self.start()

    def succeed(self, result: Result) -> None:
        """Settle the item with its result."""
        self._results.append(result)
        self._wake()

    def fail(self, error: Exception) -> None:
        """Settle the item with an error, also one that was never started."""
        self._error = error
        self._wake()

    async def outcome(self) -> Result:
        """Wait until the item is settled; return its result, or raise its error."""
        await self._settled
        if self._error is not None:
            raise self._error
        return self._results[0]

    def _wake(self) -> None:
        self.start()  # no item expires after its outcome
        if not self._settled.done():  # as after a cancellation
            self._settled.set_result(None)
