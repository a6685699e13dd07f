"""A team of threads, each with its own part of the work and its share of the CPUs.

The operators of a network on small images take fractions of a millisecond, so a second thread within each of them gains
little. A second thread that computes half of the images by itself gains a third of the time.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

import numpy as np
import torch
from threadpoolctl import ThreadpoolController

from models.rgb import Pixels

_LEAST_IMAGES = 16  # of a thread
_THREAD_POOLS = ThreadpoolController()  # created once, because the search for the libraries takes long

Result = TypeVar("Result")


def in_parts(work: Callable[[Pixels], list[Result]], images: Pixels) -> list[Result]:
    """Return `work(images)`, computed part by part in as many threads as torch has, with at least 16 images each.

    `work` runs in other threads, without the inference mode and the pauses of this one.

    images: (B, ...). work: returns one result for each image, in their order; what it raises is raised here.
    """
    team = min(torch.get_num_threads(), len(images) // _LEAST_IMAGES)
    if team < 2:
        return work(images)
    with ThreadPoolExecutor(team, initializer=partial(limit_threads, team)) as threads:
        return [result for part in threads.map(work, np.array_split(images, team)) for result in part]


def limit_threads(team: int) -> None:
    """Let this thread compute with the share of torch's threads that each of `team` threads has."""
    share = max(1, torch.get_num_threads() // team)  # torch sets the number of a new thread at the first call
    _THREAD_POOLS.limit(limits=share, user_api="openmp")
