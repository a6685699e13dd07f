"""Classifiers of any architecture: a list of operators that another project exported, run step by step.

    (B, 3, s, s) in [0, 1] -> normalize -> step 1 -> ... -> step n -> (B, classes) logits

A program is data, not code. Its configuration names an operator of `models.networks.operators` for each step; nothing
is evaluated, unpickled or compiled. `training.import_classifier` makes programs.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self, cast

import torch
from torch import Tensor, nn

from models.networks.config import NetworkConfig
from models.networks.operators import find_operator, is_in_place

PROGRAM = "program"
"""Architecture of a configuration that describes a program."""

Value = Any
"""Argument of a step as JSON: null, a number, a string, a list of values, or an object with one key.

{"value": NAME}: result of an earlier step, or the input. {"weight": NAME}: a tensor of the checkpoint. {"dtype": NAME}
or {"memory_format": NAME}: constants of torch. {"device": null}: the device of the network. {"float": "inf"}, "-inf" or
"nan": a number that JSON lacks.
"""

_DTYPES = ("float32", "float64", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8", "bool")
_MEMORY_FORMATS = ("contiguous_format", "preserve_format", "channels_last")
_FLOATS = ("inf", "-inf", "nan")


@dataclass(frozen=True)
class Step:
    """One call. operator: name, see `find_operator`. outputs: names of the results; an empty one is dropped.

    unpacked: whether the operator returns several results; else there is one name.
    """

    operator: str
    arguments: tuple[Value, ...]
    keywords: Mapping[str, Value]
    outputs: tuple[str, ...]
    unpacked: bool = False


@dataclass(frozen=True)
class Maps:
    """Where the features of activation maps come from.

    features: name of the last result with a height and a width. channels: axis of its channels, 1 for (B, C, h, w), 3
    for (B, h, w, C). head: name of the weight, (classes, C), where logits = head . mean of the features + bias; None
    where another function follows, so that maps come from gradients.
    """

    features: str
    channels: int
    head: str | None


@dataclass(frozen=True, kw_only=True)
class ProgramConfig(NetworkConfig):
    """Configuration of a program, as a checkpoint stores it.

    classes: number of logits. size: height and width of the input. mean, std: statistics per channel that normalize the
    input, in [0, 1] units. input, output: names of the images and of the logits. steps: calls in order. weights: shape
    and dtype of each tensor by name. maps: features for activation maps; None without.

    Raises ValueError for values out of range.
    """

    architecture: str = PROGRAM
    classes: int
    size: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    input: str
    output: str
    steps: tuple[Step, ...]
    weights: Mapping[str, tuple[tuple[int, ...], str]]
    maps: Maps | None = None

    def __post_init__(self) -> None:
        if self.architecture != PROGRAM or min(self.classes, self.size) < 1:
            raise ValueError("a program needs the architecture 'program', classes, and a size")
        if [len(self.mean), len(self.std)] != [3, 3] or min(self.std) <= 0:
            raise ValueError("mean and std must be three numbers, and std above 0")

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Build from JSON values; see `NetworkConfig.from_json`."""
        maps = values.get("maps")
        return cls(
            **{name: tuple(value) if name in ("mean", "std") else value for name, value in values.items()}
            | {
                "steps": tuple(_step(step) for step in values["steps"]),
                "weights": {name: (tuple(shape), dtype) for name, (shape, dtype) in values["weights"].items()},
                "maps": None if maps is None else Maps(**maps),
            }
        )


class Program(nn.Module):
    """Classifier that runs the steps of its configuration. A result is freed after the last step that needs it."""

    mean: Tensor
    std: Tensor

    def __init__(self, config: ProgramConfig) -> None:
        super().__init__()
        self.config = config
        self.weights = nn.Module()
        for name, (shape, dtype) in config.weights.items():
            self.weights.register_buffer(_key(name), torch.empty(shape, dtype=_dtype(dtype)))
        self.register_buffer("mean", torch.tensor(config.mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(config.std).view(1, 3, 1, 1), persistent=False)
        self._calls = [_bind(step, config) for step in config.steps]
        self._last_uses = _last_uses(config)

    @property
    def size(self) -> int:
        """Side of the input in pixels."""
        return self.config.size

    @property
    def supports_maps(self) -> bool:
        """Whether `class_maps` works."""
        return self.config.maps is not None

    def forward(self, images: Tensor) -> Tensor:
        """Compute logits: (B, 3, s, s) float32 in [0, 1] -> (B, classes)."""
        return self.results(images, (self.config.output,))[0]

    def class_maps(self, images: Tensor, classes: Tensor) -> Tensor:
        """Compute the evidence for one class of each image, (B, h, w), in units of the logits.

        With a linear head the mean of a map is the logit minus the bias. Otherwise the channels are weighted by the
        mean gradient of the logit, and negative sums count as 0: Selvaraju et al., "Grad-CAM", ICCV 2017.

        classes: (B,) int64. Raises ValueError where `supports_maps` is false.
        """
        maps = self.config.maps
        if maps is None:
            raise ValueError("the program has no features of a height and a width")
        if maps.head is not None:
            (features,) = self.results(images, (maps.features,))
            return torch.einsum("bchw,bc->bhw", _channels_first(features, maps), self._weight(maps.head)[classes])
        with torch.inference_mode(False), torch.enable_grad():
            features, logits = self.results(images.clone().requires_grad_(), (maps.features, self.config.output))
            (slopes,) = torch.autograd.grad(logits.gather(1, classes.clone().view(-1, 1)).sum(), features)
        weights = _channels_first(slopes, maps).mean((2, 3))
        return torch.einsum("bchw,bc->bhw", _channels_first(features.detach(), maps), weights).relu()

    def results(self, images: Tensor, names: Sequence[str]) -> list[Tensor]:
        """Run the steps and return the results of these names; a later in-place step does not change them.

        images: (B, 3, s, s) float32 in [0, 1].
        """
        kept: dict[str, Tensor] = {}

        def keep(step: Step, values: dict[str, Any]) -> None:
            for name in step.outputs:
                if name in names:
                    kept[name] = values[name]
                    if name != self.config.output:
                        values[name] = values[name].clone()

        self.observe(images, keep)
        return [kept[name] for name in names]

    def observe(self, images: Tensor, observe: Callable[[Step, dict[str, Any]], None]) -> None:
        """Run the steps, and call `observe` after each one with the results that later steps need, by name."""
        values: dict[str, Any] = {self.config.input: ((images - self.mean) / self.std).contiguous()}
        for number, (step, call) in enumerate(zip(self.config.steps, self._calls, strict=True)):
            found = call(self, values)
            values.update(zip(step.outputs, found if step.unpacked else (found,), strict=True))
            observe(step, values)
            for name in self._last_uses.get(number, ()):
                del values[name]

    def _weight(self, name: str) -> Tensor:
        return cast(Tensor, getattr(self.weights, _key(name)))


def _step(values: Mapping[str, Any]) -> Step:
    arguments, outputs = tuple(values["arguments"]), tuple(values["outputs"])
    return Step(**{**values, "arguments": arguments, "outputs": outputs})


def _key(name: str) -> str:
    """Return a name for a buffer, which may hold no dot."""
    return name.replace(".", "/")


def _dtype(name: str) -> torch.dtype:
    if name not in _DTYPES:
        raise ValueError(f"the type {name!r:.40} is not supported")
    return cast(torch.dtype, getattr(torch, name))


Call = Callable[[Program, dict[str, Any]], Any]


def _bind(step: Step, config: ProgramConfig) -> Call:
    """Return a function that runs a step on the results so far. Raises ValueError for a step that is not supported."""
    function = find_operator(step.operator)
    arguments = [_argument(value, config) for value in step.arguments]
    keywords = {name: _argument(value, config) for name, value in step.keywords.items()}
    first = step.arguments[0] if step.arguments else None
    if is_in_place(step.operator) and not (isinstance(first, dict) and "value" in first):
        raise ValueError(f"{step.operator} changes a weight: export the model in evaluation mode")
    return lambda program, values: function(
        *(each(program, values) for each in arguments),
        **{name: each(program, values) for name, each in keywords.items()},
    )


def _argument(value: Value, config: ProgramConfig) -> Call:
    """Return a function that computes an argument from the results so far."""
    if isinstance(value, list | tuple):
        parts = [_argument(part, config) for part in value]
        return lambda program, values: [part(program, values) for part in parts]
    if not isinstance(value, dict):
        return lambda program, values: value
    ((kind, name),) = value.items()
    match kind:
        case "value":
            return lambda program, values: values[name]
        case "weight" if name in config.weights:
            return lambda program, values: program._weight(name)
        case "dtype":
            constant = _dtype(name)
            return lambda program, values: constant
        case "memory_format" if name in _MEMORY_FORMATS:
            constant = getattr(torch, name)
            return lambda program, values: constant
        case "float" if name in _FLOATS:
            number = float(name)
            return lambda program, values: number
        case "device":
            return lambda program, values: program.mean.device
    raise ValueError(f"the argument {value!r:.80} is not supported")


def value_names(value: Value) -> set[str]:
    """Return the names of the results that an argument refers to."""
    if isinstance(value, list | tuple):
        return set().union(*map(value_names, value))
    return {value["value"]} if isinstance(value, dict) and "value" in value else set()


def used_names(step: Step) -> set[str]:
    """Return the names of the results that a step refers to."""
    return value_names([*step.arguments, *step.keywords.values()])


def _last_uses(config: ProgramConfig) -> dict[int, list[str]]:
    """Map a step to the results that no later step needs. Raises ValueError for a result that no earlier step makes."""
    known, last = {config.input}, {config.input: 0}
    for number, step in enumerate(config.steps):
        unknown = used_names(step) - known
        if unknown:
            raise ValueError(f"{step.operator} needs {sorted(unknown)[0]!r:.80}, which no earlier step computes")
        known.update(step.outputs)
        last.update(dict.fromkeys((*used_names(step), *step.outputs), number))
    wanted = {config.output, *([config.maps.features] if config.maps else [])}
    if not wanted <= known:
        raise ValueError(f"no step computes {sorted(wanted - known)[0]!r:.80}")
    last.pop(config.output)
    return {number: [name for name, at in last.items() if at == number] for number in set(last.values())}


def _channels_first(features: Tensor, maps: Maps) -> Tensor:
    return features if maps.channels == 1 else features.permute(0, 3, 1, 2)
