"""Batches of an epoch, and the random generator that draws them."""

from collections.abc import Iterator

import torch
from torch import Tensor

from training.data.datasets import DatasetError
from training.loop.distributed import Workers


def batches(count: int, size: int, generator: torch.Generator, workers: Workers) -> Iterator[Tensor]:
    """Yield this process's batches of shuffled row numbers, (size,) int64 each; an incomplete batch is dropped."""
    order = torch.randperm(count, generator=generator, device=generator.device)
    # The processes wait for each other at each batch, so all get the same number.
    steps = steps_per_epoch(count, size, workers)
    share = order[workers.rank :: workers.count]
    yield from share[: steps * size].split(size)


def steps_per_epoch(count: int, size: int, workers: Workers) -> int:
    """Return the number of batches of each process; raises DatasetError if the images do not fill a batch."""
    steps = count // workers.count // size
    if not steps:
        raise DatasetError(f"{count} training images do not fill a batch of {size} in each process; lower --batch")
    return steps


def epoch_generator(seed: int, epoch: int, device: torch.device) -> torch.Generator:
    """Return the generator of one epoch: equal seeds and epochs give equal draws."""
    return torch.Generator(device).manual_seed(seed * 1_000_003 + epoch)
