"""Strict reading of JSON objects from checkpoints and manifests; every error names the field."""

import json
import math
from collections.abc import Mapping
from typing import Any, NoReturn, TypeGuard

from models.errors import CorruptCheckpoint
from models.names import ModelKind


def parse_object(text: object, what: str) -> dict[str, Any]:
    """Parse a JSON object from str or bytes; `what` names it in the CorruptCheckpoint raised for anything else."""
    if not isinstance(text, str | bytes):
        raise CorruptCheckpoint(f"{what} is not a JSON text")
    try:
        value = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise CorruptCheckpoint(f"{what} is not valid JSON ({error})") from error
    if not isinstance(value, dict):
        raise CorruptCheckpoint(f"{what} is not a JSON object")
    return value


class Fields:
    """Takes the fields of a JSON object one by one; `finish` refuses those that nobody asked for.

    where: how errors name the object, for instance "models[2]".
    """

    def __init__(self, values: Mapping[str, Any], where: str) -> None:
        self._left = dict(values)
        self._where = where

    def text(self, name: str) -> str:
        """A string."""
        value = self._take(name)
        return value if isinstance(value, str) else self.refuse(name, "must be a string", value)

    def kind(self, name: str) -> ModelKind:
        """A kind of model."""
        value = self.text(name)
        if value not in list(ModelKind):
            self.refuse(name, f"must be one of {', '.join(ModelKind)}", value)
        return ModelKind(value)

    def integer(self, name: str) -> int:
        """A whole number."""
        value = self._take(name)
        return value if _is_integer(value) else self.refuse(name, "must be a whole number", value)

    def texts(self, name: str) -> tuple[str, ...]:
        """A list of strings."""
        value = self._take(name)
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            self.refuse(name, "must be a list of strings", value)
        return tuple(value)

    def objects(self, name: str) -> list[dict[str, Any]]:
        """A list of objects."""
        value = self._take(name)
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            self.refuse(name, "must be a list of objects", value)
        return value

    def mapping(self, name: str) -> dict[str, Any]:
        """An object."""
        value = self._take(name)
        return value if isinstance(value, dict) else self.refuse(name, "must be an object", value)

    def numbers(self, name: str) -> dict[str, float]:
        """An object of finite numbers."""
        values = self.mapping(name)
        for key, value in values.items():
            if not _is_integer(value) and not (isinstance(value, float) and math.isfinite(value)):
                self.refuse(f"{name}.{key}", "must be a finite number", value)
        return values

    def optional_text(self, name: str) -> str | None:
        """A string or null."""
        value = self._take(name)
        if value is not None and not isinstance(value, str):
            self.refuse(name, "must be a string or null", value)
        return value

    def optional_range(self, name: str) -> tuple[int, int] | None:
        """[first, last] with first <= last, or null."""
        value = self._take(name)
        if value is None:
            return None
        if not isinstance(value, list) or len(value) != 2 or not all(map(_is_integer, value)) or value[0] > value[1]:
            self.refuse(name, "must be [first, last] or null", value)
        return value[0], value[1]

    def finish(self) -> None:
        """Raise CorruptCheckpoint if fields are left over."""
        if self._left:
            raise CorruptCheckpoint(f"{self._where} has unknown fields: {', '.join(sorted(self._left))}")

    def refuse(self, name: str, rule: str, value: object) -> NoReturn:
        """Raise CorruptCheckpoint for a field."""
        raise CorruptCheckpoint(f"{self._where}.{name} {rule}, not {_short(value)}")

    def _take(self, name: str) -> Any:
        if name not in self._left:
            raise CorruptCheckpoint(f"{self._where}.{name} is missing")
        return self._left.pop(name)


def _is_integer(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")
