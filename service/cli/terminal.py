"""Lines, summary and progress bar of a run."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from service.cli.outcome import Outcome, Status

if TYPE_CHECKING:
    from rich.progress import Progress

_WORDS = {Status.FAILED: "failed", Status.SHORT: "fell short", Status.LARGER: "would be larger"}


@contextmanager
def waiting(text: str) -> Iterator[None]:
    """Show on stderr that work goes on for the length of the block, if stderr is a terminal."""
    if not sys.stderr.isatty():
        yield
        return
    from rich.console import Console

    with Console(stderr=True).status(text):
        yield


class Terminal:
    """Shows what a run does: a line for each image, and on a terminal a bar while there are several.

    json: whether lines are JSON objects. quiet: whether only failures have a line. on_stderr: whether lines go to
    stderr, because stdout carries a file. verb: what was done to the images, such as "written".
    """

    def __init__(self, *, json: bool, quiet: bool, on_stderr: bool, verb: str) -> None:
        self._json = json
        self._quiet = quiet
        self._on_stderr = on_stderr
        self._verb = verb
        self._bar: Progress | None = None
        self.counts: Counter[Status] = Counter()

    @contextmanager
    def progress(self, total: int) -> Iterator[None]:
        """Show a bar of `total` images on stderr for the length of the block, if stderr is a terminal."""
        if total < 2 or not sys.stderr.isatty():
            yield
            return
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        self._bar = Progress(
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("files, {task.fields[rate]} a second,"),
            TimeRemainingColumn(compact=True, elapsed_when_finished=True),
            TextColumn("left"),
            console=Console(stderr=True),
            transient=True,
        )
        with self._bar:
            self._bar.add_task("", total=total, rate="-")
            yield
        self._bar = None

    def show(self, outcome: Outcome) -> None:
        """Show the line of one image, and move the bar."""
        self.counts[outcome.status] += 1
        failure = outcome.status is not Status.DONE
        if self._json or failure or not self._quiet:
            self._print(outcome.json() if self._json else outcome.line(), to_stderr=failure and not self._json)
        if self._bar:
            task = self._bar.tasks[0]
            rate = f"{task.speed:.1f}" if task.speed else "-"
            self._bar.update(task.id, advance=1, rate=rate)

    def summarize(self, existing: int, left: int = 0) -> None:
        """Show how many images had each result, on stderr, unless one image had one.

        existing: images whose output was there. left: images that were not reached.
        """
        parts = [f"{self.counts[Status.DONE]:,} {self._verb}"]
        parts += [f"{self.counts[status]:,} {words}" for status, words in _WORDS.items() if self.counts[status]]
        parts += [f"{existing:,} left out, because their output exists (--force replaces it)"] if existing else []
        parts += [f"{left:,} left; the same command goes on with them"] if left else []
        if self.counts.total() > 1 or existing or left:
            click.echo("; ".join(parts), err=True)

    def _print(self, line: str, *, to_stderr: bool) -> None:
        err = to_stderr or self._on_stderr
        stream = sys.stderr if err else sys.stdout
        if self._bar and stream.isatty():
            self._bar.console.print(line, markup=False, highlight=False, soft_wrap=True)
        else:
            click.echo(line, err=err)
