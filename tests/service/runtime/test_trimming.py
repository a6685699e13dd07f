"""Freed memory is returned after work, and an idle process is left alone."""

import anyio
import pytest

from service.lifecycle import Service
from service.runtime import trimming
from service.runtime.trimming import keep_trimmed
from service.settings import Settings
from tests.service.clients import fake_service
from tests.service.fakes import FakeEngine
from tests.service.waiting import until

pytestmark = pytest.mark.anyio


@pytest.fixture
def trims(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Calls of `trim`, a millisecond apart at least."""
    calls: list[int] = []
    monkeypatch.setattr(trimming, "_INTERVAL", 0.001)
    monkeypatch.setattr(trimming, "trim", lambda: calls.append(1))
    return calls


@pytest.mark.parametrize(("step", "trimmed"), [(0.0, False), (0.49, False), (0.5, True), (9.0, True)])
async def test_memory_is_returned_after_half_a_second_of_work(step: float, trimmed: bool, trims: list[int]) -> None:
    """The work is what was added since the last return: the first reading, then one for each interval."""
    readings = iter([1.0, *[1.0 + step] * 4])
    looked = anyio.Event()

    def work() -> float:
        reading = next(readings, None)
        if reading is None:
            looked.set()
        return 1.0 + step if reading is None else reading

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(keep_trimmed, work)
        await looked.wait()
        tasks.cancel_scope.cancel()

    assert len(trims) == trimmed


async def test_work_before_the_last_return_does_not_count(trims: list[int]) -> None:
    total = 0.0

    def work() -> float:
        nonlocal total
        total += 0.3
        return total

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(keep_trimmed, work)
        await until(lambda: len(trims) >= 3)
        tasks.cancel_scope.cancel()

    assert total >= 0.3 * 3 * len(trims)  # at least two intervals and the reading after each return


async def test_the_service_returns_memory_while_it_runs(
    engine: FakeEngine, trims: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trimming, "_LEAST_WORK", 0.0)
    service: Service = fake_service(Settings(), engine)

    async with service.running():
        await until(lambda: trims)
    ended = len(trims)
    await anyio.sleep(0)
    assert len(trims) - ended <= 1  # one may have been on its way


def test_ten_seconds_lie_between_two_returns() -> None:
    assert (trimming._INTERVAL, trimming._LEAST_WORK) == (10.0, 0.5)
