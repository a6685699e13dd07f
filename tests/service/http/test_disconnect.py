"""Work ends when its client disconnects, and at no other time."""

from collections.abc import Awaitable, Callable

import anyio
import anyio.lowlevel
import pytest
from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive

from service.http.disconnect import cancel_on_disconnect
from tests.service.waiting import PATIENCE

pytestmark = pytest.mark.anyio


def client(leaves: anyio.Event) -> Receive:
    """A client that has sent its body and disconnects at `leaves`."""
    messages: list[Message] = [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive() -> Message:
        if messages:
            return messages.pop()
        await leaves.wait()
        return {"type": "http.disconnect"}

    return receive


def until(event: anyio.Event, ended: list[str]) -> Callable[[], Awaitable[str]]:
    """Work that waits for an event and then returns; it notes how it ended."""

    async def work() -> str:
        try:
            with anyio.fail_after(PATIENCE):
                await event.wait()
        except anyio.get_cancelled_exc_class():
            ended.append("cancelled")
            raise
        ended.append("done")
        return "result"

    return work


async def test_work_of_a_client_that_stays_returns_its_result() -> None:
    ended: list[str] = []
    done = anyio.Event()
    done.set()

    assert await cancel_on_disconnect(client(anyio.Event()), until(done, ended)) == "result"

    assert ended == ["done"]


async def test_work_of_a_client_that_leaves_is_cancelled() -> None:
    ended: list[str] = []
    leaves = anyio.Event()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_after_turns, leaves.set)
        with pytest.raises(ClientDisconnect):
            await cancel_on_disconnect(client(leaves), until(anyio.Event(), ended))

    assert ended == ["cancelled"]


async def test_an_error_of_the_work_is_raised_as_it_is() -> None:
    async def fail() -> None:
        raise ArithmeticError("of the work")

    with pytest.raises(ArithmeticError, match="of the work"):
        await cancel_on_disconnect(client(anyio.Event()), fail)


async def test_a_cancellation_from_outside_cancels_the_work_and_is_no_disconnect() -> None:
    ended: list[str] = []

    with anyio.CancelScope() as scope:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_after_turns, scope.cancel)
            await cancel_on_disconnect(client(anyio.Event()), until(anyio.Event(), ended))

    assert scope.cancelled_caught
    assert ended == ["cancelled"]


async def test_nothing_listens_to_the_client_once_the_work_has_ended() -> None:
    listening: list[str] = []

    async def receive() -> Message:
        listening.append("begun")
        try:
            await anyio.sleep_forever()
        finally:
            listening.append("ended")
        return {"type": "http.disconnect"}

    async def work() -> None:
        await anyio.lowlevel.checkpoint()

    await cancel_on_disconnect(receive, work)
    await _turns()

    assert listening == ["begun", "ended"]


async def _turns() -> None:
    for _ in range(5):
        await anyio.lowlevel.checkpoint()


async def _after_turns(act: Callable[[], None]) -> None:
    await _turns()
    act()
