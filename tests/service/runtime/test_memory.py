"""Freed memory is returned to the system."""

import ctypes
import platform
import subprocess
import sys

import pytest

from service.runtime import memory
from tests.service.processes import ROOT

# Once one was freed, arrays of up to 32 MiB are parts of the heap, where the last one would hold all of them back.
CODE = """
import os
import numpy as np
from service.runtime.memory import limit_arenas

def resident_mib() -> int:
    return int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE") >> 20

limit_arenas()
np.ones(31 << 20, np.uint8)  # freed at once
before = resident_mib()
arrays = [np.ones(8 << 20, np.uint8) for _ in range(16)]
last = np.ones(8 << 20, np.uint8)
del arrays
print(resident_mib() - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux alone reports the resident memory this way")
def test_the_memory_of_large_arrays_is_returned() -> None:
    """128 MiB are freed; 8 MiB stay in use."""
    done = subprocess.run([sys.executable, "-c", CODE], cwd=ROOT, capture_output=True, text=True, check=True)

    assert int(done.stdout) < 64


# Blocks below the size of a mapping of their own, each behind a small one that stays in use.
GAPS = """
import os
import numpy as np
from service.runtime.memory import limit_arenas, trim

def resident_mib() -> int:
    return int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE") >> 20

limit_arenas()
pairs = [(np.ones(1 << 20, np.uint8), np.ones(1 << 10, np.uint8)) for _ in range(256)]
small = [small for _, small in pairs]
del pairs
before = resident_mib()
trim()
print(before - resident_mib())
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux alone reports the resident memory this way")
@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries keep other memory")
def test_gaps_between_blocks_in_use_are_returned() -> None:
    """256 MiB are freed; glibc alone keeps nearly all of them."""
    done = subprocess.run([sys.executable, "-c", GAPS], cwd=ROOT, capture_output=True, text=True, check=True)

    assert int(done.stdout) > 128


def test_another_c_library_has_nothing_to_trim(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda _: object())

    memory.limit_arenas()
    memory.trim()
