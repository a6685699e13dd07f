"""Worker processes for datasets: a pool that shares the cores, and the parts of a dataset that one process works on."""

import multiprocessing
from concurrent.futures import ProcessPoolExecutor

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

_PART = 250  # images


Images = NDArray[np.uint8]  # (B, s, s, 3) sRGB


def worker_pool(workers: int | None) -> ProcessPoolExecutor:
    """Not forked: torch's threads would not live on in the children. One thread each: they share the cores."""
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(workers, mp_context=context, initializer=_use_one_thread)


def parts(images: Images) -> list[Images]:
    """The images in pieces that one process works on at a time."""
    return np.array_split(images, -(-len(images) // _PART))


def _use_one_thread() -> None:
    threadpool_limits(1)
