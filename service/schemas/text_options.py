"""Options as text, as forms, queries, command lines and clients have them, read into an option model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeVar, get_origin

from pydantic import AliasChoices, BaseModel, ValidationError

from models.errors import BadOption

Options = TypeVar("Options", bound=BaseModel)


def read_options(pairs: Sequence[tuple[str, str]], model: type[Options]) -> Options:
    """Return options, given as (name, value), as a validated `model`. A tuple field gets all values of its option.

    Raises:
        BadOption: an option is unknown, out of range, or repeated although its field is not a tuple.
    """
    try:
        return model.model_validate(_values(pairs, model))
    except ValidationError as error:
        raise BadOption(" ".join(_explanations(model, error))) from None


def _values(pairs: Sequence[tuple[str, str]], model: type[BaseModel]) -> Mapping[str, str | list[str]]:
    spellings = _spellings(model)
    options: dict[str, list[str]] = {}
    for name, value in pairs:
        if name not in spellings:
            raise BadOption(f"There is no option {name!r:.80}; the options are {', '.join(model.model_fields)}.")
        options.setdefault(spellings[name], []).append(value)
    return {name: values if _is_list(model, name) else _only(name, values) for name, values in options.items()}


def _spellings(model: type[BaseModel]) -> Mapping[str, str]:
    """Map the name of each field, and each former name among its validation aliases, to the name of the field."""
    spellings = {name: name for name in model.model_fields}
    for name, field in model.model_fields.items():
        if isinstance(field.validation_alias, AliasChoices):
            spellings |= {alias: name for alias in field.validation_alias.choices if isinstance(alias, str)}
    return spellings


def _is_list(model: type[BaseModel], name: str) -> bool:
    return get_origin(model.model_fields[name].annotation) is tuple


def _only(name: str, values: Sequence[str]) -> str:
    if len(values) > 1:
        raise BadOption(f"The option {name!r} is given more than once; give it once, in the form or in the query.")
    return values[0]


def _explanations(model: type[BaseModel], error: ValidationError) -> Iterator[str]:
    of_alternatives: set[int | str] = set()
    for item in error.errors():
        name, *deeper = item["loc"] or ("",)
        if item["type"] == "too_short":  # a list always has an item; pydantic counts only the valid ones
            continue
        if deeper and isinstance(deeper[0], str):  # a type of several that a value may have: one reason is enough
            if name in of_alternatives:
                continue
            of_alternatives.add(name)
        yield _explain(model, item["loc"], item["msg"], item["input"])


def _explain(model: type[BaseModel], location: Sequence[int | str], message: str, value: object) -> str:
    if not location:  # options that contradict each other
        return f"{message.removeprefix('Value error, ')}."
    name = str(location[0])
    field = model.model_fields.get(name)
    meaning = f" {name}: {field.description}" if field and field.description else ""
    return f"{message.removeprefix('Value error, ')} for the option {name!r}, got {value!r:.80}.{meaning}"
