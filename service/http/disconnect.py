"""Work for a client that may leave."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

import anyio
from starlette.requests import ClientDisconnect
from starlette.types import Receive

Result = TypeVar("Result")


async def cancel_on_disconnect(receive: Receive, work: Callable[[], Awaitable[Result]]) -> Result:
    """The result of `work`, which is cancelled when the client leaves; its request body must have been read.

    Raises what `work` raises, or ClientDisconnect if the client left.
    """
    results: list[Result] = []
    errors: list[Exception] = []

    async def run() -> None:
        try:
            results.append(await work())
        except Exception as error:  # a task group would raise a group of it
            errors.append(error)
        tasks.cancel_scope.cancel()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(run)
        while (await receive())["type"] != "http.disconnect":
            pass
        tasks.cancel_scope.cancel()
    if errors:
        raise errors[0]
    if not results:
        raise ClientDisconnect
    return results[0]
