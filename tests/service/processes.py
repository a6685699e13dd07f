"""Servers in processes of their own, each on a free port of loopback."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from types import MappingProxyType

from tests.service.waiting import PATIENCE

ROOT = Path(__file__).parents[2]
STARTED_WITHIN = 120.0  # seconds; importing torch on a busy machine is most of it
STOPPED_WITHIN = 30.0


@dataclass
class Server:
    """Server process on `port`, with its log in the file `log`."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def wait_until_ready(self, probe: str = "/readyz", within: float = STARTED_WITHIN) -> None:
        """Poll a probe; raise an error with the log when the process ends or `within` seconds pass."""
        self._wait(lambda: self._responds(probe), "ready", within)

    def wait_until_warm(self) -> None:
        """Wait for the end of the work that the start leaves for later; raise an error as `wait_until_ready` does.

        A benchmark waits for it, so that this work, seconds of CPU, does not slow its first requests down.
        """
        self._wait(lambda: "encoders of /compress are warm" in self.log.read_text(), "warm")

    def stop(self, patience: float = STOPPED_WITHIN) -> int:
        """End the process as a container engine does, within `patience` seconds; return the exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(patience)

    def status(self) -> Mapping[str, str]:
        """Return the fields of /proc/PID/status."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return dict(line.split(":\t", 1) for line in lines)

    def _wait(self, condition: Callable[[], bool], state: str, within: float = STARTED_WITHIN) -> None:
        deadline = time.monotonic() + within
        while time.monotonic() < deadline and self.process.poll() is None:
            if condition():
                return
            time.sleep(0.05)
        raise RuntimeError(f"not {state} within {within} s:\n{self.log.read_text()}")

    def _responds(self, probe: str) -> bool:
        # Not httpx: it takes more CPU time for a connection than the polled service has in between.
        connection = HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", probe)
            return connection.getresponse().status == HTTPStatus.OK
        except (OSError, HTTPException):
            return False
        finally:
            connection.close()


@contextmanager
def serving(
    module: str,
    log: Path,
    variables: Mapping[str, str] = MappingProxyType({}),
    /,
    *,
    threads: str = "1",
    **settings: str,
) -> Iterator[Server]:
    """Run `python -m module` with COLORCNN_* settings; the process is gone at the end of the block.

    variables: more variables of the environment.
    threads: of the networks; empty for as many as the service takes by itself.
    """
    port = free_port()
    own = {f"COLORCNN_{name.upper()}": value for name, value in settings.items()}
    environment = outside() | own | dict(variables) | {"COLORCNN_PORT": str(port)}
    if threads:
        environment["OMP_NUM_THREADS"] = threads
    with log.open("wb") as stream:
        process = subprocess.Popen([sys.executable, "-m", module], cwd=ROOT, env=environment, stderr=stream)
    try:
        yield Server(process, port, log)
    finally:
        process.kill()
        process.wait(STOPPED_WITHIN)


def until(condition: Callable[[], object]) -> None:
    """Wait for a condition that other processes bring about soon."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def workers_of(pid: int) -> list[int]:
    """Return the ids of the running worker processes that a process has started."""
    return [int(folder.name) for folder in Path("/proc").glob("[0-9]*") if _is_worker_of(pid, folder)]


def family(pid: int) -> Iterator[int]:
    """Yield a process and all that it started, directly or through others; Linux only."""
    yield pid
    with suppress(OSError):  # it has ended meanwhile
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                yield from family(int(child))


def proportional_kib(pid: int) -> int:
    """Return the memory of a process in KiB, each page by its share; 0 after its end. Linux only."""
    with suppress(OSError, StopIteration):
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("Pss:")).split()[1])
    return 0


def _is_worker_of(pid: int, folder: Path) -> bool:
    try:
        status = (folder / "status").read_text()
        return f"\nPPid:\t{pid}\n" in status and b"multiprocessing.spawn" in (folder / "cmdline").read_bytes()
    except OSError:  # the process has ended meanwhile
        return False


def outside() -> dict[str, str]:
    """Return the environment without settings of the service."""
    return {name: value for name, value in os.environ.items() if not name.startswith("COLORCNN_")}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
