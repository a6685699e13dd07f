"""training/cli/session.py: how a run begins, pauses and goes on."""

import json
import os
from pathlib import Path
from types import ModuleType

import pytest
import torch

from tests.training.synthetic import stripes
from tests.training.workshop import Workshop, write_images
from training import train_classifier, train_colorcnn, train_published
from training.cli import session
from training.cli.options import TrainerOptions
from training.data.datasets import DatasetError
from training.loop.state import read_state, save_state


@pytest.mark.parametrize(("fp32", "fast", "bf16"), [(False, True, True), (False, False, False), (True, True, False)])
def test_bfloat16_is_used_on_devices_with_fast_bfloat16(
    fp32: bool, fast: bool, bf16: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "has_bfloat16", lambda device: fast)
    assert session.begin(TrainerOptions(out=tmp_path, fp32=fp32)).bf16 is bf16


def test_a_folder_with_another_run_is_rejected(tmp_path: Path) -> None:
    session.begin(TrainerOptions(out=tmp_path)).log.write("epoch", epoch=1)
    save_state(tmp_path, {})
    with pytest.raises(DatasetError, match="--resume"):
        session.begin(TrainerOptions(out=tmp_path))
    session.begin(TrainerOptions(out=tmp_path, resume="always")).log.write("epoch", epoch=2)
    rows = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [row["event"] for row in rows] == ["start", "epoch", "start", "epoch"]
    assert rows[0]["options"] == {"fp32": False, "dataset": None}


def test_a_run_that_ended_before_its_first_state_leaves_nothing_and_can_be_repeated(tmp_path: Path) -> None:
    out = tmp_path / "runs" / "mine"
    session.begin(TrainerOptions(out=out))
    assert list(tmp_path.iterdir()) == []
    for _ in range(2):  # killed between the first line and the first state
        session.begin(TrainerOptions(out=out)).log.write("epoch", epoch=1)
    assert [json.loads(line)["event"] for line in (out / "log.jsonl").read_text().splitlines()] == ["start", "epoch"]


def test_a_folder_that_cannot_be_written_is_rejected_before_the_training(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for out in (tmp_path / "file", tmp_path / "file" / "run", Path("/proc/colorcnn")):
        with pytest.raises(DatasetError, match=r"cannot write to .*choose another --out"):
            session.begin(TrainerOptions(out=out))


def test_resume_auto_continues_a_state_or_starts_a_run(tmp_path: Path) -> None:
    def is_resumed(mode: str) -> bool:
        return session.is_resumed(TrainerOptions(out=tmp_path, resume=mode))

    assert not is_resumed("auto") and is_resumed("always")
    save_state(tmp_path, {})
    assert is_resumed("auto") and not is_resumed("never")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    write_images(folder / "train", stripes(60))
    return folder


OWN_OPTIONS = {
    train_classifier: ["--size", "16", "--width", "4"],
    train_colorcnn: ["--classifier", "stripes", "--colors", "2"],
    train_published: ["--classifier", "stripes", "--colors", "2", "--width", "4"],
}


@pytest.mark.parametrize("trainer", OWN_OPTIONS, ids=lambda trainer: trainer.__name__)
def test_a_repeated_command_gives_the_result_of_one_run(
    workshop: Workshop, data: Path, tmp_path: Path, trainer: ModuleType
) -> None:
    words = ["--data", str(data), "--device", "cpu", "--held-out", "20", "--batch", "20", "--epochs", "2"]
    words += OWN_OPTIONS[trainer] + ([] if trainer is train_classifier else ["--models", str(workshop.models)])
    trainer.main([*words, "--out", str(tmp_path / "whole")])
    repeated = [*words, "--out", str(tmp_path / "parts"), "--resume", "auto", "--minutes", "0"]
    with pytest.raises(SystemExit) as ended:
        trainer.main(repeated)
    assert ended.value.code == os.EX_TEMPFAIL and read_state(tmp_path / "parts")["epoch"] == 1
    trainer.main(repeated)
    whole, parts = (read_state(tmp_path / name) for name in ("whole", "parts"))
    assert parts["epoch"] == 2 and parts["config"] == whole["config"]
    assert all(torch.equal(value, parts["weights"][name]) for name, value in whole["weights"].items())
