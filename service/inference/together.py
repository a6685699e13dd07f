"""Several images of one request at a time, so that they can share batches."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import anyio

from models.errors import ColorCNNError
from service.settings import Settings

Item = TypeVar("Item")
Result = TypeVar("Result")

MOST_AT_ONCE = 8
"""Images of one request that are at work at once."""
_PART = 4  # of the requests in flight; half of these may have large images, so those of one request always find room


def images_at_once(settings: Settings) -> int:
    """Return how many images of one request may be at work at once."""
    return max(1, min(MOST_AT_ONCE, settings.queue_size // _PART))


async def run_together(
    items: Sequence[Item], work: Callable[[Item], Awaitable[Result]], at_once: int
) -> Sequence[Result]:
    """Run `work` for each item, at most `at_once` at a time, and return the results in order.

    Raises the error of the first item in order that fails. No further work begins after an error.

    Raises:
        ColorCNNError: its message names the position of the item, counted from 1, where there are several.
    """
    results: dict[int, Result] = {}
    errors: dict[int, Exception] = {}
    waiting = iter(enumerate(items))

    async def take_turns() -> None:
        for position, item in waiting:
            try:
                results[position] = await work(item)
            except Exception as error:  # a task group would wrap it in an exception group, and cancel earlier items
                errors[position] = error
            if errors:
                return

    async with anyio.create_task_group() as tasks:
        for _ in range(min(at_once, len(items))):
            tasks.start_soon(take_turns)
    if errors:
        position = min(errors)
        error = errors[position]
        if isinstance(error, ColorCNNError) and len(items) > 1:
            error.args = (f"Image {position + 1} of {len(items)}: {error}", *error.args[1:])
        raise error
    return [results[position] for position in range(len(items))]
