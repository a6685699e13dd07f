"""training/run.py: a run is a function of its options, killed or not."""

import json
import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch

from training import run


class Counter:
    """A part with a state."""

    def __init__(self) -> None:
        self.value = torch.zeros(())

    def state_dict(self) -> dict[str, Any]:
        return {"value": self.value}

    def load_state_dict(self, state: dict[str, Any], /) -> None:
        self.value = state["value"]


def fit(folder: Path, *, epochs: int = 4, fail_at: int | None = None, resume: bool = False) -> tuple[float, list[int]]:
    counter, seen = Counter(), []

    def train_epoch(epoch: int) -> dict[str, float]:
        if epoch == fail_at:
            raise KeyboardInterrupt
        seen.append(epoch)
        generator = run.epoch_generator(0, epoch, torch.device("cpu"))
        counter.value = counter.value * 0.5 + torch.rand((), generator=generator)
        return {"loss": 1.0}

    run.fit(
        epochs,
        train_epoch,
        lambda: {"score": float(counter.value)},
        parts={"counter": counter},
        config={"epochs": epochs},
        log=run.Log(folder),
        resume=resume,
    )
    return float(counter.value), seen


def test_an_interrupted_run_goes_on_to_the_same_result(tmp_path: Path) -> None:
    (tmp_path / "whole").mkdir()
    (tmp_path / "broken").mkdir()
    whole, _ = fit(tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        fit(tmp_path / "broken", fail_at=2)
    resumed, seen = fit(tmp_path / "broken", resume=True)
    assert resumed == whole and seen == [2, 3]
    rows = [json.loads(line) for line in (tmp_path / "broken" / "log.jsonl").read_text().splitlines()]
    assert [row["epoch"] for row in rows] == [1, 2, 3, 4]
    assert rows[-1]["score"] == pytest.approx(whole, rel=1e-5)


def test_resuming_names_what_differs_and_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="train first"):
        fit(tmp_path, resume=True)
    fit(tmp_path)
    with pytest.raises(SystemExit, match="other values of: epochs"):
        fit(tmp_path, epochs=5, resume=True)


def test_a_write_that_fails_leaves_the_state_before_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run.save_state(tmp_path, {"epoch": 1, "config": {}})

    def broken(state: object, file: Any) -> None:
        file.write(b"half of it")
        raise OSError("disk full")

    monkeypatch.setattr(torch, "save", broken)
    with pytest.raises(OSError, match="disk full"):
        run.save_state(tmp_path, {"epoch": 2, "config": {}})
    assert run.read_state(tmp_path)["epoch"] == 1


def test_batches_share_every_row_once_among_the_workers() -> None:
    shares = []
    for rank in range(3):
        generator = run.epoch_generator(0, 5, torch.device("cpu"))
        shares.append(torch.cat(list(run.batches(100, 10, generator, run.Workers(rank, 3)))))
    assert [len(share) for share in shares] == [30, 30, 30]  # 34, 33 and 33 rows, whole batches only
    assert len(torch.cat(shares).unique()) == 90


def test_gradients_are_averaged_over_the_processes(tmp_path: Path) -> None:
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
        assert list(pool.map(_average, range(2), [tmp_path / "meeting"] * 2, timeout=120)) == [1.5, 1.5]


def _average(rank: int, meeting: Path) -> float:
    torch.distributed.init_process_group("gloo", init_method=f"file://{meeting}", rank=rank, world_size=2)
    parameter = torch.zeros(1, requires_grad=True)
    parameter.grad = torch.tensor([1.0 + rank])
    run.Workers(rank, 2).average_gradients([parameter])
    torch.distributed.destroy_process_group()
    return float(parameter.grad)


def test_a_missing_dataset_folder_says_how_to_give_one(tmp_path: Path) -> None:
    for folder in (None, tmp_path / "nowhere"):
        with pytest.raises(SystemExit, match="--data FOLDER or set COLORCNN_DATA"):
            run.require_data(folder)


def test_auto_is_cuda_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(os.environ, "LOCAL_RANK", raising=False)
    for there, device in ((True, "cuda:0"), (False, "cpu")):
        monkeypatch.setattr(torch.cuda, "is_available", lambda there=there: there)
        assert run.choose_device("auto") == torch.device(device)
