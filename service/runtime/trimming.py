"""Freed memory goes back to the system while the service runs."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NoReturn

import anyio

from service.runtime.memory import trim

_INTERVAL = 10.0  # seconds
_LEAST_WORK = 0.5  # seconds of CPU time of all threads; with less, little can have been freed


async def keep_trimmed(work: Callable[[], float] = time.process_time) -> NoReturn:
    """Call `trim` in a thread every ten seconds, if the process has worked meanwhile. Never ends.

    work: returns the CPU seconds that the process has taken.
    """
    before = work()
    while True:
        await anyio.sleep(_INTERVAL)
        if work() - before >= _LEAST_WORK:
            await anyio.to_thread.run_sync(trim, abandon_on_cancel=True)
            before = work()
