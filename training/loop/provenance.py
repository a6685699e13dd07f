"""Provenance of a run: command line, commit, hardware, torch version."""

import platform
import shlex
import subprocess
import sys
from pathlib import Path

import torch

_MEASURING = (":/models/*.py", ":/training/*.py")  # code that results depend on; `*` also matches slashes


def describe() -> dict[str, str]:
    """Return the command line, commit, hardware and torch version of this process."""
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else ""
    return {
        "command": "python -m " + shlex.join([_module(), *sys.argv[1:]]),
        "commit": commit(),
        "hardware": gpu or f"{_cores(torch.get_num_threads())}, {platform.machine()}",
        "torch": torch.__version__,
    }


def _module() -> str:
    """Return the name of the module that `python -m` runs, or of the script that torchrun runs by its path."""
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    return spec.name.removesuffix(".__main__") if spec else f"training.{Path(sys.argv[0]).stem}"


def _cores(threads: int) -> str:
    return "1 CPU core" if threads == 1 else f"{threads} CPU cores"


def commit(folder: Path = Path(__file__).parent) -> str:
    """Return the last commit that changed the code that measures, with "-dirty" if it has uncommitted changes.

    Commits of documents or results do not count, so that an evaluation may continue after such a commit. folder: any
    folder in the repository. Returns "unknown" outside of a repository.
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
