"""tests/benchmarks/offline.py: two sizes give start and speed; one small run of the command, and the table."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.benchmarks import offline
from tests.service.processes import family, proportional_kib
from tests.training.synthetic import stripes
from tests.training.workshop import write_images
from training.data.layouts import find


def test_the_start_is_what_the_images_do_not_explain() -> None:
    assert offline.summary([100, 300], [offline.Cost(12, 6, 900), offline.Cost(32, 8, 800)]) == {
        **{"seconds": [12, 32], "start_seconds": 2, "milliseconds": 100},
        **{"cpu_seconds": [6, 8], "cpu_start_seconds": 5, "cpu_milliseconds": 10},
        "mib": 900,
    }


def test_a_method_is_measured_in_a_copy_of_the_training_split(tmp_path: Path) -> None:
    write_images(tmp_path / "data" / "train", stripes(40))
    methods, engines = {"octree": ("--method", "octree", "--colors", "2")}, {"local": ("--workers", "1")}
    [row] = offline.measure(tmp_path / "data", [6, 30], methods, engines)
    assert (row["method"], row["engine"]) == ("octree", "local")
    assert all(cpu > 0.1 for cpu in row["cpu_seconds"]) and 50 < row["mib"] < 4000


def test_a_copy_holds_the_first_images_and_their_labels(tmp_path: Path) -> None:
    write_images(tmp_path / "data" / "train", stripes(20))
    source = find(tmp_path / "data", "train")
    offline.copy(source, 5, tmp_path / "copy")
    train, test = find(tmp_path / "copy", "train"), find(tmp_path / "copy", "test")
    assert (len(train), len(test)) == (6, 1)
    assert train.classes == source.classes and np.array_equal(train.labels, source.labels[:6])
    assert [file() for _, _, file in train.files()] == [file() for _, _, file in source.select(np.arange(6)).files()]


def test_the_memory_of_a_family_counts_children() -> None:
    code = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'print(1, flush=True); input()'])"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        pids = list(family(process.pid))
        assert len(pids) == 2 and all(proportional_kib(pid) > 1000 for pid in pids)
    assert [proportional_kib(pid) for pid in pids] == [0, 0]
    assert os.getpid() not in pids


def test_a_command_that_fails_ends_the_benchmark(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="status 1"):
        offline.run(["--method", "octree", "--colors", "2"], tmp_path / "missing", tmp_path / "out")


def test_the_table_has_a_line_for_each_engine_and_no_clock_beside_other_work() -> None:
    row = {"method": "`kmeans`", "engine": "local", "start_seconds": 3.4, "milliseconds": 4.0, "mib": 1234}
    row |= {"cpu_start_seconds": 2.4, "cpu_milliseconds": 7.25}
    assert "| `kmeans` | local | 3 s | 250 | 2 s | 7.2 ms | 1,234 MiB |" in offline.table({"rows": [row]})
    text = offline.table({"rows": [row], "other_load": "a training"})
    assert "| `kmeans` | local | 2 s | 7.2 ms | 1,234 MiB |" in text
    assert text.endswith("Preliminary, since other work ran on the machine: a training.")
