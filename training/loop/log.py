"""Log of a run, as JSON lines on disk and on the terminal."""

import json
import math
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor

from training.loop.distributed import Workers

LOG_FILE = "log.jsonl"


@dataclass(frozen=True)
class Log:
    """Log that appends one JSON object per line to log.jsonl and prints the line; rank 0 only.

    minutes: limit for this process, counted from its start. score_every: epochs between scorings.
    """

    folder: Path
    workers: Workers = field(default_factory=Workers)
    minutes: float = math.inf
    score_every: int = 1
    console: Console = field(default_factory=Console)

    def is_scored(self, epochs: int) -> bool:
        """Return whether the held-out images are scored after this number of epochs."""
        return epochs % self.score_every == 0

    def write(self, event: str, **values: Any) -> None:
        """Log an event with the seconds since 1970; floats are rounded to six significant digits."""
        if self.workers.rank:
            return
        row = {"event": event, "time": round(time.time(), 1)}
        row |= {key: float(f"{value:.6g}") if isinstance(value, float) else value for key, value in values.items()}
        with (self.folder / LOG_FILE).open("a") as file:
            file.write(json.dumps(row) + "\n")
        self.console.print(" ".join(f"{key}={value}" for key, value in row.items() if key != "time"), highlight=False)

    def track(self, batches: Sequence[Tensor], description: str) -> Iterable[Tensor]:
        """Yield the batches of an epoch behind a progress bar."""
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=self.console, transient=True, disable=bool(self.workers.rank)) as progress:
            yield from progress.track(batches, description=description)
