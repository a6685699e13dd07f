"""What every training run shares: device, precision, seeds, batches, JSON-lines log, checkpoints, resuming.

A run is a function of its options alone. Epoch e draws all its randomness from a generator seeded by (seed, e), and
the state is saved at each epoch's end, so a run that was killed and resumed repeats the lost epoch: bit for bit on a
CPU with as many threads, up to the order of atomic additions on CUDA.
"""

import argparse
import json
import math
import os
import platform
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import torch
import torch.distributed as dist
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor

from models.errors import ColorCNNError
from training import STARTED
from training.data.datasets import DATA_VARIABLE, DatasetError, default_folder

STATE_FILE = "state.pt"
LOG_FILE = "log.jsonl"
_MEASURING = (":/models/*.py", ":/training/*.py")  # what figures depend on


@dataclass(frozen=True)
class Workers:
    """The processes of this run: one, or as many as torchrun started."""

    rank: int = 0
    count: int = 1

    @classmethod
    def from_environment(cls) -> "Workers":
        """Join the process group that torchrun describes in the environment, if it does."""
        count = int(os.environ.get("WORLD_SIZE", "1"))
        if count == 1:
            return cls()
        dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
        return cls(dist.get_rank(), count)

    def average_gradients(self, parameters: Sequence[Tensor]) -> None:
        """Replace each gradient by its mean over the processes."""
        if self.count == 1:
            return
        for parameter in parameters:
            if parameter.grad is not None:
                dist.all_reduce(parameter.grad)
                parameter.grad /= self.count

    def largest(self, value: float) -> float:
        """The largest of the processes' values: what depends on it they decide alike."""
        if self.count == 1:
            return value
        shared = torch.tensor(value, dtype=torch.float64, device=choose_device("auto"))
        dist.all_reduce(shared, dist.ReduceOp.MAX)
        return float(shared)


def batches(count: int, size: int, generator: torch.Generator, workers: Workers) -> Iterator[Tensor]:
    """This process's share of shuffled row numbers, (size,) int64 each; the last part of a batch is dropped."""
    order = torch.randperm(count, generator=generator, device=generator.device)
    # Every process gets as many batches as the others: it waits for them at each.
    steps = steps_per_epoch(count, size, workers)
    share = order[workers.rank :: workers.count]
    yield from share[: steps * size].split(size)


def steps_per_epoch(count: int, size: int, workers: Workers) -> int:
    """Batches that `batches` gives each process; raises DatasetError where the images do not fill a single one."""
    steps = count // workers.count // size
    if not steps:
        raise DatasetError(f"{count} training images do not fill a batch of {size} in each process; lower --batch")
    return steps


def epoch_generator(seed: int, epoch: int, device: torch.device) -> torch.Generator:
    """The generator of one epoch; equal seeds and epochs give equal draws, whatever came before."""
    return torch.Generator(device).manual_seed(seed * 1_000_003 + epoch)


def autocast(device: torch.device, *, enabled: bool) -> AbstractContextManager[Any]:
    """bfloat16 where it is safe; the same on CUDA and on CPUs."""
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=enabled)


def choose_device(name: str) -> torch.device:
    """`auto` is CUDA where there is one, else the CPU."""
    if name == "auto":
        name = f"cuda:{os.environ.get('LOCAL_RANK', '0')}" if torch.cuda.is_available() else "cpu"
    return torch.device(name)


def save_state(folder: Path, state: Mapping[str, Any]) -> None:
    """Write the run's state so that a reader sees the old file or the new one, never a part."""
    partial = folder / f"{STATE_FILE}.partial"
    with partial.open("wb") as file:
        torch.save(dict(state), file)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(folder / STATE_FILE)


def read_state(folder: Path) -> dict[str, Any]:
    """Read the state in a run's folder onto the CPU; raises SystemExit where there is none."""
    file = folder / STATE_FILE
    if not file.exists():
        raise SystemExit(f"there is no {file}: train first, without --resume")
    state: dict[str, Any] = torch.load(file, map_location="cpu", weights_only=True)
    return state


def load_state(folder: Path, config: Mapping[str, Any]) -> dict[str, Any]:
    """Read the state of a run with this very configuration; raises SystemExit with what differs."""
    state = read_state(folder)
    differ = sorted(key for key in {*config, *state["config"]} if config.get(key) != state["config"].get(key))
    if differ:
        raise SystemExit(f"--resume: {folder} was made with other values of: {', '.join(differ)}")
    return state


class Stateful(Protocol):
    """What a run saves and restores: networks, optimizers, schedulers."""

    def state_dict(self) -> dict[str, Any]:
        """Everything that training has changed."""

    def load_state_dict(self, state: dict[str, Any], /) -> Any:
        """Put it back."""


def fit(
    epochs: int,
    train_epoch: Callable[[int], Mapping[str, float]],
    score: Callable[[], Mapping[str, float]],
    *,
    parts: Mapping[str, Stateful],
    config: Mapping[str, Any],
    log: "Log",
    resume: bool,
) -> Mapping[str, float]:
    """Train epoch by epoch; after each, log and save the state, after some score.

    Where the log's minutes would not do for one more epoch, the process ends with the status os.EX_TEMPFAIL.

    Args:
        epochs: where to stop.
        train_epoch: trains one epoch, numbered from 0, and returns mean losses to log.
        score: measures on the held-out part of train.
        parts: what to save; with `resume` they are first restored, and only the missing epochs run.
        config: JSON values that say what the run is; a state of another configuration is refused.
        log: says how long to go on and how often to score; the last epoch always is.

    Returns:
        The last scores.
    """
    done, seconds = _restore(parts, log.folder, config) if resume else (0, 0.0)
    scores, longest = {} if done < epochs else score(), 0.0
    for epoch in range(done, epochs):
        _pause_if_late(log, epoch, longest)
        started = time.perf_counter()
        losses = train_epoch(epoch)
        seconds += time.perf_counter() - started
        scores = score() if (epoch + 1) % log.score_every == 0 or epoch + 1 == epochs else {}
        log.write("epoch", epoch=epoch + 1, **losses, **scores, seconds=seconds)
        if not log.workers.rank:
            progress = {"config": config, "epoch": epoch + 1, "seconds": seconds, "scores": dict(scores)}
            save_state(log.folder, progress | {name: part.state_dict() for name, part in parts.items()})
        longest = max(longest, time.perf_counter() - started)
    return scores


def _restore(parts: Mapping[str, Stateful], folder: Path, config: Mapping[str, Any]) -> tuple[int, float]:
    """Put the state of the run in `folder` back; its epochs, and the seconds that they took."""
    state = load_state(folder, config)
    for name, part in parts.items():
        part.load_state_dict(state[name])
    return state["epoch"], state["seconds"]


def _pause_if_late(log: "Log", epoch: int, longest: float) -> None:
    """End the process where an epoch as long as the longest would not end in time; the first one is always begun."""
    if longest and log.workers.largest(minutes_passed() + longest / 60) > log.minutes:
        log.write("paused", epoch=epoch, minutes=log.minutes, go_on="the same command with --resume")
        raise SystemExit(os.EX_TEMPFAIL)


@dataclass
class Log:
    """Appends one JSON object a line to log.jsonl and shows the same on the terminal; rank 0 only.

    minutes: after how many this process should have ended, counted from its start. score_every: epochs from one scoring
    of the run to the next.
    """

    folder: Path
    workers: Workers = field(default_factory=Workers)
    minutes: float = math.inf
    score_every: int = 1
    console: Console = field(default_factory=Console)

    def write(self, event: str, **values: Any) -> None:
        """Log an event with the seconds since the epoch; floats are shortened to six digits."""
        if self.workers.rank:
            return
        row = {"event": event, "time": round(time.time(), 1)}
        row |= {key: float(f"{value:.6g}") if isinstance(value, float) else value for key, value in values.items()}
        with (self.folder / LOG_FILE).open("a") as file:
            file.write(json.dumps(row) + "\n")
        self.console.print(" ".join(f"{key}={value}" for key, value in row.items() if key != "time"), highlight=False)

    def track(self, steps: Sequence[Tensor], description: str) -> Iterable[Tensor]:
        """The steps of an epoch behind a progress bar."""
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=self.console, transient=True, disable=bool(self.workers.rank)) as progress:
            yield from progress.track(steps, description=description)


def minutes_passed() -> float:
    """Since this process began."""
    return (time.monotonic() - STARTED) / 60


def command(main: Callable[[], object]) -> None:
    """Run a script's `main`; what the user can mend ends it with one line instead of a traceback."""
    try:
        main()
    except (ColorCNNError, DatasetError) as error:
        raise SystemExit(f"error: {error}") from None


def add_data_flags(parser: argparse._ActionsContainer) -> None:
    """Which dataset: the flags of every script that reads one."""
    parser.add_argument(
        "--data",
        type=Path,
        default=default_folder(),
        help=f"dataset folder: SPLIT-*.parquet, or SPLIT/CLASS/ folders of images (default: ${DATA_VARIABLE})",
    )
    parser.add_argument(
        "--dataset",
        help="name of the dataset in results and model cards, and of its folder in --data, if that holds several "
        "(default: the folder's name)",
    )


def add_models_flag(parser: argparse._ActionsContainer) -> None:
    """Where published models are."""
    parser.add_argument(
        "--models", type=Path, help="folder with manifest.json and checkpoints/ (default: the models that ship here)"
    )


def require_data(args: argparse.Namespace) -> Path:
    """The dataset folder of the flags, which also names the dataset if they do not; DatasetError without one.

    A folder of datasets will do, where --dataset says which.
    """
    folder: Path | None = args.data
    if folder is not None and args.dataset and (folder / args.dataset).is_dir():
        folder = folder / args.dataset
    if folder is None or not folder.is_dir():
        named = f" {folder}" if folder else ""
        raise DatasetError(f"no dataset folder{named}: give --data FOLDER or set {DATA_VARIABLE}")
    args.dataset = args.dataset or folder.resolve().name
    return folder


def describe() -> dict[str, str]:
    """Where and from what a run was made: command line, commit, hardware, torch version."""
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else ""
    return {
        "command": "python -m " + shlex.join([f"training.{Path(sys.argv[0]).stem}", *sys.argv[1:]]),
        "commit": commit(),
        "hardware": gpu or f"{_cores(torch.get_num_threads())}, {platform.machine()}",
        "torch": torch.__version__,
    }


def _cores(threads: int) -> str:
    return "1 CPU core" if threads == 1 else f"{threads} CPU cores"


def commit(folder: Path = Path(__file__).parent) -> str:
    """The last commit that changed the code that measures, marked "-dirty" where it was changed since.

    Later ones, of documents or results, change no figure, so that what they interrupt may go on. folder: somewhere in
    the repository; "unknown" outside of one.
    """
    try:
        changed = _git(folder, "log", "-1", "--format=%H", "--", *_MEASURING)
        return changed + ("-dirty" if _git(folder, "status", "--porcelain", "-uno", "--", *_MEASURING) else "")
    except (OSError, subprocess.SubprocessError):
        return "unknown"


def _git(folder: Path, *command: str) -> str:
    result = subprocess.run(
        ["git", "-C", str(folder), *command], capture_output=True, text=True, check=True, timeout=10
    )
    return result.stdout.strip()
