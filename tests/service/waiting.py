"""Waiting in tests: for a condition, never for a fixed time."""

from collections.abc import Callable

import anyio

PATIENCE = 30.0  # seconds until a test gives up; nothing takes that long


async def until(condition: Callable[[], object]) -> None:
    """Wait for a condition that other tasks bring about soon."""
    with anyio.fail_after(PATIENCE):
        while not condition():
            await anyio.sleep(0.002)
