"""One process beside the service for long work, so that it takes no time from the requests in between."""

from __future__ import annotations

import os
import signal
import traceback
from collections.abc import Callable
from functools import cache
from typing import Protocol, TypeVar, TypeVarTuple

import anyio
from anyio import BrokenWorkerProcess, to_process

from models.errors import ColorCNNError

Result = TypeVar("Result")
Arguments = TypeVarTuple("Arguments")

_NICENESS = 10
_STDERR = 2


class WorkFailed(Exception):
    """A function raised what nobody foresaw; the message is the traceback in the worker."""


class Run(Protocol):
    """Runs `function(*args)` somewhere else and returns its result, or raises its error."""

    async def __call__(self, function: Callable[[*Arguments], Result], *args: *Arguments) -> Result:
        """`function` and everything that goes in and out can be pickled."""


class WorkerProcess:
    """Runs one function at a time, all in one process that starts with the first and ends with the event loop.

    A caller that is cancelled kills the process in the middle of its work, and the next call starts another: memory,
    time and crashes (anyio.BrokenWorkerProcess) stay the affair of one call.
    """

    def __init__(self) -> None:
        self._free = anyio.Lock()

    async def __call__(self, function: Callable[[*Arguments], Result], *args: *Arguments) -> Result:
        """Run `function(*args)` there. Raises its ColorCNNError, WorkFailed for others, or BrokenWorkerProcess."""
        async with self._free:
            await _start()
            return await to_process.run_sync(_work, function, args, cancellable=True)


async def _start() -> None:
    """Have a process that is settled. anyio loses sight of one that is cancelled while it starts, hence the shield."""
    with anyio.CancelScope(shield=True):
        try:
            await to_process.run_sync(_settle)
        except BrokenWorkerProcess:  # it died since its last work, which is nobody's fault now
            await to_process.run_sync(_settle)


@cache
def _settle() -> None:
    """Make this process a good neighbour, before it imports anything large."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches both; the service ends this one when it is done
    os.nice(_NICENESS)
    os.environ["OMP_NUM_THREADS"] = "1"
    # Nobody reads what anyio pipes stderr into, so the warnings of libraries would fill it and then hang the process.
    os.dup2(os.open(os.devnull, os.O_WRONLY), _STDERR)


def _work(function: Callable[[*Arguments], Result], args: tuple[*Arguments]) -> Result:
    """Errors of ours cross the border as they are; of others it is not known whether they can."""
    try:
        return function(*args)
    except ColorCNNError:
        raise
    except Exception:
        raise WorkFailed(traceback.format_exc()) from None
