"""tests/benchmarks/endurance.py: a short run against a fake server, and what counts as growth."""

import asyncio
from pathlib import Path

import pytest

from tests.benchmarks.endurance import measure, mixed, relative_growth
from tests.service.processes import serving


def test_a_short_run_counts_every_response(tmp_path: Path) -> None:
    with serving("tests.service.fake_server", tmp_path / "log") as server:
        server.wait_until_ready()
        report = asyncio.run(measure(server.port, server.process.pid, mixed()[:4], 0.5))
    assert report["requests"] == sum(report["statuses"].values()) > 0
    assert 0 < report["memory_mib"]["least"] <= report["memory_mib"]["most"]
    assert report["checks"]["every request was answered with 200"] == (report["statuses"].keys() == {"200"})


@pytest.mark.parametrize(
    ("memory", "growth"),
    [
        ([100, 500, 500, 500], 0.0),
        ([500] * 30 + [900] + [500] * 29, 0.0),  # one large image
        ([0, 0, 0, 100, 100, 100, 110, 110, 110], 0.1),
        ([7], 0.0),
    ],
)
def test_growth_is_that_of_the_settled_memory(memory: list[int], growth: float) -> None:
    assert relative_growth(memory) == pytest.approx(growth)
