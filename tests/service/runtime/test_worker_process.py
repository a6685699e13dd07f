"""A worker process: errors, crashes and output of a function affect one call only."""

import os
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import pytest
from anyio import BrokenWorkerProcess

from models.decoding.decode import decode
from models.errors import BadImage
from service.runtime.worker_process import WorkerProcess, WorkFailed
from tests.service.processes import workers_of
from tests.service.waiting import PATIENCE

pytestmark = pytest.mark.anyio

OOM_SCORE = Path("/proc/self/oom_score_adj")


@pytest.fixture(scope="module")
async def work(anyio_backend: str) -> AsyncIterator[WorkerProcess]:
    """One process for all tests here, so that each test also shows that earlier ones did no harm."""
    process = WorkerProcess()
    yield process
    await process.end()


async def test_calls_share_a_process_that_is_not_this_one(work: WorkerProcess) -> None:
    first, second = await work(os.getpid), await work(os.getpid)

    assert first == second != os.getpid()


async def test_the_process_has_low_priority_and_one_thread(work: WorkerProcess) -> None:
    assert await work(os.getpriority, os.PRIO_PROCESS, 0) >= min(19, os.getpriority(os.PRIO_PROCESS, 0) + 10)
    assert await work(os.getenv, "OMP_NUM_THREADS") == "1"
    assert await work(signal.getsignal, signal.SIGINT) == signal.SIG_IGN


@pytest.mark.skipif(not hasattr(signal, "pthread_sigmask"), reason="the system has no signal masks")
async def test_ctrl_c_is_blocked_from_the_first_instruction(work: WorkerProcess) -> None:
    assert signal.SIGINT in await work(signal.pthread_sigmask, signal.SIG_BLOCK, ())
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, ())


@pytest.mark.skipif(not OOM_SCORE.exists(), reason="only Linux has it")
async def test_the_process_is_killed_for_memory_before_this_one(work: WorkerProcess) -> None:
    ours, its = OOM_SCORE.read_text(), await work(OOM_SCORE.read_text)

    assert int(its) == min(1000, int(ours) + 500)


async def test_our_errors_come_back_as_they_are(work: WorkerProcess) -> None:
    with pytest.raises(BadImage, match="empty"):
        await work(decode, b"")


async def test_other_errors_come_back_with_their_traceback(work: WorkerProcess) -> None:
    with pytest.raises(WorkFailed, match=r"(?s)worker_process\.py.*ValueError.*'seven'"):
        await work(int, "seven")


async def test_output_of_a_function_does_not_block_or_corrupt_its_result(work: WorkerProcess) -> None:
    """A pipe buffers 64 KiB and asyncio reads about as much ahead; a megabyte fills a pipe that nobody reads."""
    with anyio.fail_after(PATIENCE):
        await work(print, "to Python's stdout")
        assert await work(os.write, 2, b"x" * 1_000_000) == 1_000_000


async def test_a_cancelled_call_kills_the_process(work: WorkerProcess) -> None:
    pid = await work(os.getpid)
    with anyio.move_on_after(0.01):
        await work(time.sleep, 3600)

    assert workers_of(os.getpid()) == []
    assert await work(os.getpid) != pid


async def test_a_call_cancelled_during_the_start_leaves_no_process_behind(work: WorkerProcess) -> None:
    """anyio loses track of a process whose start is cancelled."""
    os.kill(await work(os.getpid), signal.SIGKILL)
    with anyio.move_on_after(0.02):  # a start takes five times as long, or more
        await work(os.getpid)

    assert [await work(os.getpid)] == workers_of(os.getpid())


async def test_closing_leaves_no_process_behind(work: WorkerProcess) -> None:
    pid = await work(os.getpid)
    await work.end()
    await work.end()

    assert workers_of(os.getpid()) == []
    assert await work(os.getpid) != pid


async def test_a_process_that_dies_at_work_fails_that_call(work: WorkerProcess) -> None:
    pid = await work(os.getpid)
    with pytest.raises(BrokenWorkerProcess):
        await work(os.kill, pid, signal.SIGKILL)

    assert await work(os.getpid) != pid


async def test_a_process_that_died_idle_fails_no_call(work: WorkerProcess) -> None:
    pid = await work(os.getpid)
    os.kill(pid, signal.SIGKILL)

    assert await work(os.getpid) != pid


async def test_simultaneous_calls_wait_for_each_other(work: WorkerProcess) -> None:
    pids: list[int] = []

    async def call() -> None:
        pids.append(await work(os.getpid))

    async with anyio.create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(call)

    assert len(pids) == 3 and len(set(pids)) == 1
