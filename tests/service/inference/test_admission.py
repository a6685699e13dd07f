"""Admission and the budget of pixels: the last request and pixel that fit, and the order of those that wait."""

import anyio
import pytest
from anyio.abc import TaskGroup
from anyio.lowlevel import checkpoint

from service.errors import OutOfTime, QueueFull
from service.inference.admission import Admission, PixelBudget, in_time

pytestmark = pytest.mark.anyio


async def turns() -> None:
    """Let every task run until it waits."""
    for _ in range(5):
        await checkpoint()


async def test_as_many_requests_as_the_limit_are_admitted() -> None:
    admission = Admission(2)
    with admission.admit() as first, admission.admit():
        assert admission.in_flight == 2
        with pytest.raises(QueueFull, match="2 requests are in flight"), admission.admit():
            pass
        first.release()
        first.release()
        assert admission.in_flight == 1
        with admission.admit():
            assert admission.in_flight == 2
    assert admission.in_flight == 0


async def test_a_block_beyond_its_time_names_the_time() -> None:
    with pytest.raises(OutOfTime, match=r"had 0\.01 seconds"), in_time(0.01):
        await anyio.sleep_forever()


async def test_a_reservation_may_take_the_whole_budget_and_returns_it() -> None:
    budget = PixelBudget(10)
    for _ in range(2):
        with anyio.fail_after(5):
            async with budget.reserve(10):
                assert budget.waiting == 0


class Holders:
    """Tasks that each hold a reservation until a test lets it go. order: the requests in the order of their grants."""

    def __init__(self, budget: PixelBudget, tasks: TaskGroup) -> None:
        self.budget, self.tasks = budget, tasks
        self.order: list[int] = []
        self.ends: dict[int, anyio.Event] = {}
        self.scopes: dict[int, anyio.CancelScope] = {}

    async def start(self, *requests: int) -> None:
        """Request as many pixels as each number says."""
        for pixels in requests:
            self.ends[pixels], self.scopes[pixels] = anyio.Event(), anyio.CancelScope()
            self.tasks.start_soon(self._hold, pixels)
        await turns()

    async def end(self, *requests: int) -> None:
        for pixels in requests:
            self.ends[pixels].set()
        await turns()

    async def cancel(self, pixels: int) -> None:
        self.scopes[pixels].cancel()
        await turns()

    async def _hold(self, pixels: int) -> None:
        with self.scopes[pixels]:
            async with self.budget.reserve(pixels):
                self.order.append(pixels)
                await self.ends[pixels].wait()


async def test_requests_get_their_pixels_in_order_and_exactly_as_many_as_fit() -> None:
    """The 2 would fit beside the 8 at once, but the 6 asked before."""
    budget = PixelBudget(10)
    async with anyio.create_task_group() as tasks:
        holders = Holders(budget, tasks)
        await holders.start(8, 6, 4, 2)
        assert (holders.order, budget.waiting) == ([8], 3)
        await holders.end(8)
        assert (holders.order, budget.waiting) == ([8, 6, 4], 1)
        await holders.end(4)
        assert (holders.order, budget.waiting) == ([8, 6, 4, 2], 0)
        await holders.end(6, 2)


async def test_a_canceled_request_lets_the_next_one_pass_and_keeps_nothing() -> None:
    budget = PixelBudget(10)
    async with anyio.create_task_group() as tasks:
        holders = Holders(budget, tasks)
        await holders.start(7, 9, 3)
        await holders.cancel(9)
        assert (holders.order, budget.waiting) == ([7, 3], 0)
        await holders.cancel(7)
        await holders.cancel(3)
        await holders.start(10)
        assert holders.order == [7, 3, 10]
        await holders.end(10)


async def test_a_reservation_that_shrinks_releases_the_rest_once() -> None:
    budget = PixelBudget(10)
    async with anyio.create_task_group() as tasks:
        holders = Holders(budget, tasks)
        async with budget.reserve(10) as reservation:
            await holders.start(6, 1)
            reservation.shrink(10)
            reservation.shrink(5)
            assert (reservation.pixels, holders.order) == (5, [])
            reservation.shrink(4)
            reservation.shrink(9)
            await turns()
            assert (reservation.pixels, holders.order) == (4, [6])
        await turns()
        assert holders.order == [6, 1]
        await holders.end(6, 1)
