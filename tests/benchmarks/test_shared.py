"""tests/benchmarks/shared.py: one turn with a server without networks, busy processes that end, and the table."""

import io
import os
import time
from pathlib import Path

import pytest
from PIL import Image

from tests.benchmarks import shared


def test_a_turn_measures_start_and_requests_alone_and_beside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared, "WAITS", {"asleep": {}})
    monkeypatch.setattr(shared, "available_cpus", lambda: 1)

    measured = shared.measure("tests.service.fake_server", 1, {"photo": 1, "small": 2})

    assert measured["busy_processes"] == 1
    [row] = measured["rows"]
    assert row["requests_alone_and_beside"] == {"photo": [1, 1], "small": [2, 2]}
    for place in ("alone", "beside"):
        assert row["milliseconds"][place].keys() == shared.QUANTITIES.keys()
        assert all(value > 0 for value in row["milliseconds"][place].values())
    assert row["ratio"].keys() == shared.QUANTITIES.keys()


def test_busy_processes_run_in_the_session_of_the_benchmark_until_the_block_ends() -> None:
    before = children()
    with shared.busy(2):
        busy = children() - before
        assert {os.getsid(pid) for pid in busy} == {os.getsid(0)}
        deadline = time.monotonic() + 60
        while min(map(cpu_ticks, busy)) < 2:
            assert time.monotonic() < deadline
            time.sleep(0.01)
    assert len(busy) == 2
    assert children() == before


def children() -> set[int]:
    return {int(pid) for task in Path("/proc/self/task").iterdir() for pid in (task / "children").read_text().split()}


def cpu_ticks(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11])


def test_the_images_have_their_sizes() -> None:
    with Image.open(io.BytesIO(shared.photo())) as image:
        assert image.format == "JPEG" and abs(image.width * image.height - 400_000) < 1000
    with Image.open(io.BytesIO(shared.small())) as image:
        assert (image.format, image.size) == ("PNG", (32, 32))


def test_the_table_compares_each_way_to_wait_with_the_first() -> None:
    first = shared.row("asleep", times(4000, 200, 20), times(8000, 500, 50))
    second = shared.row("spinning", times(4000, 190, 21), times(40_000, 3800, 63))
    table = shared.table({"rows": [first, second]})
    assert "| start, until ready | 4.0 s | 2.0 times idle | 1.00 times | 10.0 times idle |" in table
    assert table.endswith("|")
    assert "\n\nPreliminary, since other work ran on the machine: a training." in shared.table(
        {"rows": [first, second], "other_load": "a training"}
    )
    assert "p50 | 200 ms | 2.5 times idle | 0.95 times | 20.0 times idle |" in table


def times(start: float, photo: float, small: float) -> shared.Times:
    return {"start": [start], "photo": [photo] * 3, "small": [small] * 3}
