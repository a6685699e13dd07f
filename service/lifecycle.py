"""The life of one service: loading, then ready, then draining; or broken, when its models cannot be loaded."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from enum import Enum

import anyio

from service.benchmark import Benchmarks
from service.compression import Compression
from service.device import Device
from service.engine import Engine
from service.pipeline import Pipeline
from service.problems import NotReady
from service.settings import Settings
from service.steps import Steps
from service.stored_results import StoredResults
from service.worker_process import Run

log = logging.getLogger("colorcnn.service")


class Phase(Enum):
    """Where a service is in its life; the value is what the probes say when it is not ready."""

    LOADING = "The models are being loaded"
    READY = "The service is ready"
    BROKEN = "The models could not be loaded, see the log"
    DRAINING = "The service is shutting down"


class Service:
    """Settings, engine and work of one application, and the phase it is in.

    Args:
        on_broken: called once if the models cannot be loaded, so that the process can end instead of lingering.
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
        self.device = Device(engine, settings)
        steps = Steps(engine, self.device, settings)
        self.pipeline = Pipeline(steps, settings)
        self.compression = Compression(steps, settings, encoders)
        self.phase = Phase.LOADING
        self._on_broken = on_broken

    async def start(self) -> None:
        """Load and warm the models in a thread, so that the liveness probe is answered meanwhile."""
        started = time.perf_counter()
        try:
            await anyio.to_thread.run_sync(self._load, abandon_on_cancel=True)
        except Exception:  # whatever it is, the process must say so and not serve
            log.critical("the models could not be loaded", exc_info=True)
            self.phase = Phase.BROKEN
            if self._on_broken:
                self._on_broken()
            return
        self.phase = Phase.READY
        names = ",".join(entry.name for entry in self.engine.models())
        seconds = time.perf_counter() - started
        log.info("ready device=%s models=%s seconds=%.1f", self.engine.device, names, seconds)

    def _load(self) -> None:
        self.engine.load()
        self.results.load()

    def drain(self) -> None:
        """Take no new requests, and let no benchmark outlast the others."""
        self.phase = Phase.DRAINING
        self.benchmarks.stop()

    @property
    def is_ending(self) -> bool:
        """Whether this process will take no more requests."""
        return self.phase in (Phase.BROKEN, Phase.DRAINING)

    def require_ready(self) -> None:
        """Raises NotReady unless the models are loaded and warm."""
        if self.phase is not Phase.READY:
            raise self._not_ready()

    def require_room(self) -> None:
        """Raises NotReady, or QueueFull where one more request to /quantize or /classify would be refused."""
        self.require_ready()
        self.pipeline.admission.check()

    def require_alive(self) -> None:
        """Raises NotReady if only a restart can help."""
        if self.phase is Phase.BROKEN:
            raise self._not_ready()

    def _not_ready(self) -> NotReady:
        return NotReady(f"{self.phase.value}.", retry_after=self.settings.retry_after)
