"""`python -m tests.benchmarks.simulated_server`: the upload server with a simulated device."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from service.lifecycle import Service
    from service.settings import Settings
    from tests.benchmarks.simulated import SimulatedEngine


def main() -> int:
    """Serve with the settings of the environment. Worker processes import this file, so it imports late."""
    from tests.benchmarks import upload_server

    return upload_server.main(build)


def build(settings: Settings, engine: SimulatedEngine | None = None) -> Service:
    """Return a service around a simulated device, by default that of a small GPU, with real worker processes."""
    from service.benchmark.loader import ModelLoader
    from service.benchmark.queue import Benchmarks
    from service.lifecycle import Service
    from service.runtime.worker_process import WorkerProcess
    from tests.benchmarks.simulated import SimulatedEngine

    engine = engine or SimulatedEngine()
    worker, *encoders = processes = [WorkerProcess() for _ in range(1 + settings.compress_workers)]
    benchmarks = Benchmarks(engine, settings, ModelLoader(settings.models_folder, engine.device), worker)
    return Service(settings, engine, benchmarks, encoders, processes)


if __name__ == "__main__":
    sys.exit(main())
