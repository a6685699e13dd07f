"""Freed memory is returned to the system."""

import subprocess
import sys

import pytest

from tests.service.processes import ROOT

# Once one was freed, arrays of up to 32 MiB are parts of the heap, where the last one would hold all of them back.
CODE = """
import os
import numpy as np
from service.runtime.memory import limit_arenas
from tests.benchmarks.soak import resident_mib

limit_arenas()
np.ones(31 << 20, np.uint8)  # freed at once
before = resident_mib(os.getpid())
arrays = [np.ones(8 << 20, np.uint8) for _ in range(16)]
last = np.ones(8 << 20, np.uint8)
del arrays
print(resident_mib(os.getpid()) - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux alone reports the resident memory this way")
def test_the_memory_of_large_arrays_is_returned() -> None:
    """128 MiB are freed; 8 MiB stay in use."""
    done = subprocess.run([sys.executable, "-c", CODE], cwd=ROOT, capture_output=True, text=True, check=True)

    assert int(done.stdout) < 64
