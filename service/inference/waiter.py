"""An item that waits in the queue of a device, until its batch settles it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Generic, TypeVar

from anyio import Event

Key = TypeVar("Key")
Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(eq=False)
class Waiter(Generic[Key, Item, Result]):
    """An item in a queue and its outcome. Once it is settled, exactly one of `results` and `error` is set.

    size: 0 or more, in the unit of the queue's limits. since: time of its arrival, in seconds of the queue's clock.
    started: set when a batch has taken it. left: whether its caller waits no more.
    """

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
        """Settle the item with its result."""
        self.results.append(result)
        self.settled.set()

    def fail(self, error: Exception) -> None:
        """Settle the item with an error, also one that was never started."""
        self.error = error
        self.started.set()
        self.settled.set()

    def outcome(self) -> Result:
        """Return the result of a settled item, or raise its error."""
        if self.error is not None:
            raise self.error
        return self.results[0]
