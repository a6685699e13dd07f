"""The uvicorn server of the service."""

from __future__ import annotations

import signal
import socket
from collections.abc import Callable

import anyio
import uvicorn

from service.runtime.ending import end_after

_UNFINISHED = 1  # exit status of a process that ends in the middle of work
_LAST_PART = 3.0  # seconds for work to reach its next pause, where it ends, after the time of its request


class Server(uvicorn.Server):
    """Server that calls `drain` at the stop signal; plain uvicorn notifies the application only after its last request.

    The process ends soon after the graceful shutdown of `config`, even if a thread is still at work.

    drain: refuses new requests, and returns whether clients may have been served before.
    delay: seconds between the signal and the closing of the port, so that probes and proxies notice the shutdown.
    """

    def __init__(self, config: uvicorn.Config, drain: Callable[[], bool], delay: float) -> None:
        super().__init__(config)
        self._drain = drain
        self._delay = delay

    def run(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve until a signal. uvicorn raises the signal again at the end; the handler keeps the process alive."""
        signal.signal(signal.SIGTERM, self.handle_exit)
        super().run(sockets)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Refuse new requests, close the port after the delay, finish the running requests, stop the application."""
        delay = self._delay if self._drain() else 0.0
        end_after(delay + (self.config.timeout_graceful_shutdown or 0) + _LAST_PART, _UNFINISHED)
        await anyio.sleep(delay)
        await super().shutdown(sockets)
