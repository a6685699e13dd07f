"""Worker processes for datasets: a pool that shares the cores, and division of a dataset among the processes."""

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from models.threads import available_cpus

_PART = 250  # images


Images = NDArray[np.uint8]  # (B, s, s, 3) sRGB


def worker_pool(workers: int | None) -> ProcessPoolExecutor:
    """Return a pool of processes with one thread each; None: one process for each available CPU."""
    # Not forked: the threads of torch do not exist in a forked child.
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(workers or available_cpus(), mp_context=context, initializer=_use_one_thread)


def parts(images: NDArray[Any]) -> list[NDArray[Any]]:
    """Split the images, or their numbers, into the parts that one process works on at a time."""
    return np.array_split(images, -(-len(images) // _PART))


def _use_one_thread() -> None:
    threadpool_limits(1)
