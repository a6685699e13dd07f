"""Turns of threads on one device: long work runs part by part, between the parts of other work."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass(eq=False)
class _Place:
    """Place of a thread in the line."""

    heavy: bool
    called: threading.Event = field(default_factory=threading.Event)


class Turns:
    """Lets a few threads run at once; the others wait in line, first come, first served.

    A thread with long work gives way after each part of it: it goes to the end of the line. Threads with heavy work
    never take all places, so that other work need not wait for the end of a part of theirs.

    Args:
        most: number of threads that run at once.
        most_heavy: number of threads among them that may do heavy work.
    """

    def __init__(self, most: int, most_heavy: int) -> None:
        self._free = most
        self._free_of_heavy = most_heavy
        self._line: list[_Place] = []
        self._lock = threading.Lock()

    @property
    def waiting(self) -> int:
        """Number of threads in line."""
        return len(self._line)

    @contextmanager
    def turn(self, *, heavy: bool) -> Iterator[Callable[[], None]]:
        """Wait in line, then run the block. Yields a function that gives way: it returns with the next turn."""
        self._wait(heavy)
        try:
            yield lambda: self._give_way(heavy)
        finally:
            with self._lock:
                self._free_one(heavy)

    def _wait(self, heavy: bool) -> None:
        with self._lock:
            place = self._join(heavy)
        place.called.wait()

    def _give_way(self, heavy: bool) -> None:
        with self._lock:
            if not self._line:
                return
            place = self._join(heavy)  # before the turn ends, which may call this thread again
            self._free_one(heavy)
        place.called.wait()

    def _join(self, heavy: bool) -> _Place:
        place = _Place(heavy)
        self._line.append(place)
        self._call()
        return place

    def _free_one(self, heavy: bool) -> None:
        self._free += 1
        self._free_of_heavy += heavy
        self._call()

    def _call(self) -> None:
        """Call everyone for whom there is a place, in the order of the line."""
        for place in tuple(self._line):
            if self._free and (self._free_of_heavy or not place.heavy):
                self._line.remove(place)
                self._free -= 1
                self._free_of_heavy -= place.heavy
                place.called.set()
