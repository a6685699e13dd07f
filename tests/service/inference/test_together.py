"""Images of one request at a time: order, how many at once, and which error counts."""

import anyio
import pytest

from models.errors import BadImage
from service.inference.together import images_at_once, run_together
from service.settings import Settings

pytestmark = pytest.mark.anyio


async def test_results_are_in_order_and_no_more_than_the_limit_are_at_work() -> None:
    busy, most = 0, 0

    async def work(item: int) -> int:
        nonlocal busy, most
        busy += 1
        most = max(most, busy)
        for _ in range(10 - item):
            await anyio.lowlevel.checkpoint()
        busy -= 1
        return item * item

    assert await run_together(range(10), work, 3) == [item * item for item in range(10)]
    assert most == 3


async def test_the_first_error_in_order_counts_and_no_further_work_begins() -> None:
    begun: list[int] = []
    failed = anyio.Event()

    async def work(item: int) -> None:
        begun.append(item)
        if item == 1:
            failed.set()
            raise BadImage("not one")
        await failed.wait()
        if item == 0:
            raise BadImage("earlier in order, later in time")

    with pytest.raises(BadImage, match=r"^Image 1 of 9: earlier in order"):
        await run_together(range(9), work, 2)
    assert begun == [0, 1]


async def test_another_error_and_that_of_a_single_item_are_left_alone() -> None:
    async def fail(error: Exception) -> None:
        raise error

    with pytest.raises(BadImage, match=r"^alone$"):
        await run_together([BadImage("alone")], fail, 4)
    with pytest.raises(ZeroDivisionError, match=r"^bug$"):
        await run_together([ZeroDivisionError("bug"), BadImage("x")], fail, 4)


@pytest.mark.parametrize(("queue_size", "at_once"), [(1, 1), (3, 1), (8, 2), (32, 8), (1000, 8)])
def test_large_images_of_one_request_always_find_room(queue_size: int, at_once: int) -> None:
    assert images_at_once(Settings(queue_size=queue_size)) == at_once <= max(1, queue_size // 2)
