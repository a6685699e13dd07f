"""Loop of every training run: train an epoch, score, log, save the state; pause and resume.

The result of a run depends on its options alone. Epoch e draws all its randomness from a generator seeded by (seed, e),
and the state is saved at the end of each epoch. A resumed run repeats the lost epoch bit for bit on a CPU with the
same number of threads. On CUDA the order of atomic additions may differ.
"""

import os
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch

from models.names import ModelKind
from training.loop.elapsed import minutes_elapsed
from training.loop.log import Log
from training.loop.state import Stateful, restore, save_state


@dataclass(frozen=True)
class Session:
    """Device, log and limits of training in this process.

    log: where the run is written; it also holds the limit in minutes. bf16: whether the networks compute in bfloat16.
    resume: whether the run continues from the state in the log's folder.
    """

    device: torch.device
    log: Log
    bf16: bool = False
    resume: bool = False

    def autocast(self) -> AbstractContextManager[Any]:
        """Return a context in which the networks compute in bfloat16, if `bf16` is set."""
        return torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.bf16)


@dataclass(frozen=True)
class Run:
    """A training run.

    epochs: number of epochs to train. config: JSON values that describe the run; the state of a run with another
    description is rejected. parts: what is saved after each epoch, by name. train_epoch: trains one epoch, numbered
    from 0, and returns mean losses for the log. score: measures the held-out images.
    """

    epochs: int
    config: Mapping[str, Any]
    parts: Mapping[str, Stateful]
    train_epoch: Callable[[int], Mapping[str, float]]
    score: Callable[[], Mapping[str, float]]


class _Configured(Protocol):
    def to_json(self) -> dict[str, Any]:
        """Return the configuration as JSON values."""


def run_config(
    kind: ModelKind, network: _Configured, training: Mapping[str, Any], classes: tuple[str, ...], **more: Any
) -> dict[str, Any]:
    """Return the description of a run: kind of model, network, hyper-parameters, names of the classes."""
    return {
        "kind": kind.value,
        "network": network.to_json(),
        "training": dict(training),
        "classes": list(classes),
        **more,
    }


def fit(run: Run, session: Session) -> Mapping[str, float]:
    """Train the remaining epochs; returns the last scores.

    After each epoch the state is saved. Scores are taken as often as the log asks, and always after the last epoch.
    Raises SystemExit with status 75 (os.EX_TEMPFAIL) if the minutes of the log do not suffice for one more epoch.
    """
    log = session.log
    done, seconds = restore(run.parts, log.folder, run.config) if session.resume else (0, 0.0)
    scores, longest = {} if done < run.epochs else run.score(), 0.0
    for epoch in range(done, run.epochs):
        _pause_if_late(log, epoch, longest)
        started = time.perf_counter()
        losses = run.train_epoch(epoch)
        seconds += time.perf_counter() - started
        scores = run.score() if log.is_scored(epoch + 1) or epoch + 1 == run.epochs else {}
        log.write("epoch", epoch=epoch + 1, **losses, **scores, seconds=seconds)
        if not log.workers.rank:
            _save(run, log.folder, epoch + 1, seconds, scores)
        longest = max(longest, time.perf_counter() - started)
    return scores


def _save(run: Run, folder: Path, epoch: int, seconds: float, scores: Mapping[str, float]) -> None:
    progress = {"config": run.config, "epoch": epoch, "seconds": seconds, "scores": dict(scores)}
    save_state(folder, progress | {name: part.state_dict() for name, part in run.parts.items()})


def _pause_if_late(log: Log, epoch: int, longest: float) -> None:
    """End the process if an epoch as long as the longest one would exceed the minutes; never before the first epoch."""
    if longest and log.workers.largest(minutes_elapsed() + longest / 60) > log.minutes:
        log.write("paused", epoch=epoch, minutes=log.minutes, go_on="the same command with --resume")
        raise SystemExit(os.EX_TEMPFAIL)
