"""Which options need a network: a method with one, or the recognition of the image before and after."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from models.names import NEAREST
from models.quantizers.classical.catalog import CLASSICAL
from service.schemas.methods import METHODS


def is_classical(method: str | None) -> bool:
    """Return whether a method needs no network; without a method, the size of each image decides."""
    return method in CLASSICAL or method == NEAREST


def check_method(method: str | None) -> None:
    """Raise click.BadParameter for a method that this version does not know."""
    if method is not None and method not in METHODS:
        raise click.BadParameter(f"There is no method {method!r:.80}; the methods are {', '.join(METHODS)}.")


def needs_recognition(options: Mapping[str, Any]) -> bool:
    """Return whether options of /quantize have a goal that a classifier checks."""
    return options.get("keep") is not None or (options.get("colors") == "auto" and options.get("max_bytes") is None)
