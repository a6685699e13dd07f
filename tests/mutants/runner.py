"""The trial of one mutant: its nearest tests, then the others of its folder, in a copy of the tree."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from tests.mutants.mutants import Mutant, applied, changed_lines, targets

LIMIT = 600.0  # seconds that a run of tests may take; the slowest folder takes one, on an idle machine
# Modules of other projects that take long to import; a fork need not import them again.
SLOW = (
    *("torch", "sympy", "safetensors.torch", "skimage.metrics", "sklearn.cluster", "matplotlib.pyplot", "PIL.Image"),
    *("av", "fastapi", "uvicorn", "httpx", "pydantic_settings", "prometheus_client", "schemathesis"),
)

# The server has imported plugins of pytest already, without rewriting their assertions.
_PLUGINS = ["-W", "ignore::pytest.PytestAssertRewriteWarning"]
_OPTIONS = ["--exitfirst", "--quiet", "--tb=no", "-p", "no:cacheprovider", *_PLUGINS]
_PASSED, _TROUBLE = 0, (3, 5)  # exit statuses of pytest; trouble: an error of its own, no tests
_TIME_LIMIT = "time limit"
# A line of the summary. The parameters of a test may hold blanks and dashes, too; the reason follows the last bracket.
_FAILED = re.compile(r"(?:FAILED|ERROR) ([^\s\[]+(?:\[.*?\](?= - |$))?)")


class UnsoundTests(Exception):
    """A test fails without a mutant."""


@dataclass(frozen=True)
class Runner:
    """Runs tests in the tree at `root`."""

    root: Path
    server: subprocess.Popen[str]

    @classmethod
    @contextmanager
    def of(cls, root: Path, slow: Sequence[str] = SLOW) -> Iterator[Self]:
        """Yield a runner for the tree at `root`; its processes end with the block. slow: modules to import once."""
        # CI: hypothesis repeats the same examples, so a mutant meets the same tests every time.
        environment = os.environ | {"PYTHONPATH": str(root), "CI": "1"}
        command = [sys.executable, str(Path(__file__).with_name("pytest_server.py")), *slow]
        pipe = subprocess.PIPE
        with subprocess.Popen(command, cwd=root, env=environment, stdin=pipe, stdout=pipe, text=True) as server:
            yield cls(root, server)

    def trial(self, mutant: Mutant) -> dict[str, Any]:
        """Return the row of a mutant: its lines, which tests noticed it (None if it survived), and the first one."""
        row: dict[str, Any] = {"module": mutant.module, "line": mutant.line}
        for name, files in targets(self.root, mutant.module).items():
            with applied(self.root, mutant) as texts:
                killer = self._killer(files)
            row["before"], row["after"] = changed_lines(*texts)
            if killer:
                return row | {"killed_by": name, "test": killer}
        return row | {"killed_by": None}

    def _killer(self, files: Sequence[str]) -> str | None:
        """Return the first test that fails, or why the run ended without one; None if all pass."""
        if not files:
            return None
        status, lines = self._run(files)
        if status is None:
            return _TIME_LIMIT
        failed = filter(None, map(failed_test, lines))
        if status in _TROUBLE:
            raise UnsoundTests(f"pytest itself failed with status {status}: {lines[-3:]}")
        return None if status == _PASSED else next(failed, f"status {status}")

    def check(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Raise UnsoundTests if one of the tests that noticed a mutant fails without it too."""
        noticed = sorted({row["test"] for row in rows if str(row.get("test")).startswith("tests/")})
        if noticed and (killer := self._killer(noticed)):
            raise UnsoundTests(f"{killer} fails without a mutant")

    def _run(self, tests: Sequence[str]) -> tuple[int | None, list[str]]:
        """Return the exit status of pytest, None after `LIMIT`, and the lines that it printed."""
        assert self.server.stdin and self.server.stdout
        print(json.dumps({"arguments": [*_OPTIONS, *tests], "limit": LIMIT}), file=self.server.stdin, flush=True)
        result = json.loads(self.server.stdout.readline())
        return result["status"], result["lines"]


def failed_test(line: str) -> str | None:
    """Return the id of the test that a line of pytest's summary reports as failed; None for another line."""
    found = _FAILED.match(line)
    return found and found[1]
