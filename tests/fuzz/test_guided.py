"""The targets of fuzzing by coverage accept their seed files; a short run with atheris where it is installed."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz import guided
from tests.service.processes import ROOT


@pytest.mark.parametrize("name", guided.TARGETS)
def test_a_target_accepts_its_seed_files_and_damaged_ones(name: str) -> None:
    target, files = guided.TARGETS[name](), list(guided.corpus(name).values())
    assert files
    for data in files[::5]:
        target(data)
        target(data[: len(data) // 2])


def test_any_other_error_leaves_a_target(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("models.decoding.decode.decode", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        guided.decode_target()(b"x")


@pytest.mark.parametrize("name", guided.TARGETS)
def test_a_short_run_finds_nothing(name: str, tmp_path: Path) -> None:
    pytest.importorskip("atheris", reason="atheris is not installed")
    command = [sys.executable, "-m", "tests.fuzz.guided", name, "--runs", "100", "--folder", str(tmp_path)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600)
    assert ended.returncode == 0, ended.stderr[-3000:]
