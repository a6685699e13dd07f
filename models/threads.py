"""Threads of a process: the CPUs that it may use, and the environment of the libraries with threads of their own."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterator, MutableMapping
from pathlib import Path, PurePosixPath

_ROOT = Path("/")
_UNLIMITED = math.inf

# Mount of the CPU controller, and the files of a group that hold its quota and its period in microseconds: of control
# groups v2 (Documentation/admin-guide/cgroup-v2.rst of Linux) and v1 (Documentation/scheduler/sched-bwc.rst).
_V2 = ("sys/fs/cgroup", ("cpu.max",))
_V1 = ("sys/fs/cgroup/cpu", ("cpu.cfs_quota_us", "cpu.cfs_period_us"))

# A line of /proc/self/cgroup: "0::/group" of v2, "4:cpu,cpuacct:/group" of v1.
_GROUP = re.compile(r"^\d+:([^:]*):(/.*)$", re.MULTILINE)

# OpenMP: torch, scikit-learn and MKL. VIPS: libvips.
_NUMBERS_OF_THREADS = ("OMP_NUM_THREADS", "VIPS_CONCURRENCY")


def configure(environment: MutableMapping[str, str] = os.environ, root: Path = _ROOT) -> None:
    """Set the variables that native libraries read when they are loaded; a variable that is set already stays as it is.

    Call this before torch is imported. Child processes inherit the variables.

    A waiting OpenMP thread sleeps. By default, it first spins for milliseconds; where other processes need the CPU
    as well, that delays the very thread that it waits for. OpenBLAS, whose threads always spin, gets one: NumPy
    multiplies pixels by the few rows of a palette only. Under a CPU quota, no library starts more threads than
    `available_cpus`; without one, each library keeps its own default.
    """
    environment.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    environment.setdefault("OPENBLAS_NUM_THREADS", "1")
    cpus = available_cpus(root)
    if cpus < _allowed_cpus():
        for name in _NUMBERS_OF_THREADS:
            environment.setdefault(name, str(cpus))


def available_cpus(root: Path = _ROOT) -> int:
    """Return how many CPUs this process may use: those of its affinity, or its CPU quota where that is less.

    The quota is the smallest of the control groups (v2 or v1) that the process is in, from its own up to the outermost.
    It is rounded down, to at least 1: the threads of a network wait for each other, so that one thread more than the
    quota allows has all of them wait for the next period of the scheduler.

    root: folder of /proc and /sys.
    """
    return max(1, math.floor(min(_allowed_cpus(), *_quotas(root))))


def _allowed_cpus() -> int:
    """Return the number of CPUs in the affinity of the process, where the system has one, else of the machine."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _quotas(root: Path) -> Iterator[float]:
    """Yield the quota in CPUs of each control group of the process, and infinity."""
    yield _UNLIMITED
    try:
        text = (root / "proc/self/cgroup").read_text()
    except (OSError, ValueError):  # not Linux
        return
    for controllers, path in _GROUP.findall(text):
        if controllers and "cpu" not in controllers.split(","):
            continue
        mount, files = _V1 if controllers else _V2
        # A container sees its own group as the mount, but may know it by the path on the host: folders that do not
        # exist have no quota.
        group = PurePosixPath(mount, path.lstrip("/"))
        for folder in (group, *group.parents):
            if folder.is_relative_to(mount) and ".." not in folder.parts:
                yield _quota(root / folder, files)


def _quota(group: Path, files: tuple[str, ...]) -> float:
    """Return the quota of one control group in CPUs; infinity where it has none."""
    try:
        quota, period = " ".join((group / file).read_text() for file in files).split()
        cpus = int(quota) / int(period)
    except (OSError, ValueError, ZeroDivisionError):  # no such file, or "max", or nothing that Linux writes
        return _UNLIMITED
    return cpus if cpus > 0 else _UNLIMITED  # v1 writes -1 for none
