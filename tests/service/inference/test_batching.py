"""service/inference/batching.py: which items share a batch, the limits, and that every caller gets an outcome."""

import threading
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

import anyio
import pytest
from anyio.abc import TaskGroup
from anyio.lowlevel import checkpoint
from hypothesis import given, settings
from hypothesis import strategies as st

from service.inference.batching import Abandoned, Batcher, Closed, Expired, Full, Limits, Ran
from tests.service.waiting import PATIENCE

pytestmark = pytest.mark.anyio

Item = int | str

WIDE = Limits(queue_items=100, queue_size=1000, batch_items=100, batch_size=1000)


class Device:
    """A device that returns the key and the item itself for each item, and records the batches.

    blocked: batches wait on the device until a test lets one go or releases all. bad: items that fail. checked: items
    of each batch that checked for its end, and the error that ended it.
    """

    def __init__(self) -> None:
        self.blocked = False
        self.bad: set[Item] = set()
        self.batches: list[tuple[str, list[Item]]] = []
        self.in_flight = self.most_in_flight = 0
        self.checked: list[tuple[list[Item], type[BaseException] | None]] = []
        self._entries, self._passes = threading.Semaphore(0), threading.Semaphore(0)

    def __call__(self, key: str, items: Sequence[Item], check: Callable[[], None]) -> list[object]:
        self.batches.append((key, list(items)))
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        self._entries.release()
        assert not self.blocked or self._passes.acquire(timeout=PATIENCE)
        self.in_flight -= 1
        self._check(items, check)
        if self.bad.intersection(items):
            raise ArithmeticError(f"bad among {items}")
        return [(key, item) for item in items]

    def _check(self, items: Sequence[Item], check: Callable[[], None]) -> None:
        """Check for the end of the batch and record its error."""
        try:
            check()
        except BaseException as error:
            self.checked.append((list(items), type(error)))
            raise
        self.checked.append((list(items), None))

    async def entered(self) -> None:
        """Wait until the next batch is on the device; each counts once."""
        assert await anyio.to_thread.run_sync(self._entries.acquire, True, PATIENCE)

    def let_one_go(self) -> None:
        self._passes.release()

    def release(self) -> None:
        self.blocked = False
        self._passes.release()


async def turns() -> None:
    """Let every task run until it waits: no test here needs as many turns of the event loop."""
    for _ in range(10):
        await checkpoint()


class Callers:
    """Tasks that submit items: `outcomes` holds the result or the exception of each item."""

    def __init__(self, batcher: Batcher[str, Item, object], tasks: TaskGroup) -> None:
        self.batcher = batcher
        self.tasks = tasks
        self.outcomes: dict[Item, object] = {}
        self.scopes: dict[Item, anyio.CancelScope] = {}

    async def start(self, *items: Item, key: str = "a", size: int = 1, timeout: float = PATIENCE) -> None:
        """Submit each item from a task of its own, in this order; return when all tasks wait."""
        for item in items:
            self.scopes[item] = anyio.CancelScope()
            self.tasks.start_soon(self._submit, key, item, size, timeout)
        await turns()

    async def cancel(self, *items: Item) -> None:
        for item in items:
            self.scopes[item].cancel()
        await turns()

    async def _submit(self, key: str, item: Item, size: int, timeout: float) -> None:
        with self.scopes[item]:
            try:
                self.outcomes[item] = await self.batcher.submit(key, item, size, timeout=timeout)
            except Exception as error:
                self.outcomes[item] = error


@pytest.fixture
def device() -> Device:
    return Device()


@asynccontextmanager
async def calling(
    device: Device, limits: Limits = WIDE, observe: Callable[[Ran[str]], None] = lambda _: None, threads: int = 1
) -> AsyncIterator[Callers]:
    """A serving batcher, and callers; the block ends when all have an outcome, or the test fails."""
    batcher: Batcher[str, Item, object] = Batcher(device, limits, threads=threads, observe=observe)
    with anyio.fail_after(PATIENCE):
        async with batcher.serving(), anyio.create_task_group() as tasks:
            yield Callers(batcher, tasks)


@asynccontextmanager
async def busy(device: Device, limits: Limits = WIDE) -> AsyncIterator[Callers]:
    """As `calling`, with the item "first" on the device, which is blocked until the end of the block."""
    device.blocked = True
    async with calling(device, limits) as callers:
        await callers.start("first")
        await device.entered()
        yield callers
        device.release()


async def test_an_item_does_not_wait_for_others(device: Device) -> None:
    async with calling(device) as callers:
        assert await callers.batcher.submit("a", 1) == ("a", 1)

    assert device.batches == [("a", [1])]


async def test_items_that_queue_while_the_device_is_busy_share_a_batch(device: Device) -> None:
    async with busy(device) as callers:
        await callers.start(1, 2, 3)
        assert callers.batcher.waiting == callers.batcher.waiting_size == 3

    assert device.batches == [("a", ["first"]), ("a", [1, 2, 3])]
    assert callers.outcomes == {item: ("a", item) for item in ("first", 1, 2, 3)}
    assert callers.batcher.waiting == callers.batcher.waiting_size == 0


async def test_keys_do_not_mix_and_the_oldest_item_is_always_next(device: Device) -> None:
    """Many items of one key neither join the batch of another key nor delay it until all of them have run."""
    async with busy(device, Limits(100, 1000, batch_items=2, batch_size=1000)) as callers:
        await callers.start(1, 2, 3, key="crowd")
        await callers.start(4, key="lonely")
        await callers.start(5, 6, key="crowd")

    assert device.batches[1:] == [("crowd", [1, 2]), ("crowd", [3, 5]), ("lonely", [4]), ("crowd", [6])]


async def test_a_batch_is_bounded_by_size_and_keeps_the_order(device: Device) -> None:
    """A small item does not overtake a large one that does not fit; an item above the limit runs alone."""
    async with busy(device, Limits(100, 1000, batch_items=100, batch_size=10)) as callers:
        for item, size in enumerate([6, 5, 4, 11, 1]):
            await callers.start(item, size=size)

    assert [items for _, items in device.batches[1:]] == [[0], [1, 2], [3], [4]]


@pytest.mark.parametrize(("most", "batches"), [(10, [[0, 1], [2]]), (9, [[0], [1, 2]]), (11, [[0, 1, 2]])])
async def test_a_batch_may_be_as_large_as_its_limit(device: Device, most: int, batches: list[list[int]]) -> None:
    async with busy(device, Limits(100, 1000, batch_items=100, batch_size=most)) as callers:
        for item, size in enumerate([6, 4, 1]):
            await callers.start(item, size=size)

    assert [items for _, items in device.batches[1:]] == batches


async def test_a_queue_may_be_as_large_as_its_limit(device: Device) -> None:
    async with busy(device, Limits(100, queue_size=10, batch_items=9, batch_size=9)) as callers:
        await callers.start("large", size=6)
        with pytest.raises(Full, match="items of size 6 are waiting already; there is no room for 5 more"):
            await callers.batcher.submit("a", "too much", 5)
        await callers.start("last", size=4)
        assert callers.batcher.waiting_size == 10
        with pytest.raises(Full, match="size 10"):
            await callers.batcher.submit("a", "more", 1)


@pytest.mark.parametrize(("limits", "room"), [(Limits(3, 100, 9, 9), 3), (Limits(100, 10, 9, 9), 2)])
async def test_a_full_queue_rejects_at_once_and_recovers(device: Device, limits: Limits, room: int) -> None:
    async with busy(device, limits) as callers:
        await callers.start(*range(room), size=4)
        with pytest.raises(Full, match="waiting already"):
            await callers.batcher.submit("a", "too much", 4)
        await callers.cancel(0)
        await callers.start("again", size=4)

    assert callers.outcomes["again"] == ("a", "again") and "too much" not in str(device.batches)


async def test_an_item_larger_than_the_queue_is_accepted_when_nothing_waits(device: Device) -> None:
    async with calling(device, Limits(1, 1, 1, 1)) as callers:
        assert await callers.batcher.submit("a", "giant", 50) == ("a", "giant")


async def test_a_cancelled_item_is_never_run(device: Device) -> None:
    async with busy(device) as callers:
        await callers.start(1, 2, 3, size=2)
        await callers.cancel(2)
        assert callers.batcher.waiting_size == 4

    assert device.batches[1:] == [("a", [1, 3])]
    assert 2 not in callers.outcomes


async def test_one_of_four_cancelled_in_mid_batch_leaves_the_others_their_results(device: Device) -> None:
    """async-batcher 0.2.2 sets the result of a future that is cancelled: its worker dies and the other three hang."""
    async with busy(device) as callers:
        await callers.start(1, 2, 3, 4)
        device.let_one_go()
        await device.entered()
        await callers.cancel(2)
        await callers.start("after")

    assert device.batches[1:] == [("a", [1, 2, 3, 4]), ("a", ["after"])]
    assert callers.outcomes == {item: ("a", item) for item in ("first", 1, 3, 4, "after")}


async def test_an_item_cancelled_in_a_batch_that_fails_is_not_tried_again(device: Device) -> None:
    device.bad = {1}
    async with busy(device) as callers:
        await callers.start(1, 2, 3)
        device.let_one_go()
        await device.entered()
        await callers.cancel(2)

    assert device.batches[2:] == [("a", [1]), ("a", [3])]


@pytest.mark.parametrize(("leaving", "ended"), [((1, 2), Abandoned), ((1,), None)])
async def test_a_batch_ends_once_every_caller_has_left(
    device: Device, leaving: Sequence[Item], ended: type[Exception] | None
) -> None:
    async with busy(device) as callers:
        await callers.start(1, 2)
        device.let_one_go()
        await device.entered()
        await callers.cancel(*leaving)
        await callers.start("after")

    assert device.checked == [(["first"], None), ([1, 2], ended), (["after"], None)]
    assert callers.outcomes.keys() == {"first", 1, 2, "after"}.difference(leaving)


async def test_a_thread_more_runs_a_batch_more_at_once(device: Device) -> None:
    device.blocked = True
    async with calling(device, threads=2) as callers:
        for item in (1, 2, 3):
            await callers.start(item, key=str(item))
        for _ in range(2):
            await device.entered()
        assert (device.in_flight, callers.batcher.waiting) == (2, 1)
        device.let_one_go()
        await device.entered()
        device.blocked = False
        for _ in range(2):
            device.let_one_go()

    assert callers.outcomes == {item: (str(item), item) for item in (1, 2, 3)}
    assert device.most_in_flight == 2


async def test_an_idle_batcher_with_two_threads_wakes_for_each_item(device: Device) -> None:
    async with calling(device, threads=2) as callers:
        for item in range(5):
            assert await callers.batcher.submit("a", item) == ("a", item)
            await turns()


async def test_a_bad_item_fails_alone(device: Device) -> None:
    device.bad = {2}
    async with busy(device) as callers:
        await callers.start(1, 2, 3)

    assert isinstance(callers.outcomes.pop(2), ArithmeticError)
    assert callers.outcomes == {item: ("a", item) for item in ("first", 1, 3)}
    assert device.batches[1:] == [("a", [1, 2, 3]), ("a", [1]), ("a", [2]), ("a", [3])]


async def test_a_wrong_number_of_results_raises_an_explicit_error() -> None:
    batcher: Batcher[str, int, int] = Batcher(lambda *_: [], WIDE)
    async with batcher.serving():
        with pytest.raises(RuntimeError, match="0 results for 1 items"):
            await batcher.submit("a", 1)


async def test_an_item_expires_while_the_device_is_still_busy(device: Device) -> None:
    async with busy(device) as callers:
        with pytest.raises(Expired, match=r"within 0\.01 seconds"):
            await callers.batcher.submit("a", "late", timeout=0.01)
        assert callers.batcher.waiting == 0 and device.in_flight

    assert device.batches == [("a", ["first"])]


async def test_a_started_item_finishes_however_long_it_takes(device: Device) -> None:
    """The item expires while it is on the device, which stays blocked until a later item has expired, too."""
    device.blocked = True
    async with calling(device) as callers:
        await callers.start(1, timeout=0.05)
        await device.entered()
        with pytest.raises(Expired):
            await callers.batcher.submit("a", 2, timeout=0.1)
        device.release()

    assert callers.outcomes == {1: ("a", 1)}


async def test_closing_finishes_queued_items_and_accepts_no_more(device: Device) -> None:
    device.blocked = True
    batcher: Batcher[str, Item, object] = Batcher(device, WIDE)
    async with anyio.create_task_group() as tasks, AsyncExitStack() as stack:
        callers = Callers(batcher, tasks)
        await stack.enter_async_context(batcher.serving())
        await callers.start("running")
        await device.entered()
        await callers.start("waiting")
        tasks.start_soon(_release_once_closed, batcher, device)

    assert callers.outcomes == {item: ("a", item) for item in ("running", "waiting")}


async def _release_once_closed(batcher: Batcher[str, Item, object], device: Device) -> None:
    await turns()
    with pytest.raises(Closed, match="not served"):
        await batcher.submit("a", "late")
    device.release()


async def test_closing_while_idle_ends_at_once_and_allows_a_new_start(device: Device) -> None:
    batcher: Batcher[str, Item, object] = Batcher(device, WIDE)
    for _ in range(2):
        async with batcher.serving():
            assert await batcher.submit("a", 1) == ("a", 1)
    with pytest.raises(Closed):
        await batcher.submit("a", 1)


async def test_a_cancelled_close_ends_the_running_batch_where_it_checks_and_closes_the_rest(device: Device) -> None:
    """The grace period is over: no caller may hang, whatever its state."""
    device.blocked = True
    batcher: Batcher[str, Item, object] = Batcher(device, WIDE)
    with anyio.fail_after(PATIENCE):
        async with anyio.create_task_group() as tasks:
            callers = Callers(batcher, tasks)
            with anyio.CancelScope() as scope:
                async with batcher.serving():
                    await callers.start("running")
                    await device.entered()
                    await callers.start("waiting")
                    tasks.start_soon(anyio.to_thread.run_sync, device.release)
                    scope.cancel()

    assert device.checked == [(["running"], anyio.get_cancelled_exc_class())]
    assert all(isinstance(callers.outcomes[item], Closed) for item in ("running", "waiting"))


async def test_an_observer_is_called_for_each_batch(device: Device) -> None:
    calls: list[Ran[str]] = []
    device.bad = {2}
    async with calling(device, observe=calls.append) as callers:
        await callers.start(1, 2, size=3)

    assert [(call.key, len(call.waits), call.size, call.failed) for call in calls] == [
        ("a", 2, 6, True),
        ("a", 1, 3, False),
        ("a", 1, 3, True),
    ]
    assert all(call.seconds >= 0 and min(call.waits) >= 0 for call in calls)


@pytest.mark.parametrize("limit", ["queue_items", "queue_size", "batch_items", "batch_size"])
async def test_limits_of_zero_are_rejected(limit: str) -> None:
    with pytest.raises(ValueError, match=f"{limit} must be 1 or more, not 0"):
        Limits(**(dict.fromkeys(("queue_items", "queue_size", "batch_items", "batch_size"), 1) | {limit: 0}))


async def test_a_negative_size_is_rejected(device: Device) -> None:
    async with calling(device) as callers:
        with pytest.raises(ValueError, match="0 or more, not -1"):
            await callers.batcher.submit("a", 1, -1)


async def test_a_batcher_has_one_server_at_a_time(device: Device) -> None:
    async with calling(device) as callers:
        with pytest.raises(RuntimeError, match="already"):
            async with callers.batcher.serving():
                pass


async def test_a_server_that_dies_leaves_no_caller_waiting(device: Device) -> None:
    """An observer must not raise; this one does, while the next item waits."""

    def break_down(_: Ran[str]) -> None:
        raise ZeroDivisionError

    device.blocked = True
    async with anyio.create_task_group() as tasks:
        with pytest.RaisesGroup(ZeroDivisionError):
            async with calling(device, observe=break_down) as server:
                callers = Callers(server.batcher, tasks)
                await callers.start("running")
                await device.entered()
                await callers.start("waiting")
                device.release()
                await anyio.sleep_forever()

    assert callers.outcomes["running"] == ("a", "running")
    assert isinstance(callers.outcomes["waiting"], Closed)


Step = tuple[str, str, int, bool]
STEPS = st.one_of(
    st.tuples(st.just("submit"), st.sampled_from("ab"), st.integers(0, 5), st.booleans()),
    st.tuples(st.just("cancel"), st.just(""), st.integers(0, 15), st.just(False)),
    st.just(("pass", "", 0, False)),
)


@settings(max_examples=100)
@given(st.lists(STEPS, min_size=1, max_size=30))
def test_each_item_gets_its_own_outcome_in_batches_within_the_limits(script: list[Step]) -> None:
    """Items arrive, are cancelled and fail in any order, while the device runs one batch at each "pass"."""
    anyio.run(_play, script)


async def _play(script: Sequence[Step]) -> None:
    device, limits = Device(), Limits(100, 1000, batch_items=3, batch_size=8)
    device.blocked = True
    calls: list[Ran[str]] = []
    submitted: dict[Item, Step] = {}
    cancelled: set[Item] = set()
    async with calling(device, limits, calls.append) as callers:
        for step, (action, key, number, bad) in enumerate(script):
            if action == "submit":
                device.bad |= {step} if bad else set()
                submitted[step] = script[step]
                await callers.start(step, key=key, size=number)
            elif action == "cancel" and number in submitted and number not in callers.outcomes:
                cancelled.add(number)
                await callers.cancel(number)
            elif device.in_flight:
                seen = len(calls)
                device.let_one_go()
                while len(calls) == seen:
                    await checkpoint()
                await turns()
        device.release()

    for item, (_, key, _, bad) in submitted.items():
        if item not in cancelled:
            assert isinstance(callers.outcomes[item], ArithmeticError) if bad else callers.outcomes[item] == (key, item)
    assert callers.outcomes.keys() == submitted.keys() - cancelled
    for (key, items), call in zip(device.batches, calls, strict=True):
        assert {submitted[item][1] for item in items} == {key} and items == sorted(items)
        assert len(items) == 1 or (len(items) <= limits.batch_items and call.size <= limits.batch_size)
    assert device.most_in_flight <= 1
    times_tried = Counter(item for _, items in device.batches for item in items)
    assert all(times <= 2 for times in times_tried.values())
