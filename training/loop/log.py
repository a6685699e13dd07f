"""Log of a run, as JSON lines on disk and on the terminal."""

import json
import math
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from training.extras import rich
from training.loop.distributed import Workers
from training.loop.state import STATE_FILE

LOG_FILE = "log.jsonl"

Batch = TypeVar("Batch")


@dataclass(frozen=True)
class Log:
    """Log that appends one JSON object per line to log.jsonl and prints the line; rank 0 only.

    The file begins with the first epoch, so that a run that fails before leaves nothing on disk.

    minutes: limit for this process, counted from its start. score_every: epochs between scorings.
    """

    folder: Path
    workers: Workers = field(default_factory=Workers)
    minutes: float = math.inf
    score_every: int = 1
    console: rich.console.Console = field(default_factory=rich.console.Console)
    _waiting: list[str] = field(default_factory=list)

    def is_scored(self, epochs: int) -> bool:
        """Return whether the held-out images are scored after this number of epochs."""
        return epochs % self.score_every == 0

    def announce(self, event: str, **values: Any) -> None:
        """Print an event that precedes the training; its line enters the file with the next `write`."""
        if not self.workers.rank:
            self._waiting.append(self._line(event, values))

    def write(self, event: str, **values: Any) -> None:
        """Log an event, after those that wait. Events of a run that ended before its first state are replaced."""
        if self.workers.rank:
            return
        lines = [*self._waiting, self._line(event, values)]
        begins = self._waiting and not (self.folder / STATE_FILE).exists()
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / LOG_FILE).open("w" if begins else "a") as file:
            file.writelines(lines)
        self._waiting.clear()

    def _line(self, event: str, values: Mapping[str, Any]) -> str:
        """Print an event and return its line: the seconds since 1970, and floats of six significant digits."""
        row = {"event": event, "time": round(time.time(), 1)}
        row |= {key: float(f"{value:.6g}") if isinstance(value, float) else value for key, value in values.items()}
        self.console.print(" ".join(f"{key}={value}" for key, value in row.items() if key != "time"), highlight=False)
        return json.dumps(row, default=str) + "\n"

    def track(self, batches: Iterable[Batch], description: str, total: int | None = None) -> Iterable[Batch]:
        """Yield the batches of an epoch behind a progress bar. total: number of batches that have no length."""
        bar = rich.progress
        columns = (
            bar.TextColumn("{task.description}"),
            bar.BarColumn(),
            bar.MofNCompleteColumn(),
            bar.TimeRemainingColumn(),
        )
        with bar.Progress(*columns, console=self.console, transient=True, disable=bool(self.workers.rank)) as progress:
            yield from progress.track(batches, total=total, description=description)
