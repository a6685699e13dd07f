"""Options of the command line, made from the option models of requests, and those that several commands share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import reduce
from pathlib import Path
from typing import Any, TypeVar

import click
from click.shell_completion import CompletionItem
from pydantic import BaseModel

from service.schemas.methods import METHODS

Function = TypeVar("Function", bound=Callable[..., Any])

_SHORT: Mapping[str, str] = {"colors": "-k", "method": "-m"}
_MORE: Mapping[str, str] = {"palette": " A file of GIMP is given as its path, which ends in .gpl."}


def request_options(model: type[BaseModel], *, without: Iterable[str] = ()) -> Callable[[Function], Function]:
    """Return a decorator that gives a command one option for each field of `model` but those of `without`.

    Name, type, choices, range, default and description are those of the field. The parameter of an option that was
    not given is None, so that the service decides, or () for a list.
    """
    fields = model.model_json_schema(by_alias=True)["properties"]
    names = sorted(set(fields) - set(without), key=lambda name: (name not in _SHORT, list(fields).index(name)))
    made = [_option(name, fields[name]) for name in names]
    return lambda function: reduce(lambda done, option: option(done), reversed(made), function)


def given(parameters: Mapping[str, Any], model: type[BaseModel]) -> dict[str, Any]:
    """Return the parameters of a command that are options of `model` and were given.

    Raises click.UsageError where their values are no valid options.
    """
    options = {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in parameters.items()
        if name in model.model_fields and value is not None and value != ()
    }
    check(options, model)
    return options


def check(options: Mapping[str, Any], model: type[BaseModel]) -> None:
    """Raise click.UsageError where `options` are no valid options of `model`."""
    from service.client import BadOption as Refused
    from service.client.keywords import pairs_of

    try:
        pairs_of(options, model)
    except Refused as error:
        raise click.UsageError(error.detail) from None


def palette_text(value: str | None) -> str | None:
    """Return the value of --palette, with the text of a file in place of its path.

    Raises click.BadParameter for a file that cannot be read as text.
    """
    if value is None or not value.lower().endswith(".gpl"):
        return value
    try:
        return Path(value).read_text(encoding="utf-8")
    except (OSError, UnicodeError) as error:
        raise click.BadParameter(f"{value} cannot be read as a GIMP palette: {error}", param_hint="--palette") from None


def _option(name: str, field: Mapping[str, Any]) -> Callable[[Function], Function]:
    flag = "--" + name.replace("_", "-")
    known = next((each for each in field.get("anyOf", ()) if each.get("type") != "null"), field)
    kinds = [each for each in field.get("anyOf", (field,)) if each.get("type") != "null"]
    listed = known.get("type") == "array"
    arguments: dict[str, Any] = {
        "help": _help(name, field),
        "multiple": listed,
        "default": () if listed else None,
        "type": _type(name, kinds[0]["items"] if listed else kinds[0]) if len(kinds) == 1 else click.STRING,
        "metavar": _metavar(kinds, name),
    }
    if known.get("type") == "boolean":
        return click.option(f"{flag}/--no-{flag[2:]}", name, default=None, help=arguments["help"])
    return click.option(*([_SHORT[name]] if name in _SHORT else []), flag, name, **arguments)


def in_words(description: str) -> str:
    """Return the description of a field as the help has it: without marks, and with the command for its endpoint."""
    return description.replace("`", "").replace("GET /models", "colorcnn models")


def _help(name: str, field: Mapping[str, Any]) -> str:
    text = in_words(field.get("description", "")) + _MORE.get(name, "")
    match field.get("default"):
        case None | [] | bool():
            return text
        case list() as several:
            return f"{text} [default: {','.join(map(str, several))}]"
        case other:
            return f"{text} [default: {other}]"


class _Name(click.ParamType[str]):
    """Any text; a shell completes it to one of some names."""

    name = "text"

    def __init__(self, names: Iterable[str]) -> None:
        self._names = tuple(names)

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        return [CompletionItem(name) for name in self._names if name.startswith(incomplete)]


def _type(name: str, kind: Mapping[str, Any]) -> click.ParamType[Any]:
    if name in ("method", "methods"):
        return _Name(METHODS)
    if "enum" in kind:
        return click.Choice(kind["enum"])
    return click.STRING  # the option model checks ranges and patterns, with the sentences of the service


def _metavar(kinds: list[Mapping[str, Any]], name: str) -> str | None:
    if len(kinds) == 1 and "enum" in kinds[0]:
        return None  # click lists the choices
    return "|".join(_values(kind, name) for kind in kinds)


def _values(kind: Mapping[str, Any], name: str) -> str:
    if kind.get("type") == "array":
        return f"{_values(kind['items'], name)},..."
    if "const" in kind:
        return str(kind["const"])
    least, most = kind.get("minimum", kind.get("exclusiveMinimum")), kind.get("maximum")
    if least is not None and most is not None:
        return f"{least:g}..{most:g}"
    return {"integer": "N", "number": "X"}.get(str(kind.get("type")), name.upper())
