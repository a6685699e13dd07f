"""Pauses in long work. Whoever runs the work decides what a pause does: give other work a turn, or end this work.

The hook belongs to the context of a thread, as the inference mode of torch does. So no function between the runner and
a loop has to hand it down.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar


def _go_on() -> None:
    """Do nothing; what a pause does where nobody decided."""


_at_pause: ContextVar[Callable[[], None]] = ContextVar("at_pause", default=_go_on)


def pause() -> None:
    """Mark the end of a part of long work: a tile, a band or a step. The work continues or ends with an error.

    Raises whatever the hook raises, so no state may be left half-changed.
    """
    _at_pause.get()()


@contextmanager
def at_each_pause(hook: Callable[[], None]) -> Iterator[None]:
    """Call `hook` at each pause of the work in the block. It runs in the thread of the work and may block or raise."""
    token = _at_pause.set(hook)
    try:
        yield
    finally:
        _at_pause.reset(token)
