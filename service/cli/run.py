"""Runs of many images: several at once, each with its outcome, until the end, a failure of all, or Ctrl-C."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any, TypeVar

import anyio
import click

from models.files import write_atomically
from service.cli.files import Task
from service.cli.main import INTERRUPTED
from service.cli.outcome import Outcome, exit_status, failed
from service.cli.session import Target, connected
from service.cli.terminal import Terminal
from service.client import (
    AsyncClient,
    ColorCNNServiceError,
    NotFound,
    Unauthorized,
    UnknownMethod,
    UnknownModel,
    Unreachable,
)

Work = Callable[[AsyncClient, Task], Awaitable[Outcome]]
"""Does the work of one image; may raise OSError and ColorCNNServiceError."""

WorkOfAll = Callable[[AsyncClient, Sequence[Task]], Awaitable[Sequence[Outcome]]]
"""Does the work of all images in one request; may raise the same errors."""

Result = TypeVar("Result")

_OF_ALL = (Unreachable, Unauthorized, UnknownMethod, UnknownModel, NotFound)  # every other image would get them, too


class _Stopped(Exception):
    """The run ended early; `reason` is the error of every further image."""

    def __init__(self, reason: Exception) -> None:
        super().__init__(str(reason))
        self.reason = reason


def run(tasks: Sequence[Task], existing: int, target: Target, work: Work, terminal: Terminal) -> int:
    """Do the work of each task, several at once, and show the outcomes; return the exit status of the process.

    existing: number of images that are left out, because their output exists.
    """

    async def each(client: AsyncClient) -> None:
        left = iter(tasks)

        async def worker() -> None:
            for task in left:
                terminal.show(await _attempt(client, task, work))

        with terminal.progress(len(tasks)):
            async with anyio.create_task_group() as workers:
                for _ in range(min(target.jobs, len(tasks))):
                    workers.start_soon(worker)

    return _ran(each, tasks, existing, target, terminal)


def run_together(tasks: Sequence[Task], target: Target, work: WorkOfAll, terminal: Terminal) -> int:
    """Do the work of all tasks in one request and show the outcomes; return the exit status of the process."""

    async def together(client: AsyncClient) -> None:
        try:
            outcomes = await work(client, tasks)
        except (ColorCNNServiceError, OSError) as error:
            raise _Stopped(error) from None
        for outcome in outcomes:
            terminal.show(outcome)

    return _ran(together, tasks, 0, target, terminal)


def _ran(
    body: Callable[[AsyncClient], Awaitable[None]],
    tasks: Sequence[Task],
    existing: int,
    target: Target,
    terminal: Terminal,
) -> int:
    async def with_client() -> None:
        async with connected(target) as client:
            await body(client)

    status = 0
    try:
        if tasks:
            in_loop(with_client)
        status = exit_status(terminal.counts)
    except _Stopped as stopped:
        click.echo(f"Error: {stopped}", err=True)
        status = exit_status([failed("", stopped.reason).status])
    except KeyboardInterrupt:
        status = INTERRUPTED
    terminal.summarize(existing, len(tasks) - terminal.counts.total())
    return status


def in_loop(function: Callable[[], Coroutine[Any, Any, Result]]) -> Result:
    """Run an asynchronous function; raise its error as it is, not in the groups that tasks wrap it in."""
    try:
        return anyio.run(function)
    except BaseExceptionGroup as group:
        raise _first(group) from None


async def _attempt(client: AsyncClient, task: Task, work: Work) -> Outcome:
    try:
        return await work(client, task)
    except _OF_ALL as error:
        raise _Stopped(error) from None
    except Exception as error:  # one image must not end the others
        return failed(task.name, error)


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


async def store(task: Task, data: bytes, *, force: bool) -> str:
    """Write the output of a task at once and entirely, or to stdout; return its name for people.

    Raises FileExistsError for a file that came into being since the run began, unless `force`.
    """
    if task.output is None:
        await anyio.to_thread.run_sync(_to_stdout, data)
        return "-"
    await anyio.to_thread.run_sync(to_file, task.output, data, force)
    return str(task.output)


def _to_stdout(data: bytes) -> None:
    stream = sys.stdout.buffer
    stream.write(data)
    stream.flush()


def to_file(path: Path, data: bytes, force: bool) -> None:
    """Write a file at once and entirely, and the folders above it; see `store`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and not force:
        raise FileExistsError(17, "the output exists by now; give --force to replace it", str(path))
    write_atomically(path, data)


def read(task: Task) -> Path | bytes:
    """Return the image of a task as the client takes it: its path, or the bytes from stdin."""
    return sys.stdin.buffer.read() if task.source is None else task.source
