"""service/runtime/ending.py: no thread and no process outlives the end, and nothing is cut off without need."""

import subprocess
import sys
from pathlib import Path

from tests.service.processes import ROOT, outside, until
from tests.service.waiting import PATIENCE

BEGIN = """
import atexit, multiprocessing, os, sys, threading, time
from service.runtime.ending import end_after, end_process
atexit.register(print, "in order", flush=True)
"""
WORKING = "threading.Thread(target=time.sleep, args=(300,)).start()\n"
CHILD = """
context = multiprocessing.get_context("fork")
child = context.Process(target=time.sleep, args=(300,))
child.start()
print(child.pid, flush=True)
"""


def run(program: str) -> tuple[int, str]:
    """Return the exit status of a program and what it printed; it would take five minutes if nothing ended it."""
    command = [sys.executable, "-c", BEGIN + program]
    done = subprocess.run(
        command, cwd=ROOT, env=outside(), stdout=subprocess.PIPE, text=True, timeout=PATIENCE, check=False
    )
    return done.returncode, done.stdout


def test_a_process_without_work_ends_in_order() -> None:
    assert run("threading.Thread(target=time.sleep, args=(0.01,)).start()\nend_process(3)") == (3, "in order\n")


def test_a_thread_at_work_does_not_delay_the_end() -> None:
    assert run(WORKING + "end_process(3)") == (3, "")


def test_a_daemon_thread_is_nothing_to_wait_for() -> None:
    assert run(WORKING.replace("(300,)", "(300,), daemon=True") + "end_process(0)") == (0, "in order\n")


def test_a_deadline_ends_the_process_whatever_it_does() -> None:
    assert run("end_after(0.01, 4)\ntime.sleep(300)") == (4, "")


def test_child_processes_end_with_the_process() -> None:
    status, printed = run(CHILD + WORKING + "end_process(3)")

    assert status == 3
    until(lambda: not is_running(int(printed)))


def is_running(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False
