"""What readers of programs return: a graph of steps with its weights, and the error for files that they reject."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from models.errors import ColorCNNError
from models.networks.program import Step, Value


class Rejected(ColorCNNError):
    """The file is not a classifier that can be imported safely; the message states why, and what to do."""


@dataclass(frozen=True, eq=False)
class Graph:
    """A program. input, output: names of the images and the logits. steps: calls in order. weights: tensors by name.

    size: (height, width) of the images that it was exported for; None where the file does not say.
    """

    input: str
    output: str
    steps: tuple[Step, ...]
    weights: Mapping[str, Tensor]
    size: tuple[int, int] | None = None


def as_value(number: Value) -> Value:
    """Return a number as JSON, which lacks infinity and NaN; another value stays as it is."""
    if isinstance(number, float) and not math.isfinite(number):
        return {"float": str(number)}
    return number


def first_line(error: Exception) -> str:
    """Return the beginning of an error's message, or its type where there is no message."""
    lines = str(error).strip().splitlines()
    return f"{lines[0]:.200}" if lines else type(error).__name__
