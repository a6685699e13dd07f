"""`python -m tests.service.fake_server`: the real server process around the fake engine.

Benchmarks run in the real worker process; TRAPS names a folder of traps for them, see `FakeLoader`. SLOW says how
many seconds painting an image takes.
"""

import os
import sys
from pathlib import Path


def main() -> int:
    """Serve with the settings of the environment; imports are here because worker processes read this file too."""
    from service.__main__ import serve
    from service.benchmark.runner import Benchmarks
    from service.runtime.worker_process import WorkerProcess
    from service.settings import Settings
    from tests.service.fake_loader import FakeLoader
    from tests.service.fakes import FakeEngine

    engine, settings, traps = FakeEngine(float(os.environ.get("SLOW", "0"))), Settings(), os.environ.get("TRAPS")
    loader = FakeLoader(Path(traps) if traps else None)
    return serve(settings, engine, Benchmarks(engine, settings, loader, WorkerProcess()))


if __name__ == "__main__":
    sys.exit(main())
