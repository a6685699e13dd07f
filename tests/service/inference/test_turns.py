"""service/inference/turns.py: who runs next, and that heavy work leaves a place to other work."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from threading import Semaphore

import pytest

from service.inference.turns import Turns
from tests.service.processes import until
from tests.service.waiting import PATIENCE


class Worker:
    """A thread that takes a turn, and gives way or leaves when the test says so.

    turns: how often it has got a turn.
    """

    def __init__(self, turns: Turns, threads: ThreadPoolExecutor, heavy: bool = False) -> None:
        self.turns = 0
        self._done = Semaphore(0)
        self._leaving = False
        self._future: Future[None] = threads.submit(self._run, turns, heavy)

    def _run(self, turns: Turns, heavy: bool) -> None:
        with turns.turn(heavy=heavy) as give_way:
            self.turns += 1
            while self._next():
                give_way()
                self.turns += 1

    def _next(self) -> bool:
        assert self._done.acquire(timeout=PATIENCE)
        return not self._leaving

    def give_way(self) -> None:
        self._done.release()

    def leave(self) -> None:
        self._leaving = True
        self._done.release()
        self._future.result(PATIENCE)


def has_turns(worker: Worker, count: int) -> bool:
    return worker.turns == count


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as pool:
        yield pool


Join = Callable[..., Worker]


def joining(turns: Turns, threads: ThreadPoolExecutor) -> Join:
    """Return a function that starts a worker and waits until it runs or stands in line."""

    def join(heavy: bool = False) -> Worker:
        before = turns.waiting
        worker = Worker(turns, threads, heavy)
        until(lambda: worker.turns or turns.waiting > before)
        return worker

    return join


def test_threads_wait_for_a_place_in_the_order_of_their_arrival(threads: ThreadPoolExecutor) -> None:
    turns = Turns(2, 2)
    join = joining(turns, threads)
    first, second, third, fourth = (join() for _ in range(4))
    assert (first.turns, second.turns, turns.waiting) == (1, 1, 2)

    second.leave()
    until(lambda: third.turns)
    assert (fourth.turns, turns.waiting) == (0, 1)

    first.leave()
    until(lambda: fourth.turns)
    for worker in (third, fourth):
        worker.leave()


def test_long_work_runs_part_by_part_between_other_work(threads: ThreadPoolExecutor) -> None:
    turns = Turns(1, 1)
    join = joining(turns, threads)
    workers = [join() for _ in range(3)]

    for count in range(1, 4):
        for worker, following in zip(workers, (*workers[1:], workers[0]), strict=True):
            assert worker.turns == count
            before = following.turns
            worker.give_way()
            until(partial(has_turns, following, before + 1))
            assert turns.waiting == 2
    for worker in workers:
        worker.leave()


def test_who_is_alone_goes_on_at_once() -> None:
    turns = Turns(1, 1)
    with turns.turn(heavy=True) as give_way:
        give_way()
        assert turns.waiting == 0


def test_heavy_work_leaves_a_place_to_other_work(threads: ThreadPoolExecutor) -> None:
    turns = Turns(2, 1)
    join = joining(turns, threads)
    heavy, waiting = join(heavy=True), join(heavy=True)
    assert (heavy.turns, waiting.turns) == (1, 0)

    light = join()
    assert light.turns == 1  # it passes the heavy one in line
    light.leave()
    assert waiting.turns == 0

    heavy.leave()
    until(lambda: waiting.turns)
    waiting.leave()


def test_heavy_work_alternates_on_its_own_place(threads: ThreadPoolExecutor) -> None:
    turns = Turns(2, 1)
    join = joining(turns, threads)
    light, heavy, other = join(), join(heavy=True), join(heavy=True)

    light.give_way()  # nobody light waits
    until(lambda: light.turns == 2)
    heavy.give_way()
    until(lambda: other.turns)
    assert heavy.turns == 1
    for worker in (other, heavy, light):
        worker.leave()


def test_an_error_ends_the_turn() -> None:
    turns = Turns(1, 1)
    for _ in range(2):
        with pytest.raises(ZeroDivisionError), turns.turn(heavy=True):
            raise ZeroDivisionError
