"""Processes beside the service for long work, so that it takes no time from other requests and can be ended."""

from __future__ import annotations

import multiprocessing
import os
import signal
import traceback
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Protocol, TypeVar, TypeVarTuple, cast

import anyio
from anyio import BrokenWorkerProcess, CapacityLimiter, to_thread

from models.errors import ColorCNNError
from service.runtime.memory import limit_arenas

Result = TypeVar("Result")
Arguments = TypeVarTuple("Arguments")

_NICENESS = 10
_OOM_SCORE = Path("/proc/self/oom_score_adj")  # Linux: from -1000 to 1000, the highest is killed first
_EARLIER_KILL = 500


class WorkFailed(Exception):
    """A function raised what nobody foresaw; the message is the traceback in the worker."""


class Run(Protocol):
    """Runs `function(*args)` somewhere else and returns its result, or raises its error."""

    async def __call__(self, function: Callable[[*Arguments], Result], *args: *Arguments) -> Result:
        """`function` and everything that goes in and out can be pickled."""


class WorkerProcess:
    """Runs one function at a time, all in one process that starts with the first and ends with `end` or the service.

    A caller that is cancelled kills the process in the middle of its work, and the next call starts another: memory,
    time and crashes (anyio.BrokenWorkerProcess) stay the affair of one call.
    """

    def __init__(self) -> None:
        self._free = anyio.Lock()
        self._thread = CapacityLimiter(1)
        self._worker: _Worker | None = None

    async def __call__(self, function: Callable[[*Arguments], Result], *args: *Arguments) -> Result:
        """Run `function(*args)` there. Raises its ColorCNNError, WorkFailed for others, or BrokenWorkerProcess."""
        async with self._free:
            with suppress(BrokenWorkerProcess):  # it died since its last work, which is nobody's fault now
                await self._ask(os.getpid)
            outcome = await self._ask(function, *args)
        if isinstance(outcome, _Failure):
            raise outcome.error
        return outcome

    async def end(self) -> None:
        """End the process, if there is one; a later call starts another."""
        await self._kill()

    async def _ask(self, function: Callable[[*Arguments], Result], *args: *Arguments) -> Result | _Failure:
        """Have the process call a function. It survives nothing but an outcome."""
        try:
            worker = await self._started()
            return await to_thread.run_sync(worker.ask, function, *args, abandon_on_cancel=True, limiter=self._thread)
        except (EOFError, OSError) as error:
            await self._kill()
            raise BrokenWorkerProcess from error
        except anyio.get_cancelled_exc_class():
            await self._kill()
            raise

    async def _started(self) -> _Worker:
        """The process, which is not lost sight of when its start is cancelled."""
        if self._worker:
            return self._worker
        with anyio.CancelScope(shield=True):
            worker = await to_thread.run_sync(_Worker, limiter=self._thread)
            self._worker = worker
        return worker

    async def _kill(self) -> None:
        worker, self._worker = self._worker, None
        if worker:
            worker.kill()  # before anything is awaited: at the end of the service, nobody may come back here
            with anyio.CancelScope(shield=True):
                await to_thread.run_sync(worker.join)


class _Failure:
    """In place of a result: the error that a function raised."""

    def __init__(self, error: Exception) -> None:
        self.error = error


class _Worker:
    """A process and the pipe to it."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs,), daemon=True)
        self._process.start()
        theirs.close()  # so that there is an end to read when the process has died

    def ask(self, function: Callable[[*Arguments], Result], *args: *Arguments) -> Result | _Failure:
        """The outcome of `function(*args)`; raises EOFError or OSError when the process dies."""
        self._pipe.send((function, args))
        return cast("Result | _Failure", self._pipe.recv())

    def kill(self) -> None:
        """End it; who waits for an outcome meets the end of the pipe. Does not block."""
        self._process.kill()

    def join(self) -> None:
        """Wait until it has ended."""
        self._process.join()


def _serve(pipe: Connection[Any, tuple[Callable[..., object], tuple[object, ...]]]) -> None:
    """Call functions until the service closes its end of the pipe, be it by its death."""
    limit_arenas()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches both; the service ends this one when it is done
    os.nice(_NICENESS)
    os.environ["OMP_NUM_THREADS"] = "1"
    with suppress(OSError):  # not Linux; else a machine without memory shall take this process and not the service
        _OOM_SCORE.write_text(str(min(1000, int(_OOM_SCORE.read_text()) + _EARLIER_KILL)))
    with suppress(EOFError, BrokenPipeError):
        while True:
            function, args = pipe.recv()
            _respond(pipe, function, args)


def _respond(pipe: Connection[Any, Any], function: Callable[..., object], args: tuple[object, ...]) -> None:
    """Errors of ours cross the border as they are; of others it is not known whether they can."""
    try:
        pipe.send(function(*args))
    except ColorCNNError as error:
        pipe.send(_Failure(error))
    except Exception:
        pipe.send(_Failure(WorkFailed(traceback.format_exc())))
