"""Cancellation of work whose client has disconnected."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import anyio
from starlette.requests import ClientDisconnect
from starlette.types import Receive

Result = TypeVar("Result")


async def cancel_on_disconnect(receive: Receive, work: Callable[[], Awaitable[Result]]) -> Result:
    """Return the result of `work`, and cancel `work` when the client disconnects.

    The request body must have been read. Raises the error of `work`, or ClientDisconnect.
    """
    scope = anyio.CancelScope()
    # A task of asyncio, because a task group takes as long as a tenth of the response to a small image. The watcher
    # holds nothing that would have to be released, so nobody waits for its end.
    watcher = asyncio.get_running_loop().create_task(_cancel_at_disconnect(receive, scope))
    try:
        with scope:
            return await work()
    finally:
        watcher.cancel()
    raise ClientDisconnect


async def _cancel_at_disconnect(receive: Receive, scope: anyio.CancelScope) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    scope.cancel()
