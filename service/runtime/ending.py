"""The end of the process, which no thread delays.

Python waits for every thread before the process ends, and no thread can be ended in the middle of a call to a library.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import sys
import threading
import time
from typing import NoReturn

_PATIENCE = 0.5  # seconds for threads without work to notice that they are no longer needed

log = logging.getLogger("colorcnn.service")


def end_process(status: int) -> NoReturn:
    """End the process with `status`, at once where threads are still at work, else as `sys.exit` does."""
    deadline = time.monotonic() + _PATIENCE
    for thread in _working():
        thread.join(max(0.0, deadline - time.monotonic()))
    left = _working()
    if not left:
        sys.exit(status)
    log.warning("the process ends in the middle of the work of %d threads", len(left))
    _end_at_once(status)


def end_after(seconds: float, status: int) -> None:
    """End the process with `status` after that many seconds, whatever it does then."""

    def end() -> None:
        log.error("requests did not end in time, so the process ends without them")
        _end_at_once(status)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()


def _working() -> list[threading.Thread]:
    """Return the other threads that Python waits for."""
    here = threading.current_thread()
    return [thread for thread in threading.enumerate() if thread is not here and not thread.daemon]


def _end_at_once(status: int) -> NoReturn:
    for process in multiprocessing.active_children():
        process.kill()
    logging.shutdown()
    os._exit(status)
