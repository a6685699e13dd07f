"""Strict validation of JSON from files: one CorruptCheckpoint lists every error, each with its path."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails, InitErrorDetails, PydanticCustomError

from models.errors import CorruptCheckpoint

Value = TypeVar("Value")

STRICT = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)
"""Configuration of classes that are parsed from files: no conversions, no unknown fields, finite numbers."""

_MAX_VALUE = 60  # characters of a rejected value in a message
_MESSAGES = {
    "missing": "is missing",
    "unexpected_keyword_argument": "is unknown",
    "extra_forbidden": "is unknown",
}


def read_json(adapter: TypeAdapter[Value], data: bytes | str, what: str) -> Value:
    """Parse and validate JSON; `what` names the document in the CorruptCheckpoint that any error raises."""
    with reported_as_corrupt(what):
        return adapter.validate_json(data)


@contextmanager
def reported_as_corrupt(what: str) -> Iterator[None]:
    """Raise CorruptCheckpoint with every error of a ValidationError in the block; `what` names the document."""
    try:
        yield
    except ValidationError as error:
        raise CorruptCheckpoint("; ".join(_sentence(each, what) for each in error.errors())) from error


def field_error(path: tuple[str | int, ...], rule: str, value: object) -> InitErrorDetails:
    """Build an error for `require`: the field at `path` breaks `rule`, for instance "must not be empty"."""
    return InitErrorDetails(type=PydanticCustomError("rule", rule), loc=path, input=value)


def require(errors: list[InitErrorDetails]) -> None:
    """Raise ValidationError with `errors`, if there are any; for validators that check several fields at once."""
    if errors:
        raise ValidationError.from_exception_data("fields", errors)


def _sentence(error: ErrorDetails, what: str) -> str:
    path = ".".join(str(part) for part in error["loc"] if part != "[key]") or what
    if error["type"] in _MESSAGES:
        return f"{path} {_MESSAGES[error['type']]}"
    if error["type"] == "json_invalid":
        return f"{what} is not valid JSON ({error['msg'].removeprefix('Invalid JSON: ')})"
    return f"{path} {error['msg'].replace('Input should', 'must')}, not {_short(error['input'])}"


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _MAX_VALUE else f"{text[: _MAX_VALUE - 3]}..."
