"""Provenance of a run: command line, commit, hardware, torch version."""

import platform
import shlex
import subprocess
import sys
from pathlib import Path

import torch

_MEASURING = (":/models/*.py", ":/training/*.py")  # what figures depend on


def describe() -> dict[str, str]:
    """Where and from what a run was made: command line, commit, hardware, torch version."""
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else ""
    return {
        "command": "python -m " + shlex.join([f"training.{Path(sys.argv[0]).stem}", *sys.argv[1:]]),
        "commit": commit(),
        "hardware": gpu or f"{_cores(torch.get_num_threads())}, {platform.machine()}",
        "torch": torch.__version__,
    }


def _cores(threads: int) -> str:
    return "1 CPU core" if threads == 1 else f"{threads} CPU cores"


def commit(folder: Path = Path(__file__).parent) -> str:
    """The last commit that changed the code that measures, marked "-dirty" where it was changed since.

    Later ones, of documents or results, change no figure, so that what they interrupt may go on. folder: somewhere in
    the repository; "unknown" outside of one.
    """
    try:
        changed = _git(folder, "log", "-1", "--format=%H", "--", *_MEASURING)
        return changed + ("-dirty" if _git(folder, "status", "--porcelain", "-uno", "--", *_MEASURING) else "")
    except (OSError, subprocess.SubprocessError):
        return "unknown"


def _git(folder: Path, *command: str) -> str:
    result = subprocess.run(
        ["git", "-C", str(folder), *command], capture_output=True, text=True, check=True, timeout=10
    )
    return result.stdout.strip()
