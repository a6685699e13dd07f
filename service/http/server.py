"""The uvicorn server of the service."""

from __future__ import annotations

import signal
import socket
from collections.abc import Callable

import anyio
import uvicorn


class Server(uvicorn.Server):
    """Server that calls `drain` at the stop signal; plain uvicorn notifies the application only after its last request.

    delay: seconds between the signal and the closing of the port, so that probes and proxies notice the shutdown.
    """

    def __init__(self, config: uvicorn.Config, drain: Callable[[], None], delay: float) -> None:
        super().__init__(config)
        self._drain = drain
        self._delay = delay

    def run(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve until a signal. uvicorn raises the signal again at the end; the handler keeps the process alive."""
        signal.signal(signal.SIGTERM, self.handle_exit)
        super().run(sockets)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Refuse new requests, close the port after the delay, finish the running requests, stop the application."""
        self._drain()
        await anyio.sleep(self._delay)
        await super().shutdown(sockets)
