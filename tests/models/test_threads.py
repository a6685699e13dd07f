"""models/threads.py, on trees of files like those of Linux."""

import math
import os
import subprocess
import sys
from pathlib import Path

import pytest

from models.threads import available_cpus, configure

CPUS = 8  # in the affinity of the process
FIXED = {"OMP_WAIT_POLICY": "PASSIVE", "OPENBLAS_NUM_THREADS": "1"}
V2 = "sys/fs/cgroup"
V1 = "sys/fs/cgroup/cpu"


@pytest.fixture(autouse=True)
def affinity(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("models.threads._allowed_cpus", lambda: CPUS)


def tree(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def in_v2(root: Path, group: str, quotas: dict[str, str]) -> Path:
    """Return a tree where the process is in `group`; quotas: content of cpu.max, by the path of its group."""
    files = {f"{V2}{path}/cpu.max": text for path, text in quotas.items()}
    return tree(root, {"proc/self/cgroup": f"0::{group}\n", **files})


def in_v1(root: Path, quota: str, period: str = "100000\n") -> Path:
    files = {f"{V1}/cpu.cfs_quota_us": quota, f"{V1}/cpu.cfs_period_us": period}
    return tree(root, {"proc/self/cgroup": "5:memory:/\n4:cpu,cpuacct:/docker/0123\n0::/\n", **files})


@pytest.mark.parametrize(
    ("quota", "cpus"),
    [
        ("200000 100000\n", 2),
        ("100000 100000\n", 1),
        ("150000 100000\n", 1),  # rounded down: two threads that wait for each other would be stopped in each period
        ("399999 100000\n", 3),
        ("50000 100000\n", 1),  # never less than one
        ("125000 50000\n", 2),
        ("900000 100000\n", CPUS),  # more than there are
        ("max 100000\n", CPUS),
    ],
)
def test_the_quota_of_v2_is_rounded_down(tmp_path: Path, quota: str, cpus: int) -> None:
    assert available_cpus(in_v2(tmp_path, "/", {"": quota})) == cpus


def test_a_group_has_at_most_the_quota_of_the_groups_around_it(tmp_path: Path) -> None:
    assert available_cpus(in_v2(tmp_path / "inner", "/a/b", {"/a": "max 100000", "/a/b": "300000 100000"})) == 3
    assert available_cpus(in_v2(tmp_path / "outer", "/a/b", {"/a": "200000 100000", "/a/b": "300000 100000"})) == 2
    assert available_cpus(in_v2(tmp_path / "both", "/a/b", {"": "100000 100000", "/a/b": "max 100000"})) == 1
    assert available_cpus(in_v2(tmp_path / "sibling", "/a/b", {"/a/c": "100000 100000"})) == CPUS


@pytest.mark.parametrize("group", ["/host/path/of/the/container", "/../../of/another/name/space"])
def test_a_container_reads_the_group_that_it_sees_as_the_outermost(tmp_path: Path, group: str) -> None:
    assert available_cpus(in_v2(tmp_path, group, {"": "200000 100000"})) == 2


def test_a_path_upward_leaves_the_tree_of_groups_unread(tmp_path: Path) -> None:
    root = tree(in_v2(tmp_path, "/../outside", {}), {"sys/fs/outside/cpu.max": "100000 100000"})
    assert available_cpus(root) == CPUS


@pytest.mark.parametrize(("quota", "cpus"), [("150000\n", 1), ("250000\n", 2), ("-1\n", CPUS), ("0\n", CPUS)])
def test_the_quota_of_v1_is_rounded_down(tmp_path: Path, quota: str, cpus: int) -> None:
    assert available_cpus(in_v1(tmp_path, quota)) == cpus


def test_the_group_of_another_controller_has_no_quota(tmp_path: Path) -> None:
    files = {f"{V1}/cpu.cfs_quota_us": "100000", f"{V1}/cpu.cfs_period_us": "100000"}
    assert available_cpus(tree(tmp_path, {"proc/self/cgroup": "3:cpuset:/\n2:cpuacct:/\n", **files})) == CPUS


@pytest.mark.parametrize(
    "content",
    [
        "",
        "max",
        "100000",
        "1 2 3",
        "many few",
        "100000 0",
        "-5 100000",
        "1.5 1",
        "nan 1",
        "\x00\x00",
        "100000\n100000 7",
    ],
)
def test_nonsense_is_no_quota(tmp_path: Path, content: str) -> None:
    assert available_cpus(in_v2(tmp_path / "v2", "/", {"": content})) == CPUS
    assert available_cpus(in_v1(tmp_path / "v1", content, period="zero")) == CPUS


@pytest.mark.parametrize("content", ["", "nonsense\n", "0:\n", "0::relative\n", "::\n", "\xff"])
def test_a_process_of_no_known_group_has_the_cpus_of_its_affinity(tmp_path: Path, content: str) -> None:
    assert available_cpus(tmp_path) == CPUS
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/cgroup").write_bytes(content.encode("latin-1"))
    assert available_cpus(tmp_path) == CPUS


def test_this_machine_has_a_cpu_for_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    assert 1 <= available_cpus() <= (os.cpu_count() or math.inf)


def test_openmp_sleeps_while_it_waits_and_a_quota_limits_the_threads(tmp_path: Path) -> None:
    environment: dict[str, str] = {}
    configure(environment, in_v2(tmp_path, "/", {"": "250000 100000"}))
    assert environment == FIXED | {"OMP_NUM_THREADS": "2", "VIPS_CONCURRENCY": "2"}


def test_libraries_choose_their_threads_where_no_quota_is_lower_than_the_cpus(tmp_path: Path) -> None:
    environment: dict[str, str] = {}
    configure(environment, in_v2(tmp_path, "/", {"": f"{CPUS}00000 100000"}))
    assert environment == FIXED


def test_the_operators_own_values_stay(tmp_path: Path) -> None:
    own = {"OMP_WAIT_POLICY": "ACTIVE", "OPENBLAS_NUM_THREADS": "7", "OMP_NUM_THREADS": "5", "VIPS_CONCURRENCY": "6"}
    environment = dict(own)
    configure(environment, in_v2(tmp_path, "/", {"": "100000 100000"}))
    assert environment == own


def test_torch_takes_as_many_threads_as_the_quota_allows(tmp_path: Path) -> None:
    root = in_v2(tmp_path, "/", {"": "100000 100000"})
    code = f"""
import os
from pathlib import Path
from models import threads
threads._allowed_cpus = lambda: {CPUS}
threads.configure(root=Path({str(root)!r}))
import torch
print(torch.get_num_threads())
"""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OMP_")}
    process = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, check=True, text=True)
    assert process.stdout == "1\n"
