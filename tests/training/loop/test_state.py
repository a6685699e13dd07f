"""training/loop/state.py: states of runs, also of earlier versions of the project."""

from pathlib import Path
from typing import Any

import pytest
import torch

from training.loop.state import STATE_FILE, read_state, restore, save_state
from training.train_colorcnn import ColorCNNOptions

FORMER = {
    "dataset": "cifar10",
    "classifier": "cifar10-resnet9",
    "epochs": 20,
    "batch": 128,
    "lr": 0.002,
    "weight_decay": 0.0001,
    "colors": (2, 16),
    "weights": (8.0, 1.0),
    "soft": 0.8,
    "hard_colors": 16,
    "contrast": 4.0,
    "jitter": 1.0,
    "distillation": 0.5,
    "regularisation": 0.5,
    "error": 1.0,
    "rate": 0.0,
    "crop": 4,
    "also": (),
    "encoder": None,
    "start": None,
    "held_out": 5000,
    "train": None,
    "seed": 0,
    "bf16": False,
}


def save_former(folder: Path) -> None:
    network = {"fade": None, "strengths": [1.0]}
    config = {"kind": "colorcnn", "network": network, "training": FORMER, "classes": ["a"]}
    save_state(folder, {"config": config, "epoch": 3, "seconds": 4.0, "reader": {"weight": torch.ones(1)}})


def test_a_run_that_began_with_former_names_of_options_is_resumed(tmp_path: Path) -> None:
    save_former(tmp_path)
    values: dict[str, Any] = {
        "dataset": "cifar10",
        "classifier": "cifar10-resnet9",
        "regularization": 0.5,
        "held_out": 5000,
    }
    options = ColorCNNOptions(out=tmp_path, colors=("16:1", "2:8"), **values)
    config = {
        "kind": "colorcnn",
        "network": {"structure_cutoff": None, "structure_scales": [1.0]},
        "training": options.recorded() | {"bf16": False},
        "classes": ["a"],
    }
    assert restore({}, tmp_path, config) == (3, 4.0)
    with pytest.raises(SystemExit, match="other values of: training"):
        restore({}, tmp_path, config | {"training": options.recorded() | {"bf16": True}})
    sharp = ColorCNNOptions(out=tmp_path, colors=("16:1", "2:8"), temperature=0.1, **values)
    with pytest.raises(SystemExit, match="other values of: training"):
        restore({}, tmp_path, config | {"training": sharp.recorded() | {"bf16": False}})


def test_former_names_are_read_as_the_present_ones(tmp_path: Path) -> None:
    save_former(tmp_path)
    state = read_state(tmp_path)
    assert state["config"]["training"]["regularization"] == 0.5 and "joint_classifier" in state


@pytest.mark.parametrize("content", [b"", b"no state", b"PK\x03\x04", None])
def test_a_file_that_is_no_state_is_named(tmp_path: Path, content: bytes | None) -> None:
    if content is None:
        torch.save({"weight": torch.ones(1)}, tmp_path / STATE_FILE)
    else:
        (tmp_path / STATE_FILE).write_bytes(content)
    with pytest.raises(SystemExit, match=rf"{STATE_FILE} is damaged, or no state of a training run"):
        read_state(tmp_path)


def test_resuming_without_a_state_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=rf"there is no .*{STATE_FILE}: train first"):
        read_state(tmp_path)
