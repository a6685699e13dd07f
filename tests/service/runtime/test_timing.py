"""The timer of a request: tasks and threads inherit it, other requests do not share it."""

import anyio
import pytest

from service.runtime import timing
from service.runtime.timing import Timings

pytestmark = pytest.mark.anyio


async def test_the_seconds_of_a_stage_add_up() -> None:
    with timing.started() as timer:
        timing.add("queue", 1.0)
        timing.add("queue", 0.5)
        with timing.measure("model"):
            pass

    assert (timer.timings().queue, timer.timings().decode) == (1.5, 0.0)
    assert timer.timings().model > 0


async def test_a_stage_that_fails_is_measured_too() -> None:
    with timing.started() as timer, pytest.raises(ZeroDivisionError), timing.measure("encode"):
        raise ZeroDivisionError

    assert timer.timings().encode > 0


async def test_tasks_and_threads_of_a_request_share_its_timer() -> None:
    async def wait() -> None:
        timing.add("queue", 2.0)

    with timing.started() as timer:
        await anyio.to_thread.run_sync(timing.add, "decode", 1.0)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(wait)

    assert timer.timings() == Timings(decode=1.0, queue=2.0, model=0.0, encode=0.0)


async def test_requests_do_not_share_a_timer() -> None:
    measured: list[float] = []

    async def request(seconds: float) -> None:
        with timing.started() as timer:
            await anyio.lowlevel.checkpoint()
            timing.add("model", seconds)
            await anyio.lowlevel.checkpoint()
            measured.append(timer.timings().model)

    async with anyio.create_task_group() as tasks:
        for seconds in (1.0, 2.0):
            tasks.start_soon(request, seconds)

    assert sorted(measured) == [1.0, 2.0]


async def test_no_times_are_recorded_outside_a_request() -> None:
    timing.add("model", 1.0)

    assert timing.current().timings().model == 0.0
