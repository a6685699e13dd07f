"""Lifecycle of one service: loading, ready, draining; broken without loadable models, failed with its device."""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from enum import Enum

import anyio

from models.errors import ColorCNNError
from models.quantizers.classical.catalog import warm_classical
from service.benchmark.queue import Benchmarks
from service.benchmark.results import StoredResults
from service.errors import NotReady
from service.inference.compression import Compression
from service.inference.device import Device
from service.inference.engine import Engine
from service.inference.pipeline import Pipeline
from service.inference.stages import Stages
from service.runtime.trimming import keep_trimmed
from service.runtime.worker_process import Run, WorkerProcess
from service.settings import Settings

log = logging.getLogger("colorcnn.service")


class Phase(Enum):
    """Phase of a service; the value is the detail of a `not-ready` problem."""

    LOADING = "The models are being loaded"
    READY = "The service is ready"
    BROKEN = "The models could not be loaded, see the log"
    FAILED = "The device failed, see the log; the service has to be started again"
    DRAINING = "The service is shutting down"


_DEAD = (Phase.BROKEN, Phase.FAILED)


def _ignore() -> None:
    """Do nothing; the default of `on_broken`."""


class Service:
    """Settings, engine, queues and worker processes of one application, and the phase that it is in.

    on_broken: called once if the models cannot be loaded or the device fails. The code that runs the process sets it to
    end the process, which a supervisor then restarts.

    Args:
        encoders: run the encodings of /compress, each one at a time.
        processes: worker processes that end with the service.
        warm: whether the methods without a network and the encoders run once at the start.
    """

    def __init__(
        self,
        settings: Settings,
        engine: Engine,
        benchmarks: Benchmarks,
        encoders: Sequence[Run],
        processes: Sequence[WorkerProcess] = (),
        *,
        warm: bool = True,
    ) -> None:
        self.settings = settings
        self.engine = engine
        self.benchmarks = benchmarks
        self.results = StoredResults(engine)
        self.device = Device(engine, settings, self._fail)
        stages = Stages(engine, self.device, settings)
        self.pipeline = Pipeline(stages, settings)
        self.compression = Compression(stages, settings, encoders)
        self.phase = Phase.LOADING
        self._loaded = anyio.Event()
        self.on_broken: Callable[[], None] = _ignore
        self._processes = processes
        self._warm = warm

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run for the length of the block. Loading runs in the background, so that liveness probes get a response.

        At the end, requests in flight are finished and the worker processes end. Loading goes on in its thread.
        """
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self.load)
                tasks.start_soon(keep_trimmed)
                async with self.device.serving():
                    yield
                    self.drain()
                tasks.cancel_scope.cancel()
        finally:
            for process in self._processes:
                await process.end()

    async def load(self) -> None:
        """Load and warm the models in a thread, then the methods without a network and the encoders."""
        started = time.perf_counter()
        try:
            await anyio.to_thread.run_sync(self._load, abandon_on_cancel=True)
        except Exception as error:  # for any cause, the process must report the error and not serve
            self._die(Phase.BROKEN, "the models could not be loaded", error)
            return
        if self.phase is not Phase.LOADING:  # already shutting down
            return
        self._leave_loading(Phase.READY)
        loaded, entries = self.engine.loaded(), self.engine.catalog.entries
        names = ",".join(entry.name for entry in entries if entry.name in loaded)
        on_demand = ",".join(entry.name for entry in entries if entry.name not in loaded)
        seconds = time.perf_counter() - started
        log.info("ready device=%s models=%s on_demand=%s seconds=%.1f", self.engine.device, names, on_demand, seconds)
        if not self._warm:
            return
        await anyio.to_thread.run_sync(warm_classical, abandon_on_cancel=True)
        warm = await self.compression.warm()
        log.info("%d encoders of /compress are warm seconds=%.1f", warm, time.perf_counter() - started)

    async def loaded(self) -> None:
        """Wait until the models are loaded and warm; raise NotReady if they cannot be or the service ends before."""
        await self._loaded.wait()
        self.require_ready()

    def drain(self) -> bool:
        """Reject new requests, and end the benchmarks early. Return whether clients may have been served before."""
        served = self.phase is not Phase.LOADING
        if self.phase not in _DEAD:
            self._leave_loading(Phase.DRAINING)
        self.benchmarks.stop()
        return served

    @property
    def models_digest(self) -> str | None:
        """Digest of the weights and the defaults, see `Catalog.digest`; None before the models are loaded."""
        catalog = self.engine.catalog
        return catalog.digest if catalog.entries else None

    @property
    def is_ending(self) -> bool:
        """Whether this process accepts no more requests."""
        return self.phase in (*_DEAD, Phase.DRAINING)

    def require_ready(self) -> None:
        """Raise NotReady unless the models are loaded and warm."""
        if self.phase is not Phase.READY:
            raise self._not_ready()

    def require_capacity(self) -> None:
        """Raise NotReady, or QueueFull if /quantize and /classify can admit no more requests."""
        self.require_ready()
        self.pipeline.admission.check()

    def require_alive(self) -> None:
        """Raise NotReady if only a restart can help."""
        if self.phase in _DEAD:
            raise self._not_ready()

    def _leave_loading(self, phase: Phase) -> None:
        self.phase = phase
        self._loaded.set()

    def _load(self) -> None:
        self.engine.load()
        self.results.load()

    def _fail(self, error: Exception) -> None:
        """Reject all further requests, because a broken device returns wrong results, if any."""
        if self.phase is Phase.READY:  # a broken device causes many errors; the first one counts
            self._die(Phase.FAILED, "the device failed", error)

    def _die(self, phase: Phase, event: str, error: Exception) -> None:
        unexpected = not isinstance(error, ColorCNNError)  # the project's errors need no traceback
        log.critical("%s: %s: %s", event, type(error).__name__, error, exc_info=error if unexpected else None)
        if self.phase is Phase.DRAINING:  # the process ends anyway
            return
        self._leave_loading(phase)
        self.on_broken()

    def _not_ready(self) -> NotReady:
        return NotReady(f"{self.phase.value}.")
