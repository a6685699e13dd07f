"""The client is quick to import: it needs no torch, no array and no image library."""

import subprocess
import sys

from tests.service.processes import ROOT

HEAVY = ("torch", "numpy", "PIL", "av", "fastapi", "starlette", "sklearn", "matplotlib")


def test_the_client_imports_neither_torch_nor_numpy() -> None:
    code = f"import sys, service.client; print([name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "[]"
