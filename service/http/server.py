"""The uvicorn server of the service."""

from __future__ import annotations

import signal
import socket
from collections.abc import Callable

import anyio
import uvicorn


class Server(uvicorn.Server):
    """Calls `drain` when the signal to end has come; uvicorn alone tells the application after its last request.

    delay: seconds from then until no more connections are taken, in which probes and proxies can see that it ends.
    """

    def __init__(self, config: uvicorn.Config, drain: Callable[[], None], delay: float) -> None:
        super().__init__(config)
        self._drain = drain
        self._delay = delay

    def run(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve until a signal. uvicorn raises it again at the end, which must not be what ends the process."""
        signal.signal(signal.SIGTERM, self.handle_exit)
        super().run(sockets)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Take no new requests, then no connections, let the running requests end, and then the application."""
        self._drain()
        await anyio.sleep(self._delay)
        await super().shutdown(sockets)
