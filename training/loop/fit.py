"""What every training run shares: device, precision, seeds, batches, JSON-lines log, checkpoints, resuming.

A run is a function of its options alone. Epoch e draws all its randomness from a generator seeded by (seed, e), and
the state is saved at each epoch's end, so a run that was killed and resumed repeats the lost epoch: bit for bit on a
CPU with as many threads, up to the order of atomic additions on CUDA.
"""

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from training.data.datasets import DatasetError
from training.loop.distributed import Workers
from training.loop.log import Log, minutes_passed

STATE_FILE = "state.pt"


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
