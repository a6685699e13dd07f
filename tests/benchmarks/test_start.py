"""tests/benchmarks/start.py: one start of a server without networks, and the table."""

from pathlib import Path
from typing import Any

import pytest

from models.zoo.manifest import SHIPPED
from tests.benchmarks import start
from tests.service.processes import serving


def test_a_start_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    def fake(_: str, log: Path, **settings: str) -> Any:
        return serving("tests.service.fake_server", log, **settings)

    monkeypatch.setattr(start, "serving", fake)
    row = start.measure("all", 1)
    assert (row["load"], len(row["names"])) == ("all", 1)
    assert 0 < row["cpu_seconds"] < 120 and 10 < row["mib"] < 2000


def test_the_table_has_a_line_for_each_setting() -> None:
    common = {"names": ["a", "b"], "clock_seconds": 3.5, "cpu_seconds": 2.5, "mib": 400}
    rows = [{"load": load} | common for load in start.LOADS]
    assert "| `COLORCNN_LOAD=all` | 2 | 3.5 s | 2.5 s | 400 MiB |" in start.table({"rows": rows})


def test_the_weights_of_each_network_are_counted() -> None:
    networks = start.networks(["cifar10-resnet9"])
    [first] = [row for row in networks if row["name"] == "cifar10-resnet9"]
    file = SHIPPED / "checkpoints" / "cifar10-resnet9.safetensors"
    # The file stores float16, the network computes in float32.
    assert first == {"name": "cifar10-resnet9", "mib": round(2 * file.stat().st_size / 2**20, 1), "at_start": True}
    assert [row["name"] for row in networks if row["at_start"]] == ["cifar10-resnet9"]
    assert "| `cifar10-resnet9` | 6.3 MiB | at the start |" in start.networks_table({"networks": networks})
