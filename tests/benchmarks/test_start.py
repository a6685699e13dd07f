"""tests/benchmarks/start.py: one start of a server without networks, and the table."""

from pathlib import Path
from typing import Any

import pytest

from tests.benchmarks import start
from tests.service.processes import serving


def test_a_start_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    def fake(_: str, log: Path, **settings: str) -> Any:
        return serving("tests.service.fake_server", log, **settings)

    monkeypatch.setattr(start, "serving", fake)
    row = start.measure("all", 1)
    assert (row["load"], row["networks"]) == ("all", 1)
    assert 0 < row["cpu_seconds"] < 120 and 10 < row["mib"] < 2000


def test_the_table_has_a_line_for_each_setting() -> None:
    rows = [{"load": load, "networks": 4, "cpu_seconds": 2.5, "mib": 400} for load in start.LOADS]
    assert "| `COLORCNN_LOAD=all` | 4 | 2.5 s | 400 MiB |" in start.table({"rows": rows})
