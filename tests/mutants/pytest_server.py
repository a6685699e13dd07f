"""Runs pytest over and over, each time in a fork of this process, which has imported the given modules.

    python tests/mutants/pytest_server.py [MODULE ...]

Each line of standard input is a JSON object with the arguments of pytest and a limit in seconds; each line of standard
output is the result. The current folder is the tree under test. This module imports nothing of the project, because a
fork would keep what is imported here, whatever has changed in the tree.
"""

import contextlib
import importlib
import json
import multiprocessing
import os
import resource
import signal
import sys
import tempfile
from importlib.metadata import entry_points
from pathlib import Path

import pytest

MOST_MEMORY = 16 << 30  # bytes of data; a mutant of a limit may allocate without end. A browser reserves more addresses
_FORK = multiprocessing.get_context("fork")


def run(arguments: list[str], limit: float) -> dict[str, object]:
    """Run pytest in a fork; returns its exit status (None after `limit` seconds) and the lines that it printed."""
    with tempfile.NamedTemporaryFile() as output:
        child = _FORK.Process(target=_child, args=(arguments, output.fileno()))
        child.start()
        child.join(limit)
        status = child.exitcode
        with contextlib.suppress(ProcessLookupError):  # all of its group has ended
            os.killpg(child.pid or 0, signal.SIGKILL)
        child.join()
        lines = Path(output.name).read_text(errors="replace").splitlines()
        return {"status": status, "lines": lines}


def _child(arguments: list[str], output: int) -> None:
    os.setsid()
    for stream in (1, 2):
        os.dup2(output, stream)
    resource.setrlimit(resource.RLIMIT_DATA, (MOST_MEMORY, MOST_MEMORY))
    sys.path[0] = str(Path.cwd())
    sys.dont_write_bytecode = True  # two mutants may be written within a second, which the cache does not notice
    status = pytest.main(arguments)
    sys.stdout.flush()
    os._exit(status)


def main() -> None:
    """Answer each line of standard input until it ends."""
    for name in sys.argv[1:]:
        importlib.import_module(name)
    for plugin in entry_points(group="pytest11"):
        plugin.load()
    for line in sys.stdin:
        order = json.loads(line)
        print(json.dumps(run(order["arguments"], order["limit"])), flush=True)


if __name__ == "__main__":
    main()
