"""models/zoo/checkpoint.py: one file, strict, hashed, atomic, and never unpickled."""

import dataclasses
import hashlib
import json
import os
import pickle
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn

from models.errors import CorruptCheckpoint
from models.names import ModelKind
from models.zoo.checkpoint import Checkpoint, Provenance, load, restore, save

PROVENANCE = Provenance(
    dataset="cifar10", command="python -m training.x --seed 3", commit="abc", seed=3, accuracy={"top1": 0.5}, notes="n"
)


def make(**changes: Any) -> Checkpoint:
    tensors = {"weight": torch.tensor([[1.0, 1 / 3], [0.0, -2.0]]), "steps": torch.tensor(70_000)}
    return dataclasses.replace(
        Checkpoint(ModelKind.CLASSIFIER, {"classes": 10, "mean": [0.5]}, PROVENANCE, tensors), **changes
    )


def document(**changes: Any) -> str:
    """Return a valid metadata document with some fields changed; `...` leaves a field out."""
    whole = {"version": 1, "kind": "classifier", "config": {}, "provenance": provenance()}
    return json.dumps({name: value for name, value in (whole | changes).items() if value is not ...})


def provenance(**changes: Any) -> dict[str, Any]:
    return dataclasses.asdict(PROVENANCE) | changes


def write_document(path: Path, text: str, key: str = "colorcnn") -> None:
    path.write_bytes(safetensors.torch.save({"weight": torch.zeros(1)}, metadata={key: text}))


def test_a_checkpoint_survives_its_file(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    sha256 = save(path, make())
    loaded = load(path, sha256=sha256.upper())
    assert (loaded.kind, loaded.config, loaded.provenance) == (make().kind, make().config, PROVENANCE)
    assert loaded.tensors.keys() == make().tensors.keys()
    for name, tensor in make().tensors.items():
        assert loaded.tensors[name].dtype == tensor.dtype
        assert torch.equal(loaded.tensors[name], tensor)


def test_half_is_stored_in_two_bytes_and_read_as_float32(tmp_path: Path) -> None:
    many = {"weight": torch.rand(1000), "steps": torch.tensor(70_000)}
    save(tmp_path / "full", make(tensors=many))
    save(tmp_path / "half", make(tensors=many), half=True)
    loaded = load(tmp_path / "half").tensors
    assert (tmp_path / "full").stat().st_size - (tmp_path / "half").stat().st_size == pytest.approx(2000, abs=16)
    assert loaded["weight"].dtype == torch.float32
    assert torch.equal(loaded["weight"], many["weight"].half().float())
    assert loaded["steps"] == 70_000  # beyond float16: whole numbers are never halved


def test_a_value_beyond_float16_is_rejected_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"'weight'.*float16"):
        save(tmp_path / "a", make(tensors={"weight": torch.tensor([7e4])}), half=True)
    assert list(tmp_path.iterdir()) == []


def test_equal_checkpoints_are_equal_files_and_the_hash_is_that_of_the_file(tmp_path: Path) -> None:
    configs = ({"a": 1, "b": 2}, {"b": 2, "a": 1})  # equal dictionaries in another order
    hashes = {save(tmp_path / "a", make(config=config)) for config in configs}
    assert hashes == {hashlib.sha256((tmp_path / "a").read_bytes()).hexdigest()}


def test_tensors_that_share_memory_or_are_not_contiguous_are_stored(tmp_path: Path) -> None:
    base = torch.rand(2, 3, 4, 5)
    tensors = {"a": base, "b": base[0], "c": base.to(memory_format=torch.channels_last), "d": base.permute(3, 1, 0, 2)}
    save(tmp_path / "a", make(tensors=tensors))
    loaded = load(tmp_path / "a").tensors
    assert all(torch.equal(loaded[name], tensor) for name, tensor in tensors.items())


def test_another_hash_is_rejected(tmp_path: Path) -> None:
    save(tmp_path / "a", make())
    with pytest.raises(CorruptCheckpoint, match=r"SHA-256.*Fetch the file again"):
        load(tmp_path / "a", sha256="0" * 64)


def test_a_missing_file_and_a_folder_are_rejected(tmp_path: Path) -> None:
    for path in (tmp_path / "none", tmp_path):
        with pytest.raises(CorruptCheckpoint, match="cannot be read"):
            load(path)


def test_a_pickle_is_rejected_and_not_executed(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.mkdir, (str(tmp_path / "trapped"),)

    (tmp_path / "a").write_bytes(pickle.dumps(Trap()))
    with pytest.raises(CorruptCheckpoint, match="safetensors"):
        load(tmp_path / "a")
    assert not (tmp_path / "trapped").exists()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0" * 8,
        b"\xff" * 64,
        (10**9).to_bytes(8, "little") + b"{}",
        (2).to_bytes(8, "little") + b"[]",
        (2).to_bytes(8, "little") + b"{}",
    ],
)
def test_hostile_headers_are_rejected(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a").write_bytes(data)
    with pytest.raises(CorruptCheckpoint):
        load(tmp_path / "a")


@pytest.mark.parametrize(
    "tensor",
    [
        {"dtype": "F8_E8M0", "shape": [4], "data_offsets": [0, 4]},
        {"dtype": "F32", "shape": [2**62, 4, 0], "data_offsets": [0, 0]},
        {"dtype": "F32", "shape": [2**62, 4], "data_offsets": [0, 4]},
        {"dtype": "F32", "shape": [2], "data_offsets": [4, 0]},
    ],
)
def test_hostile_tensors_are_rejected(tmp_path: Path, tensor: dict[str, Any]) -> None:
    header = json.dumps({"__metadata__": {"colorcnn": document()}, "weight": tensor}).encode()
    (tmp_path / "a").write_bytes(len(header).to_bytes(8, "little") + header + bytes(tensor["data_offsets"][1]))
    with pytest.raises(CorruptCheckpoint, match="not a readable safetensors file"):
        load(tmp_path / "a")


def test_every_truncation_is_rejected(tmp_path: Path) -> None:
    save(tmp_path / "whole", make())
    data = (tmp_path / "whole").read_bytes()
    for length in range(len(data)):
        (tmp_path / "part").write_bytes(data[:length])
        with pytest.raises(CorruptCheckpoint):
            load(tmp_path / "part")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(place=st.integers(0), value=st.integers(0, 255))
def test_a_changed_byte_raises_only_a_checkpoint_error(tmp_path: Path, place: int, value: int) -> None:
    path = tmp_path / "a"
    save(path, make())
    data = bytearray(path.read_bytes())
    data[place % len(data)] = value
    path.write_bytes(data)
    try:
        load(path)
    except CorruptCheckpoint as error:
        assert str(path) in str(error)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not valid JSON"),
        ("[]", "the metadata must be an object, not []"),
        ("[" * 200_000, "not valid JSON"),
        (document(config={"x": float("nan")}), "config must hold finite numbers"),
        (document(version=2), "version must be 1 in this release, not 2"),
        (document(version=...), "version is missing"),
        (document(kind=5), "kind must be 'classifier', 'colorcnn', 'colorcnn-published' or 'prefilter', not 5"),
        (document(config=[]), "config must be an object, not []"),
        (document(extra=1), "extra is unknown"),
        (document(provenance={}), "provenance.dataset is missing; provenance.command is missing"),
        (document(provenance=provenance(seed=True)), "provenance.seed must be a valid integer, not True"),
        (document(provenance=provenance(accuracy={"a": "1"})), "provenance.accuracy.a must be a valid number, not '1'"),
    ],
)
def test_wrong_metadata_is_rejected_by_name(tmp_path: Path, text: str, message: str) -> None:
    write_document(tmp_path / "a", text)
    with pytest.raises(CorruptCheckpoint) as caught:
        load(tmp_path / "a")
    assert message in str(caught.value)


def test_a_safetensors_file_of_someone_else_is_rejected(tmp_path: Path) -> None:
    write_document(tmp_path / "a", document(), key="format")
    with pytest.raises(CorruptCheckpoint, match="this project did not write"):
        load(tmp_path / "a")


def test_a_config_that_is_not_json_is_rejected(tmp_path: Path) -> None:
    for config in ({"x": float("inf")}, {"x": torch.zeros(1)}):
        with pytest.raises((TypeError, ValueError)):
            save(tmp_path / "a", make(config=config))


def test_a_failed_write_keeps_the_old_file_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(tmp_path / "a", make())

    def full(descriptor: int) -> None:
        raise OSError("No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space"):
            save(tmp_path / "a", make(kind=ModelKind.COLORCNN))
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert load(tmp_path / "a").kind is ModelKind.CLASSIFIER


def test_restore_loads_the_weights() -> None:
    source, target = nn.Linear(3, 2), nn.Linear(3, 2)
    restore(target, make(tensors=source.state_dict()))
    assert all(torch.equal(value, target.state_dict()[name]) for name, value in source.state_dict().items())


def test_restore_lists_every_problem_and_changes_nothing() -> None:
    network = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    tensors = {name: tensor + 1 for name, tensor in before.items() if name != "0.bias"}
    tensors |= {"0.weight": torch.ones(2, 4), "more": torch.ones(1), "1.num_batches_tracked": torch.tensor(1.5)}
    with pytest.raises(CorruptCheckpoint) as caught:
        restore(network, make(tensors=tensors))
    for problem in (
        "0.bias is missing",
        "more is unexpected",
        "0.weight has shape (2, 4) instead of (2, 3)",
        "1.num_batches_tracked holds torch.float32 instead of torch.int64",
    ):
        assert problem in str(caught.value)
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())
