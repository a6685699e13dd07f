"""training/importing/weights.py: tensors are read, code is not run, and weights must fit."""

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from tests.training.importing.exported import make_classifier
from training.importing.graph import Rejected
from training.importing.weights import fill, read_weights

STATE = make_classifier().state_dict()


def same(tensors: dict[str, torch.Tensor]) -> bool:
    return tensors.keys() == STATE.keys() and all(torch.equal(tensors[name], STATE[name]) for name in STATE)


def test_safetensors_and_pickles_of_tensors_are_read(tmp_path: Path) -> None:
    save_file(STATE, tmp_path / "a.safetensors")
    torch.save(STATE, tmp_path / "a.pth")
    torch.save(
        {"epoch": 3, "state_dict": {f"module.{name}": value for name, value in STATE.items()}}, tmp_path / "b.pth"
    )
    assert all(same(read_weights(tmp_path / name)) for name in ("a.safetensors", "a.pth", "b.pth"))


class _Runs:
    def __reduce__(self) -> tuple[Any, ...]:
        return print, ("this pickle ran",)


def test_a_pickle_that_wants_code_is_rejected_and_does_not_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.save({"weights": _Runs()}, tmp_path / "a.pth")
    with pytest.raises(Rejected, match=r"would run code when it is read; save the tensors alone"):
        read_weights(tmp_path / "a.pth")
    assert not capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.safetensors", b"nothing", "not a readable safetensors file"),
        ("a.pth", b"nothing", "not a readable file of tensors"),
        ("a.pth", b"", "not a readable file of tensors"),
    ],
)
def test_another_file_is_rejected(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(Rejected, match=message):
        read_weights(tmp_path / name)


def test_a_missing_file_and_other_objects_are_rejected(tmp_path: Path) -> None:
    with pytest.raises(Rejected, match="cannot be read"):
        read_weights(tmp_path / "nowhere.pth")
    torch.save([torch.zeros(1)], tmp_path / "a.pth")
    with pytest.raises(Rejected, match=r"more than named tensors; save model\.state_dict"):
        read_weights(tmp_path / "a.pth")


def test_weights_must_fit_by_name_and_shape() -> None:
    model = make_classifier()
    fill(model, STATE, "the model")
    changed = {name: value for name, value in STATE.items() if name != "fc.bias"} | {"more": torch.zeros(1)}
    with pytest.raises(Rejected, match=r"do not fit the model: they lack fc\.bias; they have unknown more"):
        fill(model, changed, "the model")
    with pytest.raises(Rejected, match=r"fc\.bias has shape \(7,\) instead of \(3,\)"):
        fill(model, STATE | {"fc.bias": torch.zeros(7)}, "the model")
