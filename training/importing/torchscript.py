"""Reader of TorchScript programs, `torch.jit.save` of a traced or scripted model.

TorchScript runs no Python, but its operators can write files, and a method `__setstate__` runs while the file is
loaded. The archive is searched for such methods before it is loaded, and every operator is checked before it is used.
"""

import io
import warnings
import zipfile
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from models.networks.operators import ATEN
from models.networks.program import Step, Value
from training.importing.graph import Graph, Rejected, as_value, first_line

_REFUSED = ("__setstate__", "torch.classes")  # run or hold native code while the file is loaded
_KNOWN = """
    aten::Bool aten::Float aten::Int aten::IntImplicit aten::ScalarImplicit aten::__and__ aten::__getitem__
    aten::__is__ aten::__isnot__ aten::__not__ aten::__or__ aten::append aten::dim aten::floordiv aten::format
    aten::is_floating_point aten::item aten::len aten::warn prim::CallMethod prim::Constant prim::CreateObject
    prim::GetAttr prim::If prim::ListConstruct prim::ListUnpack prim::Loop prim::NumToTensor
    prim::RaiseException prim::SetAttr prim::TupleConstruct prim::TupleIndex prim::TupleUnpack
    prim::Uninitialized prim::data prim::device prim::dtype prim::unchecked_cast
"""
_FREE = frozenset(_KNOWN.split())
_SAME = frozenset(("prim::unchecked_cast", "prim::data"))
"""Operators that return their argument."""
_CASTS = {
    "Int": "int",
    "IntImplicit": "int",
    "Float": "float",
    "Bool": "bool",
    "ScalarImplicit": "item",
    "item": "item",
}
_MESSAGES = frozenset(("aten::format", "aten::warn", "prim::RaiseException"))
_ON_NUMBERS = {
    "len": "len",
    "floordiv": "floordiv",
    "floor_divide": "floordiv",
    "div": "truediv",
    "__getitem__": "getitem",
}
_NUMBER_TYPES = frozenset(("IntType", "FloatType", "BoolType", "NumberType"))
_NUMBER_OPERATORS = frozenset(("add", "sub", "mul", "neg", "remainder", "eq", "ne", "lt", "le", "gt", "ge"))
_DTYPES = {0: "uint8", 1: "int8", 2: "int16", 3: "int32", 4: "int64", 5: "float16", 6: "float32", 7: "float64"} | {
    11: "bool",
    15: "bfloat16",
}
_MEMORY_FORMATS = {0: "contiguous_format", 1: "preserve_format", 2: "channels_last"}


def is_torchscript(data: bytes) -> bool:
    """Return whether the bytes are an archive of `torch.jit.save`."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return any(name.partition("/")[2].startswith("code/") for name in archive.namelist())
    except (zipfile.BadZipFile, OSError, ValueError):
        return False


def read_torchscript(data: bytes) -> Graph:
    """Return the program of an archive. Raises Rejected for what could run code, and for what is no classifier."""
    _check_code(data)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch deprecates TorchScript, which does not change what the file holds
        try:
            module = torch.jit.load(io.BytesIO(data), map_location="cpu").eval()
            for node in _all_nodes(module.inlined_graph):
                _check_operator(node)
            frozen = torch.jit.freeze(module, optimize_numerics=False)
            graph = frozen.graph
            torch._C._jit_pass_lower_all_tuples(graph)
            torch._C._jit_pass_constant_propagation(graph)
        except (RuntimeError, ValueError, AttributeError) as error:
            raise Rejected(f"the TorchScript program cannot be loaded ({first_line(error)})") from error
    return _Reader(graph).read()


def _check_code(data: bytes) -> None:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for name in archive.namelist():
            if name.partition("/")[2].startswith("code/") and name.endswith(".py"):
                found = [word for word in _REFUSED if word in archive.read(name).decode("utf-8", "replace")]
                if found:
                    raise Rejected(
                        f"the TorchScript program holds {found[0]}, which runs code while the file is loaded; "
                        "export the model with torch.export, or trace it with torch.jit.trace"
                    )


def _all_nodes(block: Any) -> Iterator[Any]:
    for node in block.nodes():
        yield node
        for inner in node.blocks():
            yield from _all_nodes(inner)


def _check_operator(node: Any) -> None:
    kind = node.kind()
    base = kind.removeprefix("aten::").removesuffix("_")
    if kind not in _FREE and not (kind.startswith("aten::") and (base in ATEN or kind.removeprefix("aten::") in ATEN)):
        raise Rejected(f"the operator {kind!r:.80} is not supported")


class _Reader:
    """Translates a frozen graph, node by node."""

    def __init__(self, graph: Any) -> None:
        self._graph = graph
        self._values: dict[str, Value] = {}
        self._weights: dict[str, Tensor] = {}
        self._steps: list[Step] = []

    def read(self) -> Graph:
        inputs = [each for each in self._graph.inputs() if each.type().kind() == "TensorType"]
        if len(inputs) != 1:
            raise Rejected(f"the program has {len(inputs)} inputs; a classifier has one, the images")
        image = str(inputs[0].debugName())
        self._values[image] = {"value": image}
        for node in self._graph.nodes():
            self._read(node)
        outputs = list(self._graph.outputs())
        if len(outputs) != 1 or outputs[0].type().kind() != "TensorType":
            raise Rejected("the program does not return one tensor; export one that returns logits alone")
        output = self._value(outputs[0])
        if not isinstance(output, dict) or "value" not in output:
            raise Rejected("the program returns a constant, not logits")
        return Graph(image, output["value"], tuple(self._steps), self._weights)

    def _read(self, node: Any) -> None:
        kind = node.kind()
        results = [str(each.debugName()) for each in node.outputs()]
        arguments = [self._value(each) for each in node.inputs()]
        if kind == "prim::Constant":
            self._values[results[0]] = self._constant(results[0], node.output())
        elif kind == "prim::ListConstruct":
            self._values[results[0]] = arguments
        elif kind in _SAME:
            self._values[results[0]] = arguments[0]
        elif kind == "prim::NumToTensor":
            self._add("aten.scalar_tensor.default", arguments, {"dtype": _number_type(node)}, results)
        elif kind == "prim::device":
            self._values[results[0]] = {"device": None}
        elif kind in ("prim::ListUnpack", "prim::TupleUnpack") and isinstance(arguments[0], list):
            self._values.update(zip(results, arguments[0], strict=True))
        elif kind == "prim::ListUnpack":
            for position, result in enumerate(results):
                self._add("operator.getitem", [arguments[0], position], {}, [result])
        elif kind == "prim::If" and not results and any(map(_raises, node.blocks())):
            pass  # a check of the arguments
        elif kind in ("prim::If", "prim::Loop"):
            raise Rejected(
                "the TorchScript program has branches or loops that depend on the image; export the model with "
                "torch.export, or trace it with torch.jit.trace"
            )
        elif kind in _MESSAGES:
            self._values.update(dict.fromkeys(results, ""))
        elif kind.startswith("aten::"):
            self._call(node, kind.removeprefix("aten::"), arguments, results)
        else:
            raise Rejected(f"the operator {kind!r:.80} is not supported")

    def _call(self, node: Any, base: str, arguments: list[Value], results: list[str]) -> None:
        numeric = all(each.type().kind() in _NUMBER_TYPES for each in node.inputs())
        if base in ("__getitem__", "len") or (numeric and (base in _ON_NUMBERS or base in _NUMBER_OPERATORS)):
            if base == "__getitem__" and isinstance(arguments[0], list) and isinstance(arguments[1], int):
                self._values[results[0]] = arguments[0][arguments[1]]
                return
            name = _ON_NUMBERS.get(base, "mod" if base == "remainder" else base)
            self._add(f"operator.{name}", arguments, {}, results)
            return
        if base in _CASTS:
            self._add(f"operator.{_CASTS[base]}", arguments, {}, results)
            return
        if base == "size":
            overload = "int" if len(arguments) == 2 else "default"
            self._add(f"aten.sym_size.{overload}", arguments, {}, results)
            return
        schema = torch._C.parse_schema(node.schema())
        positional: list[Value] = []
        keywords: dict[str, Value] = {}
        for formal, value in zip(schema.arguments, arguments, strict=True):
            typed = _typed(str(formal.real_type), value)
            if formal.kwarg_only:
                keywords[formal.name] = typed
            else:
                positional.append(typed)
        keywords = {name: value for name, value in keywords.items() if value is not None}
        overload = schema.overload_name or "default"
        self._add(f"aten.{base}.{overload}", positional, keywords, results, unpacked=len(results) != 1)

    def _add(
        self,
        name: str,
        arguments: list[Value],
        keywords: dict[str, Value],
        results: list[str],
        *,
        unpacked: bool = False,
    ) -> None:
        self._steps.append(Step(name, tuple(arguments), keywords, tuple(results), unpacked))
        self._values.update({result: {"value": result} for result in results})

    def _value(self, value: Any) -> Value:
        name = str(value.debugName())
        if name not in self._values:
            return None  # the module itself, which a frozen graph does not read
        return self._values[name]

    def _constant(self, name: str, output: Any) -> Value:
        value = output.toIValue()
        if isinstance(value, Tensor):
            self._weights[name] = value.detach().contiguous()
            return {"weight": name}
        if isinstance(value, torch.device):
            return {"device": None}
        if value is None or isinstance(value, bool | int | float | str):
            return as_value(value)
        if isinstance(value, list | tuple) and all(isinstance(each, bool | int | float) for each in value):
            return [as_value(each) for each in value]
        if isinstance(value, list | tuple) and all(isinstance(each, Tensor) for each in value):
            parts = {f"{name}.{position}": each.detach().contiguous() for position, each in enumerate(value)}
            self._weights.update(parts)
            return [{"weight": part} for part in parts]
        raise Rejected(f"a constant of the type {type(value).__name__!r:.40} is not supported")


def _number_type(node: Any) -> Value:
    """Return the type of the tensor that holds a number, as TorchScript chooses it."""
    return {"dtype": "float64" if next(node.inputs()).type().kind() == "FloatType" else "int64"}


def _raises(block: Any) -> bool:
    return any(node.kind() == "prim::RaiseException" for node in block.nodes())


def _typed(kind: str, value: Value) -> Value:
    """Return the JSON of an argument whose type the operator's schema states."""
    if isinstance(value, int) and not isinstance(value, bool):
        if "ScalarType" in kind:
            return {"dtype": _DTYPES[value]}
        if "MemoryFormat" in kind:
            return {"memory_format": _MEMORY_FORMATS[value]}
        if "Layout" in kind:
            return None
    return value
