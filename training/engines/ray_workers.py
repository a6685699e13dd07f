"""Blocks of a dataset on Ray Data: workers of a cluster, or of this machine, that take one block after the other.

A worker is a Ray actor and loads its models once. Blocks carry places of images, and workers return small results, so
no image goes through Ray's object store: workers read the images and write the files themselves, in folders that every
machine sees. Ray starts a lost worker again and repeats its block.
"""

import logging
import os
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from types import ModuleType
from typing import Any, Self

from threadpoolctl import threadpool_limits

from models.errors import ColorCNNError
from training.cli.options import RayOptions
from training.data.layouts import DatasetError
from training.extras import ray_data

_PATIENCE = 600  # seconds for workers to start while others use the cluster, after which the command ends
_CONNECT = 5  # seconds for a connection to the cluster
_RAY_BLOCKS = 1000  # at most, of blocks of ours in the order that workers take them

Make = Callable[[], Callable[[Any], Any]]
"""Function that returns the work on one block; it loads the models."""


@dataclass(frozen=True)
class RayWorkers:
    """Workers on Ray. count: their number. machines: of the cluster. cpus, gpus: shares of each worker."""

    ray: ModuleType
    count: int
    machines: int
    cpus: float
    gpus: float

    @classmethod
    @contextmanager
    def started(cls, options: RayOptions) -> Iterator[Self]:
        """Join a Ray cluster, or start Ray on this machine for the length of the block.

        Raises DatasetError if Ray cannot start, if the machines have no room for the workers, or if the device is a GPU
        and workers get none.
        """
        if options.device.startswith("cuda") and not options.worker_gpus:
            raise DatasetError(f"--device {options.device} with --engine ray needs --worker-gpus above 0")
        ray = ray_data()
        joined = ray.is_initialized()
        if not joined:
            _start(ray, options.ray_address)
        try:
            nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
            room = sum(_room(node, options) for node in nodes)
            if room < (options.workers or 1):
                raise DatasetError(
                    f"the Ray cluster has room for {room} workers of {options.worker_cpus:g} CPUs and "
                    f"{options.worker_gpus:g} GPUs, not {options.workers or 1}: lower --workers, --worker-cpus or "
                    "--worker-gpus"
                )
            yield cls(ray, options.workers or room, len(nodes), options.worker_cpus, options.worker_gpus)
        finally:
            if not joined:
                ray.shutdown()

    def map(self, make: Make, blocks: Sequence[Any]) -> Iterator[Any]:
        """Yield the result for each block, in the order in which they are done.

        make: function that Ray can pickle; each worker calls it once. Raises DatasetError with the message of a worker
        that fails on its input; the other errors of a worker are errors of Ray.
        """
        ray = self.ray
        pickle = ray.cloudpickle
        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = context.print_on_execution_start = False
        context.wait_for_min_actors_s = _PATIENCE
        logging.getLogger("ray.data").setLevel(logging.ERROR)  # Ray Data logs each execution, and its lack of a bar
        items = [{"block": pickle.dumps(block)} for block in blocks]
        done = ray.data.from_items(items, override_num_blocks=min(len(items), _RAY_BLOCKS)).map_batches(
            _Worker,
            fn_constructor_args=(pickle.dumps(make), int(max(1, self.cpus))),
            batch_size=1,
            compute=ray.data.ActorPoolStrategy(size=min(self.count, len(items))),
            num_cpus=self.cpus,
            num_gpus=self.gpus,
        )
        try:
            for row in done.iter_rows():
                outcome, host = pickle.loads(row["outcome"]), row["host"]
                if isinstance(outcome, _Failure):
                    raise DatasetError(outcome.message + (f" (on {host})" if self.machines > 1 else ""))
                yield outcome
        except ray.exceptions.RayError as error:
            raise DatasetError(f"Ray: {_last_line(error)}") from error


@dataclass(frozen=True)
class _Failure:
    """An error that the user can fix, as text: not every exception can be pickled."""

    message: str


class _Worker:
    """Actor: works on one block after the other. make: pickled function. threads: of all libraries."""

    def __init__(self, make: bytes, threads: int) -> None:
        self._make = make
        threadpool_limits(threads)

    @cached_property
    def _work(self) -> Callable[[Any], Any]:
        work: Callable[[Any], Any] = ray_data().cloudpickle.loads(self._make)()
        return work

    def __call__(self, batch: Mapping[str, Any]) -> dict[str, list[Any]]:
        pickle = ray_data().cloudpickle
        [block] = batch["block"]
        try:
            outcome = self._work(pickle.loads(block))
        except (ColorCNNError, DatasetError, SystemExit) as error:
            outcome = _Failure(str(error))
        except OSError as error:
            where = f"{error.filename}: " if error.filename else ""
            outcome = _Failure(f"{where}{error.strerror or error}")
        return {"outcome": [pickle.dumps(outcome)], "host": [socket.gethostname()]}


def _start(ray: ModuleType, address: str | None) -> None:
    _check_reachable(address or os.environ.get("RAY_ADDRESS", ""))
    # Ray logs an error for every pool of actors of Ray Data, https://github.com/ray-project/ray/issues/53727: the
    # arguments of the actors could be lost. The process of the command owns them as long as the pool lives.
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    try:
        ray.init(address=address, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise DatasetError(
            f"cannot start Ray or join its cluster: {_last_line(error)}; a cluster needs the same version of Ray, and "
            "its token with RAY_AUTH_MODE=token"
        ) from error


def _check_reachable(address: str) -> None:
    """Raise DatasetError if nothing listens at an address with a port, since Ray tries for minutes."""
    host, _, port = address.rpartition("://")[2].rpartition(":")
    if not port.isdecimal():
        return
    try:
        socket.create_connection((host, int(port)), timeout=_CONNECT).close()
    except (OSError, OverflowError) as error:
        raise DatasetError(f"no Ray cluster answers at {address} ({error})") from None


def _room(resources: Mapping[str, float], options: RayOptions) -> int:
    """Return how many workers a machine has room for."""
    cpus = resources.get("CPU", 0) / options.worker_cpus
    gpus = resources.get("GPU", 0) / options.worker_gpus if options.worker_gpus else cpus
    return int(min(cpus, gpus))


def _last_line(error: Exception) -> str:
    """Return the last line of an error of Ray: the cause, after the traces of the processes in between."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1].rstrip(".") if lines else type(error).__name__
