"""training/engines/ray_workers.py: Ray does what one process does, also after a worker or the command was killed.

All tests that need Ray share one start of it here: of datasets, of evaluations, and of workers alone.
"""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow.parquet as pq
import pytest

from models.evaluation.compare import Summary
from tests.training.workshop import Workshop
from training import finetune, quantize_dataset
from training.cli.options import RayOptions
from training.data.datasets import DatasetError
from training.engines import ray_workers
from training.engines.quantized_blocks import BlockWriter, Quantization
from training.engines.ray_workers import RayWorkers
from training.evaluate import __main__ as evaluate
from training.loop.state import STATE_FILE

ROOT = Path(__file__).parents[3]

pytestmark = [
    pytest.mark.usefixtures("pool_in_this_process"),
    # The context of Ray Data warns about each deprecated name of its own while it fills itself.
    pytest.mark.filterwarnings(r"ignore:`use_\w+` is deprecated:DeprecationWarning"),
]


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    """Address of a Ray cluster in which this process takes part."""
    ray: Any = pytest.importorskip("ray", reason="Ray is not installed: pip install 'colorcnn-service[ray]'")
    pytest.importorskip("ray.data", reason="Ray Data is not installed: pip install 'colorcnn-service[ray]'")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_BACKEND_LOG_LEVEL", "fatal")
        # Ray's workers yield to other processes by default; beside other tests they would hardly run.
        patch.setenv("RAY_worker_niceness", "0")
        ray.init(
            address="local",
            num_cpus=2,
            include_dashboard=False,
            object_store_memory=100 << 20,
            log_to_driver=False,
            configure_logging=False,
        )
        yield ray.get_runtime_context().gcs_address
        ray.shutdown()


def words(workshop: Workshop, out: Path, *flags: str, data: Path | None = None) -> list[str]:
    common = ["--data", str(data or workshop.data), "--models", str(workshop.models), "--device", "cpu"]
    return [*common, "--held-out", "40", "--size", "16", "--out", str(out), *flags]


def contents(folder: Path) -> dict[str, bytes]:
    """Return the files that are the same in each run: hidden ones are those a killed process was writing."""
    files = [file for file in folder.iterdir() if file.name != "cost.json" and not file.name.startswith(".")]
    return {file.name: file.read_bytes() for file in files}


@pytest.mark.usefixtures("cluster")
def test_a_dataset_has_the_same_files_with_any_engine_and_number_of_workers(
    workshop: Workshop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    flags = ["--quantizer", "stripes-q", "--colors", "2", "--block", "60", "--train", "250"]
    here = quantize_dataset.main(words(workshop, Path("here"), *flags))
    there = quantize_dataset.main(words(workshop, Path("there"), *flags, "--engine", "ray", "--workers", "2"))
    assert contents(here) == contents(there) and len(contents(here)) == 5 + 1 + 4 + 2
    assert quantize_dataset.seconds(there) > 0

    flags = ["--qp", "40", "--block", "100"]
    here = quantize_dataset.main(words(workshop, Path("here-40"), *flags, data=here))
    flags += ["--engine", "ray", "--workers", "1"]
    there = quantize_dataset.main(words(workshop, Path("there-40"), *flags, data=there))
    assert contents(here) == contents(there)

    flags = ["--classifier", "stripes", "--models", str(workshop.models), "--device", "cpu", "--epochs", "1"]
    finetune.main([*flags, "--data", str(there), "--out", "tuned", "--batch", "50", "--crop", "0", "--fp32"])
    assert Path("tuned", STATE_FILE).exists()


def test_a_command_that_was_killed_continues_after_its_last_complete_file(
    workshop: Workshop, tmp_path: Path, cluster: str
) -> None:
    flags = ["--method", "kmeans", "--colors", "2", "--block", "4", "--train", "200", "--test", "20"]
    flags += ["--workers", "1", "--engine", "ray"]
    killed = tmp_path / "killed"
    command = [sys.executable, "-m", "training.quantize_dataset", *words(workshop, killed, *flags)]
    process = subprocess.Popen(
        [*command, "--ray-address", cluster], cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    wait(lambda: process.poll() is not None or len(list(killed.glob("train-*.parquet"))) > 2)
    process.kill()
    _, errors = process.communicate()
    before = {file: file.stat().st_mtime_ns for file in killed.glob("*-*.parquet")}
    assert 2 < len(before) < 65, errors

    quantize_dataset.main(words(workshop, killed, *flags))

    whole = quantize_dataset.main(words(workshop, tmp_path / "whole", *flags[:-2]))
    assert contents(killed) == contents(whole)
    assert {file: file.stat().st_mtime_ns for file in before} == before


def wait(done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 120
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def killed_once(folder: Path) -> Callable[[int], int]:
    """Work of a worker that is killed on its third block, unless another was killed before it."""

    def work(block: int) -> int:
        mark = folder / "killed"
        if block == 2 and not mark.exists():
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return block * block

    return work


@pytest.mark.usefixtures("cluster")
def test_a_lost_worker_is_started_again_and_its_block_repeated(tmp_path: Path) -> None:
    with RayWorkers.started(RayOptions(engine="ray", workers=1)) as engine:
        assert sorted(engine.map(partial(killed_once, tmp_path), range(6))) == [0, 1, 4, 9, 16, 25]
    assert (tmp_path / "killed").exists()


@pytest.mark.usefixtures("cluster")
def test_what_a_worker_refuses_ends_the_command_with_its_message(workshop: Workshop) -> None:
    quantization = Quantization("colorcnn", "stripes-q", 2, sha256="0123")
    with RayWorkers.started(RayOptions(engine="ray", workers=1)) as engine:
        results = engine.map(partial(BlockWriter.open, quantization, 16, workshop.models, "cpu"), [0])
        with pytest.raises(DatasetError, match=r"^stripes-q has other weights here, .* where the command runs, 0123$"):
            list(results)


@pytest.mark.usefixtures("cluster")
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"worker_cpus": 64}, "room for 0 workers of 64 CPUs and 0 GPUs, not 1: lower --workers,"),
        ({"workers": 9, "worker_cpus": 0.5}, "room for 4 workers of 0.5 CPUs and 0 GPUs, not 9: lower --workers,"),
        ({"worker_gpus": 100}, "room for 0 workers of 1 CPUs and 100 GPUs, not 1: lower"),
    ],
)
def test_workers_that_the_cluster_has_no_room_for_are_refused(options: dict[str, float], message: str) -> None:
    with (
        pytest.raises(DatasetError, match=re.escape(message)),
        RayWorkers.started(RayOptions.model_validate({"engine": "ray", **options})),
    ):
        pass


@pytest.mark.usefixtures("cluster")
def test_an_evaluation_has_the_same_rows_with_either_engine(workshop: Workshop, tmp_path: Path) -> None:
    out = tmp_path / "stripes.json"
    flags = [word for word in workshop.evaluation if word not in ("--workers", "1")]
    rows = evaluate.main([*flags, "--engine", "ray", "--workers", "2", "--out", str(out)])

    report = json.loads(out.read_text())
    assert (report.pop("engine"), report.pop("workers"), report.pop("machines")) == ("ray", 2, 1)
    assert without_time(report) == without_time(workshop.report)
    assert list(report) == list(workshop.report)
    assert [row.setting for row in rows] == [Summary(**row).setting for row in workshop.report["rows"]]

    [part] = out.with_name("stripes.json.rows").glob("part-*.parquet")
    images = pq.read_table(part).to_pylist()
    assert len(images) == 200 * len(rows)
    assert sum(image["right"] for image in images[:200]) / 200 == rows[0].top1
    assert [image["image"] for image in images[:200]] == [str(number) for number in range(200)]

    written = part.stat().st_mtime_ns
    again = evaluate.main([*flags, "--engine", "ray", "--out", str(out)])
    assert part.stat().st_mtime_ns == written
    assert [without_time(asdict(row)) for row in again] == [without_time(asdict(row)) for row in rows]
    with pytest.raises(DatasetError, match="holds rows of other data, models, settings or code: delete it, or"):
        evaluate.main([*flags, "--colors", "3", "--engine", "ray", "--out", str(out)])


def without_time(values: dict[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in values.items() if name not in {"milliseconds", "command"}}
    return kept | ({"rows": [without_time(row) for row in kept["rows"]]} if "rows" in kept else {})


def test_workers_without_a_gpu_cannot_compute_on_one() -> None:
    options = RayOptions(engine="ray", device="cuda")
    with (
        pytest.raises(DatasetError, match="--device cuda with --engine ray needs --worker-gpus above 0"),
        RayWorkers.started(options),
    ):
        pass


def test_an_address_where_nothing_listens_is_refused_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_workers, "ray_data", lambda: SimpleNamespace(is_initialized=lambda: False))
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
    with pytest.raises(DatasetError, match=f"^no Ray cluster answers at {address} "), started(address):
        pass
    monkeypatch.setenv("RAY_ADDRESS", f"ray://{address}")
    with pytest.raises(DatasetError, match=f"^no Ray cluster answers at ray://{address} "), started(None):
        pass


def test_what_ray_refuses_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def init(**options: object) -> None:
        raise RuntimeError("Version mismatch:\n  The cluster was started with Ray 2.\n  This process has Ray 3.\n")

    monkeypatch.setattr(ray_workers, "ray_data", lambda: SimpleNamespace(is_initialized=lambda: False, init=init))
    message = "cannot start Ray or join its cluster: This process has Ray 3; a cluster needs"
    with pytest.raises(DatasetError, match=message), started():
        pass


def started(address: str | None = None) -> Any:
    return RayWorkers.started(RayOptions(engine="ray", ray_address=address))


def test_the_local_engine_does_not_import_ray() -> None:
    code = "import sys, training.quantize_dataset, training.evaluate.__main__; sys.exit('ray' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, cwd=ROOT).returncode == 0
