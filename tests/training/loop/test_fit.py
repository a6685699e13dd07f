"""training/loop/fit.py: a run is a function of its options, killed or not."""

import json
import math
import multiprocessing
import os
import subprocess
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch

from training.data.datasets import DatasetError
from training.loop import fit
from training.loop.batches import batches, epoch_generator
from training.loop.distributed import Workers, select_device
from training.loop.fit import Run, Session
from training.loop.log import Log
from training.loop.provenance import commit
from training.loop.state import read_state, save_state


class Counter:
    """A part with a state."""

    def __init__(self) -> None:
        self.value = torch.zeros(())

    def state_dict(self) -> dict[str, Any]:
        return {"value": self.value}

    def load_state_dict(self, state: dict[str, Any], /) -> None:
        self.value = state["value"]


def train(
    folder: Path,
    *,
    epochs: int = 4,
    fail_at: int | None = None,
    resume: bool = False,
    minutes: float = math.inf,
    score_every: int = 1,
) -> tuple[float, list[int]]:
    counter, seen = Counter(), []

    def train_epoch(epoch: int) -> dict[str, float]:
        if epoch == fail_at:
            raise KeyboardInterrupt
        seen.append(epoch)
        generator = epoch_generator(0, epoch, torch.device("cpu"))
        counter.value = counter.value * 0.5 + torch.rand((), generator=generator)
        return {"loss": 1.0}

    run = Run(
        epochs,
        config={"epochs": epochs},
        parts={"counter": counter},
        train_epoch=train_epoch,
        score=lambda: {"score": float(counter.value)},
    )
    log = Log(folder, minutes=minutes, score_every=score_every)
    fit.fit(run, Session(torch.device("cpu"), log, resume=resume))
    return float(counter.value), seen


def test_an_interrupted_run_resumes_to_the_same_result(tmp_path: Path) -> None:
    (tmp_path / "whole").mkdir()
    (tmp_path / "broken").mkdir()
    whole, _ = train(tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "broken", fail_at=2)
    resumed, seen = train(tmp_path / "broken", resume=True)
    assert resumed == whole and seen == [2, 3]
    rows = [json.loads(line) for line in (tmp_path / "broken" / "log.jsonl").read_text().splitlines()]
    assert [row["epoch"] for row in rows] == [1, 2, 3, 4]
    assert rows[-1]["score"] == pytest.approx(whole, rel=1e-5)


def test_scores_follow_the_interval_and_the_last_epoch_is_always_scored(tmp_path: Path) -> None:
    train(tmp_path, epochs=5, score_every=2)
    rows = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [row["epoch"] for row in rows if "score" in row] == [2, 4, 5]
    assert read_state(tmp_path)["scores"]["score"] == pytest.approx(rows[-1]["score"], rel=1e-5)


def test_a_late_run_still_trains_one_epoch_per_process(tmp_path: Path) -> None:
    (tmp_path / "whole").mkdir()
    (tmp_path / "parts").mkdir()
    whole, _ = train(tmp_path / "whole")
    for epoch in range(3):
        with pytest.raises(SystemExit) as ended:
            train(tmp_path / "parts", minutes=0, resume=epoch > 0)
        assert ended.value.code == os.EX_TEMPFAIL
    assert train(tmp_path / "parts", minutes=0, resume=True) == (whole, [3])
    rows = [json.loads(line) for line in (tmp_path / "parts" / "log.jsonl").read_text().splitlines()]
    assert [(row["event"], row["epoch"]) for row in rows] == [
        (event, epoch) for epoch in (1, 2, 3) for event in ("epoch", "paused")
    ] + [("epoch", 4)]


def test_an_epoch_that_would_end_too_late_is_not_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fit, "minutes_elapsed", lambda: 0.5)
    fit._pause_if_late(Log(tmp_path, minutes=1), 1, longest=5.0)
    with pytest.raises(SystemExit):
        fit._pause_if_late(Log(tmp_path, minutes=1), 1, longest=31.0)


def test_resume_errors_name_differing_and_missing_options(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="train first"):
        train(tmp_path, resume=True)
    train(tmp_path)
    with pytest.raises(SystemExit, match="other values of: epochs"):
        train(tmp_path, epochs=5, resume=True)


def test_a_failed_write_keeps_the_previous_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_state(tmp_path, {"epoch": 1, "config": {}})

    def broken(state: object, file: Any) -> None:
        file.write(b"half of it")
        raise OSError("disk full")

    monkeypatch.setattr(torch, "save", broken)
    with pytest.raises(OSError, match="disk full"):
        save_state(tmp_path, {"epoch": 2, "config": {}})
    assert read_state(tmp_path)["epoch"] == 1


@pytest.mark.parametrize(("count", "size", "steps"), [(100, 10, 3), (101, 17, 1), (102, 34, 1)])
def test_workers_get_equal_batches_without_repeated_rows(count: int, size: int, steps: int) -> None:
    """Of 101 rows three workers hold 34, 34 and 33: at batches of 17 the first two must not wait for a second one."""
    shares = []
    for rank in range(3):
        generator = epoch_generator(0, 5, torch.device("cpu"))
        shares.append(list(batches(count, size, generator, Workers(rank, 3))))
    assert [[len(batch) for batch in share] for share in shares] == [[size] * steps] * 3
    assert len(torch.cat([torch.cat(share) for share in shares]).unique()) == 3 * steps * size


def test_too_few_images_for_one_batch_are_refused() -> None:
    with pytest.raises(DatasetError, match="lower --batch"):
        list(batches(15, 16, torch.Generator(), Workers()))


def test_processes_share_their_gradients_and_decisions(tmp_path: Path) -> None:
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
        assert list(pool.map(_average, range(2), [tmp_path / "meeting"] * 2, timeout=120)) == [(1.5, 1.0)] * 2


def _average(rank: int, meeting: Path) -> tuple[float, float]:
    torch.distributed.init_process_group("gloo", init_method=f"file://{meeting}", rank=rank, world_size=2)
    parameter = torch.zeros(1, requires_grad=True)
    parameter.grad = torch.tensor([1.0 + rank])
    Workers(rank, 2).average_gradients([parameter])
    largest = Workers(rank, 2).largest(float(rank))
    torch.distributed.destroy_process_group()
    return float(parameter.grad), largest


def test_auto_is_cuda_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(os.environ, "LOCAL_RANK", raising=False)
    for there, device in ((True, "cuda:0"), (False, "cpu")):
        monkeypatch.setattr(torch.cuda, "is_available", lambda there=there: there)
        assert select_device("auto") == torch.device(device)


@pytest.mark.parametrize("name", ["abacus", "cuda:99"])
def test_a_device_that_torch_cannot_use_is_named(name: str) -> None:
    with pytest.raises(SystemExit, match=f"--device: torch cannot use '{name}' on this machine"):
        select_device(name)


def test_provenance_names_the_last_commit_that_changed_code(tmp_path: Path) -> None:
    """Documents change no figure."""

    def git(*command: str) -> str:
        who = ("-c", "user.name=me", "-c", "user.email=me@example.org")
        done = subprocess.run(["git", "-C", tmp_path, *who, *command], check=True, capture_output=True, text=True)
        return done.stdout.strip()

    code, folder = tmp_path / "models" / "codecs" / "png.py", tmp_path / "training"
    for file in (code, folder / "run.py", tmp_path / "RESULTS.md"):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("")
    assert commit(folder) == "unknown"
    git("init")
    git("add", ".")
    git("commit", "--message", "All")
    first = git("rev-parse", "HEAD")
    (tmp_path / "RESULTS.md").write_text("new")
    git("commit", "--all", "--message", "A document")
    assert commit(folder) == first != git("rev-parse", "HEAD")
    code.write_text("new")
    assert commit(folder) == f"{first}-dirty"
    git("commit", "--all", "--message", "Code")
    assert commit(folder) == git("rev-parse", "HEAD")
