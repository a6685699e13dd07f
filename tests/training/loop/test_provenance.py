"""training/loop/provenance.py: the recorded command is the one that was run, and runs again."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    ("file", "module"),
    [("verb.py", "pack.verb"), ("sub/__main__.py", "pack.sub"), ("sub/part.py", "pack.sub.part")],
)
def test_the_command_names_the_module_of_python_m(file: str, module: str, tmp_path: Path) -> None:
    path = tmp_path / "pack" / file
    path.parent.mkdir(parents=True)
    path.write_text("from training.loop.provenance import _module\nprint(_module())\n")
    words = [sys.executable, "-m", module]
    environment = {"PYTHONPATH": f"{ROOT}:{tmp_path}", "OMP_NUM_THREADS": "1", "PATH": ""}
    done = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == module
