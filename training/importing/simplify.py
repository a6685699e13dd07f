"""Simplification of a graph: sizes that do not depend on the batch become numbers, and steps without a use go."""

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from models.networks.operators import is_in_place
from models.networks.program import Program, ProgramConfig, Step, Value, used_names
from training.importing.graph import Graph, as_value


def simplify(graph: Graph, size: int) -> Graph:
    """Return an equal program for images of (B, 3, size, size).

    Runs the program on two batches. A number that is equal in both depends on the fixed size alone. Raises what the
    program raises.
    """
    first, second = (_numbers(graph, count, size) for count in (2, 3))
    constants = {name: value for name, value in first.items() if second.get(name) == value and value is not None}
    steps = [
        replace(
            step,
            arguments=tuple(_substituted(value, constants) for value in step.arguments),
            keywords={name: _substituted(value, constants) for name, value in step.keywords.items()},
        )
        for step in graph.steps
        if not set(step.outputs) <= constants.keys()
    ]
    return _pruned(replace(graph, steps=tuple(steps)))


def plain_config(graph: Graph, size: int, classes: int = 1) -> ProgramConfig:
    """Return the configuration of a program that does not normalize its input."""
    return ProgramConfig(
        classes=classes,
        size=size,
        mean=(0.0, 0.0, 0.0),
        std=(1.0, 1.0, 1.0),
        input=graph.input,
        output=graph.output,
        steps=graph.steps,
        weights={name: (tuple(tensor.shape), _dtype_name(tensor)) for name, tensor in graph.weights.items()},
    )


def build(graph: Graph, config: ProgramConfig) -> Program:
    """Return the program of a configuration with the weights of its graph."""
    program = Program(config)
    program.load_state_dict({f"weights.{name.replace('.', '/')}": tensor for name, tensor in graph.weights.items()})
    return program.eval().requires_grad_(False)


def _dtype_name(tensor: Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")


@torch.no_grad()
def _numbers(graph: Graph, count: int, size: int) -> dict[str, Any]:
    """Return the results that are numbers, or lists of numbers, in a run on `count` images."""
    program = build(graph, plain_config(graph, size))
    images = torch.rand(count, 3, size, size, generator=torch.Generator().manual_seed(0))
    found: dict[str, Any] = {}

    def record(step: Step, values: dict[str, Any]) -> None:
        found.update({name: values[name] for name in step.outputs if _is_number(values[name])})

    program.observe(images, record)
    return found


def _is_number(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return all(map(_is_number, value))
    return isinstance(value, bool | int | float)


def _substituted(value: Value, constants: dict[str, Any]) -> Value:
    if isinstance(value, list | tuple):
        return [_substituted(part, constants) for part in value]
    if isinstance(value, dict) and value.get("value") in constants:
        return as_value(constants[value["value"]])
    return value


def _pruned(graph: Graph) -> Graph:
    """Drop steps whose results nobody uses, and weights that no step uses."""
    needed, steps = {graph.output}, list[Step]()
    for step in reversed(graph.steps):
        if needed & set(step.outputs) or is_in_place(step.operator):
            needed |= used_names(step)
            steps.append(step)
    weights = set[str]().union(*(_weight_names([*step.arguments, *step.keywords.values()]) for step in steps))
    kept = {name: tensor for name, tensor in graph.weights.items() if name in weights}
    return replace(graph, steps=tuple(reversed(steps)), weights=kept)


def _weight_names(value: Value) -> set[str]:
    if isinstance(value, list | tuple):
        return set[str]().union(*map(_weight_names, value))
    return {value["weight"]} if isinstance(value, dict) and "weight" in value else set()
