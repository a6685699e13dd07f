"""Reader of programs that `torch.export.save` wrote, without `torch.export.load`.

`torch.export.load` unpickles sample inputs and some weights, evaluates symbolic sizes as Python, and loads compiled
libraries. Here the archive is data: JSON for the graph, and raw numbers for the weights.

    NAME/models/model.json                          graph: operators, arguments, names of weights
    NAME/data/weights/model_weights_config.json     type, shape and file of each weight; raw bytes beside it
    NAME/data/constants/model_constants_config.json likewise
"""

import io
import json
import math
import zipfile
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from models.networks.program import Step, Value
from training.importing.graph import Graph, Rejected, as_value

_SCHEMA = 8  # major version of the JSON that torch 2.13 writes
_DTYPES: Mapping[int, torch.dtype] = {
    1: torch.uint8,
    2: torch.int8,
    3: torch.int16,
    4: torch.int32,
    5: torch.int64,
    6: torch.float16,
    7: torch.float32,
    8: torch.float64,
    12: torch.bool,
    13: torch.bfloat16,
}
_MEMORY_FORMATS = {1: "contiguous_format", 2: "channels_last", 4: "preserve_format"}
_PLAIN = ("as_int", "as_bool", "as_string", "as_ints", "as_bools")
_CHECKS = ("_assert", "sym_constrain_range", "_guards")  # operators that only check sizes
_EXPORT = (
    "torch.export.export(model.eval(), (torch.rand(2, 3, SIZE, SIZE),), "
    "dynamic_shapes=({0: torch.export.Dim('batch')},))"
)


def is_pt2(data: bytes) -> bool:
    """Return whether the bytes are an archive of `torch.export.save`."""
    return any(name.endswith("/archive_format") for name in _names(data))


def read_pt2(data: bytes) -> Graph:
    """Return the program of an archive. Raises Rejected for anything that is not plain data, or not a classifier."""
    archive = _Archive(data)
    program = archive.json("models/model.json")
    try:
        return _graph(archive, program)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, RuntimeError) as error:
        raise Rejected(f"the exported program is damaged, or of another version of torch ({error!r:.120})") from error


def _names(data: bytes) -> list[str]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError):
        return []


class _Archive:
    """Files of an archive by their path below its top folder."""

    def __init__(self, data: bytes) -> None:
        self._zip = zipfile.ZipFile(io.BytesIO(data))
        self._files = {name.partition("/")[2]: name for name in self._zip.namelist()}
        compiled = [name for name in self._files if name.startswith(("data/aotinductor/", "data/executorch/"))]
        if compiled:
            raise Rejected(f"the file holds compiled code ({compiled[0]}); save the program with torch.export.save")
        programs = [name for name in self._files if name.startswith("models/")]
        if programs != ["models/model.json"]:
            raise Rejected(f"the file holds {len(programs)} programs, not one; save it with torch.export.save")

    def bytes(self, path: str) -> bytes:
        if path not in self._files:
            raise Rejected(f"the file lacks {path}; save the program with torch.export.save")
        try:
            return self._zip.read(self._files[path])
        except (zipfile.BadZipFile, OSError, RuntimeError, NotImplementedError) as error:
            raise Rejected(f"the file is damaged at {path} ({error})") from error

    def json(self, path: str) -> Any:
        try:
            return json.loads(self.bytes(path))
        except ValueError as error:
            raise Rejected(f"{path} in the file is not valid JSON ({error})") from error

    def tensors(self, kind: str) -> dict[str, Tensor]:
        """Return the tensors of "weights" or "constants" by name."""
        config = self.json(f"data/{kind}/model_{kind}_config.json")["config"]
        return {name: self._tensor(kind, name, meta) for name, meta in config.items()}

    def _tensor(self, kind: str, name: str, payload: Mapping[str, Any]) -> Tensor:
        file, meta = payload["path_name"], payload["tensor_meta"]
        if payload["use_pickle"] or meta is None or not file.startswith(("weight_", "tensor_")):
            raise Rejected(
                f"{name!r:.60} is a pickled object, which could run code when it is read; only plain tensors are "
                "accepted"
            )
        dtype = _DTYPES[meta["dtype"]]
        data = bytearray(self.bytes(f"data/{kind}/{file}"))
        sizes, strides = ([size["as_int"] for size in meta[key]] for key in ("sizes", "strides"))
        if math.prod(sizes) == 0 or not data:
            return torch.zeros(sizes, dtype=dtype)
        flat = torch.frombuffer(data, dtype=dtype)
        return flat.as_strided(sizes, strides, meta["storage_offset"]["as_int"]).contiguous()


def _graph(archive: _Archive, program: Mapping[str, Any]) -> Graph:
    if program["schema_version"]["major"] != _SCHEMA:
        raise Rejected(
            f"the program has schema {program['schema_version']['major']}, not {_SCHEMA}; "
            f"export it with torch {torch.__version__.partition('+')[0]}"
        )
    graph, signature = program["graph_module"]["graph"], program["graph_module"]["signature"]
    tensors = archive.tensors("weights") | archive.tensors("constants")
    names, image = _inputs(signature)
    outputs = [dict(each) for each in signature["output_specs"]]
    if any("user_output" not in each for each in outputs):
        raise Rejected("the program changes its own buffers: export model.eval()")
    if len(outputs) != 1:
        raise Rejected(f"the program returns {len(outputs)} tensors; export one that returns logits alone")
    size = _check_input(graph["tensor_values"][image], program["range_constraints"])
    steps = tuple(step for node in graph["nodes"] for step in _steps(node, names))
    return Graph(image, outputs[0]["user_output"]["arg"]["as_tensor"]["name"], steps, tensors, size)


def _inputs(signature: Mapping[str, Any]) -> tuple[dict[str, str], str]:
    """Return the tensor behind each weight's name in the graph, and the name of the images."""
    weights: dict[str, str] = {}
    images: list[str] = []
    for spec in signature["input_specs"]:
        ((kind, content),) = spec.items()
        if kind == "user_input":
            images.append(content["arg"]["as_tensor"]["name"])
        elif kind in ("parameter", "buffer"):
            weights[content["arg"]["name"]] = content[f"{kind}_name"]
        elif kind == "tensor_constant":
            weights[content["arg"]["name"]] = content["tensor_constant_name"]
        else:
            raise Rejected(f"the program has an input of the kind {kind!r:.40}; a classifier has weights and images")
    if len(images) != 1:
        raise Rejected(f"the program has {len(images)} inputs; a classifier has one, the images")
    return weights, images[0]


def _check_input(meta: Mapping[str, Any], ranges: Mapping[str, Any]) -> tuple[int, int] | None:
    """Return height and width of the images; None if they may have any.

    Raises Rejected unless the images are (batch, 3, height, width) with a batch from 1 to 64 at least.
    """
    batch = meta["sizes"][0]
    if len(meta["sizes"]) != 4 or meta["sizes"][1].get("as_int") != 3:
        raise Rejected("the program does not take images of (batch, 3, height, width)")
    if "as_int" in batch:
        raise Rejected(f"the program takes batches of {batch['as_int']} alone; export it with {_EXPORT}")
    for bounds in ranges.values():
        least, most = bounds["min_val"] or 0, bounds["max_val"]
        if least > 1 or (most is not None and most < 64):
            raise Rejected(f"the program takes batches from {least} to {most} alone; export it with {_EXPORT}")
    height, width = meta["sizes"][2:]
    return (height["as_int"], width["as_int"]) if "as_int" in height and "as_int" in width else None


def _steps(node: Mapping[str, Any], weights: Mapping[str, str]) -> Iterator[Step]:
    name = _operator(node["target"])
    if name.removeprefix("aten.").startswith(_CHECKS):
        return
    arguments: list[Value] = []
    keywords: dict[str, Value] = {}
    for each in node["inputs"]:
        value = _value(each["arg"], weights)
        if each.get("kind") == 2:
            keywords[each["name"]] = value
        else:
            arguments.append(value)
    outputs = [_output(each) for each in node["outputs"]]
    lists = any("as_tensors" in each for each in node["outputs"])
    flat = tuple(part for output in outputs for part in output)
    yield Step(name, tuple(arguments), keywords, flat, unpacked=lists or len(flat) != 1)


def _operator(target: str) -> str:
    if target.startswith("torch.ops.aten."):
        return target.removeprefix("torch.ops.")
    if target.startswith("_operator."):
        return target.removeprefix("_")
    raise Rejected(f"the operator {target!r:.80} is not supported")


def _output(argument: Mapping[str, Any]) -> list[str]:
    ((kind, content),) = argument.items()
    match kind:
        case "as_tensor":
            return [content["name"]]
        case "as_tensors":
            return [each["name"] for each in content]
        case "as_sym_int" | "as_sym_bool" | "as_sym_float":
            return [content["as_name"]]
        case "as_none":
            return [""]
    raise Rejected(f"a result of the kind {kind!r:.40} is not supported")


def _value(argument: Mapping[str, Any], weights: Mapping[str, str]) -> Value:
    def tensor(name: str) -> Value:
        return {"weight": weights[name]} if name in weights else {"value": name}

    def size(part: Mapping[str, Any]) -> Value:
        return {"value": part["as_name"]} if "as_name" in part else next(iter(part.values()))

    ((kind, content),) = argument.items()
    if kind in _PLAIN:
        return content
    match kind:
        case "as_none":
            return None
        case "as_float":
            return as_value(float(content))  # infinity and NaN are written as text
        case "as_floats":
            return [as_value(float(each)) for each in content]
        case "as_tensor":
            return tensor(content["name"])
        case "as_tensors":
            return [tensor(each["name"]) for each in content]
        case "as_optional_tensors":
            return [tensor(each["as_tensor"]["name"]) if "as_tensor" in each else None for each in content]
        case "as_optional_tensor":
            return tensor(content["as_tensor"]["name"]) if "as_tensor" in content else None
        case "as_sym_int" | "as_sym_bool" | "as_sym_float":
            return size(content)
        case "as_sym_ints" | "as_sym_bools" | "as_sym_floats":
            return [size(each) for each in content]
        case "as_scalar_type":
            return {"dtype": str(_DTYPES[content]).removeprefix("torch.")}
        case "as_memory_format":
            return {"memory_format": _MEMORY_FORMATS[content]}
        case "as_layout" if content == 7:  # strided
            return None
        case "as_device":
            return {"device": None}
    raise Rejected(f"an argument of the kind {kind!r:.40} is not supported")
