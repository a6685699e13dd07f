"""Worker processes for long work. Work in a process delays no other request and can be killed."""

from __future__ import annotations

import multiprocessing
import os
import signal
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing import resource_tracker
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
    """A function raised an unexpected error; the message is the traceback in the worker."""


class Run(Protocol):
    """Runs `function(*args)` elsewhere, and returns its result or raises its error."""

    async def __call__(self, function: Callable[[*Arguments], Result], *args: *Arguments) -> Result:
        """Run a function; the function, its arguments and its result must be picklable."""


class WorkerProcess:
    """Runs functions one at a time in one process, which the first call starts and `end` kills.

    Canceling a call kills the process in the middle of its work; the next call starts another process. Memory, time
    and crashes (anyio.BrokenWorkerProcess) therefore affect one call only.
    """

    def __init__(self) -> None:
        self._free = anyio.Lock()
        self._thread = CapacityLimiter(1)
        self._worker: _Worker | None = None

    async def __call__(self, function: Callable[[*Arguments], Result], *args: *Arguments) -> Result:
        """Run `function(*args)` in the process.

        Raises the ColorCNNError of the function, WorkFailed for any other error, or BrokenWorkerProcess.
        """
        async with self._free:
            with suppress(BrokenWorkerProcess):  # the process died after its last call, which is no error of this call
                await self._call(os.getpid)
            outcome = await self._call(function, *args)
        if isinstance(outcome, _Failure):
            raise outcome.error
        return outcome

    async def end(self) -> None:
        """Kill the process, if there is one; a later call starts another."""
        await self._kill()

    async def _call(self, function: Callable[[*Arguments], Result], *args: *Arguments) -> Result | _Failure:
        """Call a function in the process; kill the process unless the call has an outcome."""
        try:
            worker = await self._started()
            return await to_thread.run_sync(worker.call, function, *args, abandon_on_cancel=True, limiter=self._thread)
        except (EOFError, OSError) as error:
            await self._kill()
            raise BrokenWorkerProcess from error
        except anyio.get_cancelled_exc_class():
            await self._kill()
            raise

    async def _started(self) -> _Worker:
        """Return the process, and start it if necessary; a canceled start still registers the process."""
        if self._worker:
            return self._worker
        with anyio.CancelScope(shield=True):
            worker = await to_thread.run_sync(_Worker, limiter=self._thread)
            self._worker = worker
        return worker

    async def _kill(self) -> None:
        worker, self._worker = self._worker, None
        if worker:
            worker.kill()  # before the first await: at shutdown, control may never return here
            with anyio.CancelScope(shield=True):
                await to_thread.run_sync(worker.join)


class _Failure:
    """Outcome of a function that raised an error."""

    def __init__(self, error: Exception) -> None:
        self.error = error


class _Worker:
    """A process and the pipe to it."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, child_pipe = context.Pipe()
        self._process = context.Process(target=_serve, args=(child_pipe,), daemon=True)
        with _without_ctrl_c():
            self._process.start()
        child_pipe.close()  # otherwise the pipe would not end when the process dies

    def call(self, function: Callable[[*Arguments], Result], *args: *Arguments) -> Result | _Failure:
        """Return the outcome of `function(*args)`. Raises EOFError or OSError when the process dies."""
        self._pipe.send((function, args))
        return cast("Result | _Failure", self._pipe.recv())

    def kill(self) -> None:
        """Kill the process without blocking; a pending `call` raises EOFError or OSError."""
        self._process.kill()

    def join(self) -> None:
        """Wait until the process has ended."""
        self._process.join()


@contextmanager
def _without_ctrl_c() -> Iterator[None]:
    """Let a process that starts in the block ignore Ctrl-C from its first instruction, where the system can do that.

    Ctrl-C reaches both processes. One that is still importing modules would print a traceback.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    resource_tracker.ensure_running()  # it would start in the block, and then end the blocking
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _serve(pipe: Connection[Any, tuple[Callable[..., object], tuple[object, ...]]]) -> None:
    """Call functions until the service closes its end of the pipe or dies."""
    limit_arenas()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches both processes; the service ends this one later
    os.nice(_NICENESS)
    os.environ["OMP_NUM_THREADS"] = "1"
    with suppress(OSError):  # not Linux; on Linux, the kernel kills this process before the service
        _OOM_SCORE.write_text(str(min(1000, int(_OOM_SCORE.read_text()) + _EARLIER_KILL)))
    with suppress(EOFError, ConnectionError):
        while True:
            function, args = pipe.recv()
            _respond(pipe, function, args)


def _respond(pipe: Connection[Any, Any], function: Callable[..., object], args: tuple[object, ...]) -> None:
    """Send the outcome of a call. Only the project's errors are picklable for sure; others are sent as a traceback."""
    try:
        pipe.send(function(*args))
    except ColorCNNError as error:
        pipe.send(_Failure(error))
    except Exception:
        pipe.send(_Failure(WorkFailed(traceback.format_exc())))
