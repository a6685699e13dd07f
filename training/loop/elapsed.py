"""Time since the start of the process, from which `--minutes` counts."""

import os
import time
from pathlib import Path

_PROCESS = Path("/proc/self/stat")
_IMPORTED = time.monotonic()
_START_FIELD = 19  # "starttime" of proc(5), counted from the field after the command's name


def minutes_elapsed() -> float:
    """Return the minutes since the start of this process; without /proc, since the import of this module."""
    return _seconds_elapsed() / 60


def _seconds_elapsed() -> float:
    if not _PROCESS.exists():
        return time.monotonic() - _IMPORTED
    # The command's name is in parentheses and may contain spaces.
    fields = _PROCESS.read_text().rpartition(")")[2].split()
    started = int(fields[_START_FIELD]) / os.sysconf("SC_CLK_TCK")
    return time.clock_gettime(time.CLOCK_BOOTTIME) - started
