"""`python -m tests.service.fake_server`: the real server process around the fake engine.

Benchmarks run in the real worker process. TRAPS names a folder of traps for them, see `FakeLoader`. SLOW is the number
of seconds that quantizing an image takes, PARTS the number of parts that it has. LOADING is the number of seconds that
loading takes.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from service.lifecycle import Service
    from service.settings import Settings


def main() -> int:
    """Serve with the settings of the environment; worker processes import this file, so it imports late."""
    from service.__main__ import serve
    from service.settings import Settings

    return serve(Settings(), build)


def build(settings: Settings) -> Service:
    """Return a service around the fake engine, with real worker processes."""
    from service.benchmark.queue import Benchmarks
    from service.lifecycle import Service
    from service.runtime.worker_process import WorkerProcess
    from tests.service.fake_loader import FakeLoader
    from tests.service.fakes import FakeEngine

    seconds = {name: float(os.environ.get(name, "0")) for name in ("SLOW", "LOADING")}
    engine = FakeEngine(seconds["SLOW"], int(os.environ.get("PARTS", "1")), seconds["LOADING"])
    traps = os.environ.get("TRAPS")
    loader = FakeLoader(Path(traps) if traps else None)
    worker, *encoders = processes = [WorkerProcess() for _ in range(1 + settings.compress_workers)]
    return Service(settings, engine, Benchmarks(engine, settings, loader, worker), encoders, processes)


if __name__ == "__main__":
    from service.runtime.ending import end_process

    end_process(main())
