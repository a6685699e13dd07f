"""training/importing/torchscript.py: traced and scripted models are read; what could run code is rejected first."""

import io
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.training.importing.exported import SIZE, exported, images, make_classifier, scripted, traced
from training.importing.graph import Rejected
from training.importing.simplify import build, plain_config, simplify
from training.importing.torchscript import is_torchscript, read_torchscript


@pytest.mark.parametrize("count", [1, 2, 5])
def test_a_traced_model_gives_its_logits(count: int) -> None:
    model = make_classifier()
    graph = simplify(read_torchscript(traced(model)), SIZE)
    assert torch.equal(build(graph, plain_config(graph, SIZE))(images(count)), model(images(count)))


class _Sized(nn.Module):
    """Pads by numbers that depend on the size, as TensorFlow does, and splits a result."""

    def forward(self, x: Tensor) -> Tensor:
        side = x.shape[2]
        x = nn.functional.pad(x, [0, (side // 4) * 4 - side + 3, 0, 1])
        first, second, _ = x.chunk(3, 1)
        return (first * second).flatten(1)[:, :3] * side


@pytest.mark.parametrize("save", [traced, scripted])
def test_numbers_that_depend_on_the_size_are_followed(save: Any) -> None:
    model = _Sized().eval()
    graph = simplify(read_torchscript(save(model)), SIZE)
    torch.testing.assert_close(build(graph, plain_config(graph, SIZE))(images(3)), model(images(3)))
    assert {step.operator for step in graph.steps if "operator" in step.operator} == {"operator.getitem"}  # of chunks


class _Branches(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        y = x.mean((2, 3))
        if bool(x.sum() > 0):
            y = y + 1
        return y


def test_a_branch_on_the_image_is_rejected_with_the_remedy() -> None:
    with pytest.raises(Rejected, match=r"branches or loops .*torch\.jit\.trace"):
        read_torchscript(scripted(_Branches()))


class _Saves(nn.Module):
    def __init__(self, file: str) -> None:
        super().__init__()
        self.file = file

    def forward(self, x: Tensor) -> Tensor:
        torch.ops.aten.save(x, self.file)
        return x.mean((2, 3))


def test_a_program_that_writes_a_file_is_rejected_before_it_runs(tmp_path: Path) -> None:
    file = tmp_path / "written"
    with pytest.raises(Rejected, match="aten::save' is not supported"):
        read_torchscript(scripted(_Saves(str(file))))
    assert not file.exists()


class _RunsAtLoad(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.state = torch.zeros(1)

    def forward(self, x: Tensor) -> Tensor:
        return x.mean((2, 3))

    @torch.jit.export
    def __getstate__(self) -> tuple[Tensor, bool]:
        return self.state, self.training

    @torch.jit.export
    def __setstate__(self, state: tuple[Tensor, bool]) -> None:
        self.state = state[0]
        self.training = state[1]


def test_a_program_that_runs_when_it_is_loaded_is_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    data = scripted(_RunsAtLoad())
    monkeypatch.setattr(torch.jit, "load", lambda *_, **__: pytest.fail("the file was loaded"))
    with pytest.raises(Rejected, match="__setstate__, which runs code"):
        read_torchscript(data)


def test_only_torchscript_is_taken_for_it() -> None:
    model = make_classifier()
    assert is_torchscript(traced(model))
    weights = io.BytesIO()
    torch.save(model.state_dict(), weights)
    assert not any(map(is_torchscript, (b"", b"text", exported(model), weights.getvalue())))


def test_a_damaged_file_is_rejected() -> None:
    data = traced(make_classifier())
    damaged = data.replace(b"constants.pkl", b"constants.pkx")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(Rejected, match="cannot be loaded"):
            read_torchscript(damaged)
