"""Admission of requests: how many may be in flight, for how long, and how many decoded pixels they may hold."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass

import anyio
from anyio import CapacityLimiter, Event

from service.errors import OutOfTime, QueueFull
from service.runtime import timing


class Ticket:
    """Admission of one request, which counts as in flight until the ticket is released."""

    def __init__(self, in_flight: set[Ticket]) -> None:
        self._in_flight = in_flight
        in_flight.add(self)

    def release(self) -> None:
        """Make room for another request; a second call does nothing."""
        self._in_flight.discard(self)


class Admission:
    """Admits at most `limit` requests at a time; the next request is rejected at once.

    what: name of the requests in the rejection.
    """

    def __init__(self, limit: int, what: str = "requests") -> None:
        self._limit = limit
        self._what = what
        self._tickets: set[Ticket] = set()

    @property
    def in_flight(self) -> int:
        """Number of admitted requests."""
        return len(self._tickets)

    def check(self) -> None:
        """Raise QueueFull if another request would be rejected."""
        if self.in_flight >= self._limit:
            raise QueueFull(f"{self.in_flight} {self._what} are in flight already.")

    @contextmanager
    def admit(self) -> Iterator[Ticket]:
        """Admit a request for the length of the block, or until its ticket is released. Raise QueueFull if full."""
        self.check()
        ticket = Ticket(self._tickets)
        try:
            yield ticket
        finally:
            ticket.release()


@contextmanager
def in_time(seconds: float) -> Iterator[None]:
    """Limit the time of a block, waiting included.

    Raises OutOfTime when the time is over; a step in a worker thread ends first, at its next pause.
    """
    with anyio.move_on_after(seconds) as scope:
        yield
    if scope.cancelled_caught:
        raise OutOfTime(f"The image had {seconds:g} seconds, waiting included. Send a smaller one, or try again later.")


class DecodeSlot:
    """Right to hold the decoded pixels of one request, for the length of a block. The wait counts as queue."""

    def __init__(self, slots: CapacityLimiter) -> None:
        self._slots = slots

    async def __aenter__(self) -> None:
        with timing.measure("queue"):
            await self._slots.acquire_on_behalf_of(self)

    async def __aexit__(self, *_: object) -> None:
        self._slots.release_on_behalf_of(self)


@dataclass
class Reservation:
    """Pixels of the budget that one request has reserved."""

    pixels: int
    _release: Callable[[int], None]

    def shrink(self, pixels: int) -> None:
        """Keep at most `pixels`, and release the rest."""
        if pixels < self.pixels:
            self._release(self.pixels - pixels)
            self.pixels = pixels


class PixelBudget:
    """Decoded pixels that fit into memory. Requests get reservations in order, so that no larger image starves.

    Large images have an order of their own. They leave a part of the budget to the others, which do not wait for them.

    Args:
        pixels: the whole budget.
        reserved: the part that large images never get.
    """

    def __init__(self, pixels: int, reserved: int = 0) -> None:
        self._free = pixels
        self._reserved = reserved
        self._waiting: deque[tuple[int, Event]] = deque()
        self._large_waiting: deque[tuple[int, Event]] = deque()

    @property
    def waiting(self) -> int:
        """Number of requests that wait for a reservation."""
        return len(self._waiting) + len(self._large_waiting)

    @asynccontextmanager
    async def reserve(self, pixels: int, *, large: bool = False) -> AsyncIterator[Reservation]:
        """Reserve `pixels`, at most the budget of such images, for the length of the block. The wait counts as queue.

        large: whether the image is a large one.
        """
        if not self._take(pixels, large=large):
            with timing.measure("queue"):
                await self._acquire(pixels, self._large_waiting if large else self._waiting)
        reservation = Reservation(pixels, self._release)
        try:
            yield reservation
        finally:
            reservation.shrink(0)

    def _take(self, pixels: int, *, large: bool) -> bool:
        """Take the pixels at once, and return True, where they are free and nobody else waits for some."""
        free = self._free - (self._reserved if large else 0)
        if (self._large_waiting if large else self._waiting) or pixels > free:
            return False
        self._free -= pixels
        return True

    async def _acquire(self, pixels: int, line: deque[tuple[int, Event]]) -> None:
        granted = Event()
        line.append((pixels, granted))
        self._grant()
        try:
            await granted.wait()
        except anyio.get_cancelled_exc_class():
            if granted.is_set():
                self._release(pixels)
            else:
                line.remove((pixels, granted))
                self._grant()
            raise

    def _release(self, pixels: int) -> None:
        self._free += pixels
        self._grant()

    def _grant(self) -> None:
        for line, reserved in ((self._waiting, 0), (self._large_waiting, self._reserved)):
            while line and line[0][0] <= self._free - reserved:
                pixels, granted = line.popleft()
                self._free -= pixels
                granted.set()
