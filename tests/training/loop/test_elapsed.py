"""training/loop/elapsed.py: minutes count from the start of the process."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from training.loop import elapsed


def test_elapsed_minutes_include_the_time_before_the_import() -> None:
    code = "import time; time.sleep(0.3); from training.loop.elapsed import minutes_elapsed; print(minutes_elapsed())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert 0.3 / 60 <= float(done.stdout) < 1


def test_without_proc_minutes_count_from_the_import(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(elapsed, "_PROCESS", tmp_path / "stat")
    monkeypatch.setattr(time, "monotonic", lambda: elapsed._IMPORTED + 120.0)
    assert elapsed.minutes_elapsed() == 2.0
