"""Which options need a network: a method with one, or the recognition of the image before and after."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from models.names import NEAREST
from models.quantizers.classical.catalog import CLASSICAL
from service.cli.options import given, palette_text
from service.schemas.methods import METHODS
from service.schemas.options import QuantizerOptions


def is_classical(method: str | None) -> bool:
    """Return whether a method needs no network; without a method, the size of each image decides."""
    return method in CLASSICAL or method == NEAREST


def check_method(method: str | None) -> None:
    """Raise click.BadParameter for a method that this version does not know."""
    if method is not None and method not in METHODS:
        raise click.BadParameter(f"There is no method {method!r:.80}; the methods are {', '.join(METHODS)}.")


def options_of(parameters: Mapping[str, Any], model: type[QuantizerOptions]) -> tuple[dict[str, Any], bool]:
    """Return the options of the requests of a command, and whether they need a network in this process.

    A classical method recognizes the image only where the command line asks for it or has a goal for it.

    Raises click.UsageError for options that are not valid.
    """
    options = given({**parameters, "palette": palette_text(parameters["palette"])}, model)
    if not parameters["server"]:
        check_method(options.get("method"))
    if not is_classical(options.get("method")):
        return options, True
    options.setdefault("recognize", model.model_validate(options).needs_recognition)
    return options, bool(options["recognize"])
