"""training/importing/pt2.py: an exported program is read as data, and equals the model; nothing else is read."""

import io
import json
import pickle
import warnings
import zipfile
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.training.importing.exported import SIZE, exported, images, make_classifier, traced
from training.importing.graph import Rejected
from training.importing.pt2 import is_pt2, read_pt2
from training.importing.simplify import build, plain_config


@pytest.fixture(scope="module")
def model() -> nn.Module:
    return make_classifier()


@pytest.fixture(scope="module")
def data(model: nn.Module) -> bytes:
    return exported(model)


def edited(data: bytes, path: str, change: Callable[[Any], object]) -> bytes:
    """Return the archive with a JSON file changed in place; `path` lies below its top folder."""
    return rewritten(data, {path: lambda content: json.dumps(_changed(json.loads(content), change)).encode()})


def _changed(value: Any, change: Callable[[Any], object]) -> Any:
    change(value)
    return value


def rewritten(data: bytes, changes: dict[str, Callable[[bytes], bytes]]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as source, zipfile.ZipFile(out, "w") as target:
        top = source.namelist()[0].partition("/")[0]
        for name in source.namelist():
            content, change = source.read(name), changes.get(name.partition("/")[2])
            target.writestr(name, content if change is None else change(content))
        for path in changes.keys() - {name.partition("/")[2] for name in source.namelist()}:
            target.writestr(f"{top}/{path}", changes[path](b""))
    return out.getvalue()


@pytest.mark.parametrize("count", [1, 2, 5])
def test_a_program_gives_the_logits_of_its_model(model: nn.Module, data: bytes, count: int) -> None:
    graph = read_pt2(data)
    program = build(graph, plain_config(graph, SIZE))
    assert torch.equal(program(images(count)), model(images(count)))


def test_a_program_of_core_operators_is_read_too(model: nn.Module) -> None:
    shapes = ({0: torch.export.Dim("batch")},)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch about itself
        program = torch.export.export(model, (images(),), dynamic_shapes=shapes).run_decompositions()
    file = io.BytesIO()
    torch.export.save(program, file)
    graph = read_pt2(file.getvalue())
    torch.testing.assert_close(build(graph, plain_config(graph, SIZE))(images(3)), model(images(3)))


def test_only_archives_of_programs_are_taken_for_one(data: bytes, model: nn.Module) -> None:
    assert is_pt2(data)
    assert not any(map(is_pt2, (b"", b"text", data[:100], traced(model))))


def test_a_fixed_batch_is_rejected_with_the_remedy(model: nn.Module) -> None:
    with pytest.raises(Rejected, match=r"batches of 2 alone; export it with torch\.export\.export\(.*dynamic_shapes"):
        read_pt2(exported(model, batch=False))


class _Two(nn.Module):
    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x.mean((2, 3)), x


def test_a_program_of_several_results_is_rejected() -> None:
    with pytest.raises(Rejected, match="returns 2 tensors"):
        read_pt2(exported(_Two()))


def test_a_program_in_training_mode_is_rejected() -> None:
    graph = read_pt2(exported(make_classifier().train()))
    with pytest.raises(ValueError, match="changes a weight: export the model in evaluation mode"):
        build(graph, plain_config(graph, SIZE))


class _Runs:
    def __reduce__(self) -> tuple[Any, ...]:
        return print, ("this pickle ran",)


def _pickle_weights(config: Any) -> None:
    next(iter(config["config"].values())).update(use_pickle=True)


def _rename_operator(target: str) -> Callable[[Any], None]:
    return lambda program: program["graph_module"]["graph"]["nodes"][0].update(target=target)


def _evaluate(program: Any) -> None:
    program["graph_module"]["graph"]["tensor_values"]["x"]["sizes"][0]["as_expr"]["expr_str"] = "print('ran')"


def _limit_batch(program: Any) -> None:
    program["range_constraints"]["s"] = {"min_val": 2, "max_val": 4}


def test_no_pickle_of_the_archive_is_opened(
    data: bytes, model: nn.Module, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sample inputs are a pickle; `torch.export.load` would read them, and evaluate sizes as code."""
    hostile = rewritten(data, {"data/sample_inputs/model.pt": lambda _: pickle.dumps(_Runs())})
    hostile = edited(hostile, "models/model.json", _evaluate)
    graph = read_pt2(hostile)
    assert torch.equal(build(graph, plain_config(graph, SIZE))(images()), model(images()))
    assert "ran" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("path", "change", "message"),
    [
        ("data/weights/model_weights_config.json", _pickle_weights, "is a pickled object, which could run code"),
        ("models/model.json", _rename_operator("torch.os.system"), r"operator 'torch\.os\.system' is not supported"),
        ("models/model.json", _rename_operator("torch.ops.higher_order.cond"), "higher_order"),
        ("models/model.json", lambda program: program["schema_version"].update(major=99), "schema 99, not 8"),
        ("models/model.json", lambda program: program.pop("graph_module"), "damaged, or of another version"),
        (
            "models/model.json",
            lambda program: program["range_constraints"].update(s={"min_val": 2, "max_val": 4}),
            "2 to 4",
        ),
    ],
)
def test_a_program_that_is_not_plain_data_is_rejected(
    data: bytes, path: str, change: Callable[[Any], object], message: str
) -> None:
    with pytest.raises(Rejected, match=message):
        read_pt2(edited(data, path, change))


def test_compiled_code_is_rejected(data: bytes) -> None:
    with pytest.raises(Rejected, match="compiled code"):
        read_pt2(rewritten(data, {"data/aotinductor/model/model.so": lambda _: b"\x7fELF"}))


def test_a_custom_object_is_rejected(data: bytes) -> None:
    def add(config: Any) -> None:
        config["config"]["object"] = {"path_name": "opaque_obj_0", "is_param": False, "use_pickle": True} | {
            "tensor_meta": None
        }

    with pytest.raises(Rejected, match="'object' is a pickled object"):
        read_pt2(edited(data, "data/constants/model_constants_config.json", add))


def test_a_damaged_weight_is_rejected(data: bytes) -> None:
    with pytest.raises(Rejected, match="damaged"):
        read_pt2(rewritten(data, {"data/weights/weight_0": lambda content: content[:8]}))
