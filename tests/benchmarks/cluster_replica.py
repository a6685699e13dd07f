"""A replica of the benchmark of clusters: a slow simulated device, and the route /pid, which returns the process id."""

import os

from service.api import routes
from service.lifecycle import Service
from service.settings import Settings
from tests.benchmarks import simulated_server
from tests.benchmarks.simulated import SimulatedEngine

BATCH_MS, IMAGE_MS = 40.0, 10.0
"""So slow that two devices, and not the CPUs of a small machine, are the limit."""


class SlowEngine(SimulatedEngine):
    """Simulated device of these times."""

    batch_ms = BATCH_MS
    image_ms = IMAGE_MS


def build(settings: Settings) -> Service:
    """Return a service with the slow device; each replica calls this in its process."""
    routes.router.add_api_route("/pid", pid)
    return simulated_server.build(settings, SlowEngine())


async def pid() -> int:
    """Return the id of the process."""
    return os.getpid()
