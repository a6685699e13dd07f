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
    """Admits at most `limit` requests at a time; the next request is rejected at once."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._tickets: set[Ticket] = set()

    @property
    def in_flight(self) -> int:
        """Number of admitted requests."""
        return len(self._tickets)

    def check(self) -> None:
        """Raise QueueFull if another request would be rejected."""
        if self.in_flight >= self._limit:
            raise QueueFull(f"{self.in_flight} requests are in flight already.")

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
    """A block that may take so long, waiting included; then OutOfTime, but not before a step in a thread has ended."""
    try:
        with anyio.fail_after(seconds):
            yield
    except TimeoutError:
        raise OutOfTime(
            f"The image had {seconds:g} seconds, waiting included. Send a smaller one, or try again later."
        ) from None


class DecodeSlot:
    """One of the places for decoded pixels; the wait for it counts as queue."""

    def __init__(self, slots: CapacityLimiter) -> None:
        self._decode_slots = slots

    async def __aenter__(self) -> None:
        with timing.measure("queue"):
            await self._decode_slots.acquire_on_behalf_of(self)

    async def __aexit__(self, *_: object) -> None:
        self._decode_slots.release_on_behalf_of(self)


@dataclass
class Reservation:
    """The pixels that one request holds."""

    pixels: int
    _give_back: Callable[[int], None]

    def shrink(self, pixels: int) -> None:
        """Hold no more than `pixels`, and give the rest back."""
        if pixels < self.pixels:
            self._give_back(self.pixels - pixels)
            self.pixels = pixels


class PixelBudget:
    """Memory for decoded pixels. Who comes first is served first, so that a large image is not passed for ever."""

    def __init__(self, pixels: int) -> None:
        self._free = pixels
        self._waiting: deque[tuple[int, Event]] = deque()

    @property
    def waiting(self) -> int:
        """How many wait for room."""
        return len(self._waiting)

    @asynccontextmanager
    async def reserve(self, pixels: int) -> AsyncIterator[Reservation]:
        """Hold room for `pixels` in the block, at most as many as there are; the wait for it counts as queue."""
        with timing.measure("queue"):
            await self._take(pixels)
        reservation = Reservation(pixels, self._give_back)
        try:
            yield reservation
        finally:
            reservation.shrink(0)

    async def _take(self, pixels: int) -> None:
        granted = Event()
        self._waiting.append((pixels, granted))
        self._grant()
        try:
            await granted.wait()
        except anyio.get_cancelled_exc_class():
            if granted.is_set():
                self._give_back(pixels)
            else:
                self._waiting.remove((pixels, granted))
                self._grant()
            raise

    def _give_back(self, pixels: int) -> None:
        self._free += pixels
        self._grant()

    def _grant(self) -> None:
        while self._waiting and self._waiting[0][0] <= self._free:
            pixels, granted = self._waiting.popleft()
            self._free -= pixels
            granted.set()
