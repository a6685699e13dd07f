"""The uvicorn server of the service."""

from __future__ import annotations

import socket
from collections.abc import Callable

import uvicorn


class Server(uvicorn.Server):
    """Calls `drain` when the signal to end has come; uvicorn alone tells the application after its last request."""

    def __init__(self, config: uvicorn.Config, drain: Callable[[], None]) -> None:
        super().__init__(config)
        self._drain = drain

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Take no new requests, let the running ones end, and then the application."""
        self._drain()
        await super().shutdown(sockets)
