"""training/extras.py: a command without its packages ends with one sentence."""

import subprocess
import sys
from pathlib import Path

import pytest

from training import extras

_WITHOUT = "import runpy, sys; sys.modules[sys.argv.pop(1)] = None; runpy.run_module(sys.argv[1], run_name='__main__')"


@pytest.mark.parametrize("package", ["rich", "tyro"])
@pytest.mark.parametrize("module", ["training.quantize_dataset", "training.train_yourself"])
def test_a_command_without_a_package_names_the_pip_command(package: str, module: str) -> None:
    words = [sys.executable, "-c", _WITHOUT, package, module]
    ended = subprocess.run(words, check=False, capture_output=True, text=True, cwd=Path(__file__).parents[2])
    expected = f'error: the package {package} is not installed; install what training needs: pip install --editable "'
    assert ended.returncode == 1 and ended.stderr.startswith(expected) and ended.stderr.count("\n") == 1


def test_parquet_without_pyarrow_names_the_pip_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(SystemExit, match=r"^error: the package pyarrow is not installed; .*\.\[training\]"):
        extras.pyarrow()


def test_ray_workers_without_ray_name_the_pip_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(SystemExit, match=r"^error: the package ray is not installed; .*'colorcnn-service\[ray\]'$"):
        extras.ray_data()
