"""The life of one service: loading, ready, draining; broken where no models can be loaded, failed with its device."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from enum import Enum

import anyio

from models.errors import ColorCNNError
from service.benchmark.results import StoredResults
from service.benchmark.runner import Benchmarks
from service.errors import NotReady
from service.inference.compression import Compression
from service.inference.device import Device
from service.inference.engine import Engine
from service.inference.pipeline import Pipeline
from service.inference.stages import Stages
from service.runtime.worker_process import Run
from service.settings import Settings

log = logging.getLogger("colorcnn.service")


class Phase(Enum):
    """Where a service is in its life; the value is what the probes say when it is not ready."""

    LOADING = "The models are being loaded"
    READY = "The service is ready"
    BROKEN = "The models could not be loaded, see the log"
    FAILED = "The device failed, see the log; the service has to be started again"
    DRAINING = "The service is shutting down"


_DEAD = (Phase.BROKEN, Phase.FAILED)


class Service:
    """Settings, engine and work of one application, and the phase it is in.

    Args:
        on_broken: called once if the models cannot be loaded or the device fails, so that the process can end, to be
            started again, instead of lingering.
    """

    def __init__(
        self,
        settings: Settings,
        engine: Engine,
        benchmarks: Benchmarks,
        encoders: Sequence[Run],
        on_broken: Callable[[], None] | None = None,
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
        self._on_broken = on_broken

    async def start(self) -> None:
        """Load and warm the models in a thread, so that the liveness probe is answered meanwhile; then the encoders."""
        started = time.perf_counter()
        try:
            await anyio.to_thread.run_sync(self._load, abandon_on_cancel=True)
        except Exception as error:  # whatever it is, the process must say so and not serve
            self._die(Phase.BROKEN, "the models could not be loaded", error)
            return
        if self.phase is not Phase.LOADING:  # it was asked to end meanwhile
            return
        self.phase = Phase.READY
        names = ",".join(entry.name for entry in self.engine.models())
        seconds = time.perf_counter() - started
        log.info("ready device=%s models=%s seconds=%.1f", self.engine.device, names, seconds)
        warm = await self.compression.warm()
        log.info("%d encoders of /compress are warm seconds=%.1f", warm, time.perf_counter() - started)

    def _load(self) -> None:
        self.engine.load()
        self.results.load()

    def _fail(self, error: Exception) -> None:
        """Answer no more: what a broken device computes is garbage, if it computes anything."""
        if self.phase is Phase.READY:  # and not one of the many that a broken device causes
            self._die(Phase.FAILED, "the device failed", error)

    def _die(self, phase: Phase, what: str, error: Exception) -> None:
        """For what we raise on purpose, a line of the log says it all."""
        told = not isinstance(error, ColorCNNError)
        log.critical("%s: %s: %s", what, type(error).__name__, error, exc_info=error if told else None)
        if self.phase is Phase.DRAINING:  # it ends anyway
            return
        self.phase = phase
        if self._on_broken:
            self._on_broken()

    def drain(self) -> None:
        """Take no new requests, and let no benchmark outlast the others."""
        if self.phase not in _DEAD:
            self.phase = Phase.DRAINING
        self.benchmarks.stop()

    @property
    def is_ending(self) -> bool:
        """Whether this process will take no more requests."""
        return self.phase in (*_DEAD, Phase.DRAINING)

    def require_ready(self) -> None:
        """Raises NotReady unless the models are loaded and warm."""
        if self.phase is not Phase.READY:
            raise self._not_ready()

    def require_capacity(self) -> None:
        """Raises NotReady, or QueueFull where one more request to /quantize or /classify would be refused."""
        self.require_ready()
        self.pipeline.admission.check()

    def require_alive(self) -> None:
        """Raises NotReady if only a restart can help."""
        if self.phase in _DEAD:
            raise self._not_ready()

    def _not_ready(self) -> NotReady:
        return NotReady(f"{self.phase.value}.")
