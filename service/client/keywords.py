"""Options as keyword arguments: the fields of `service/schemas/options`, with the types of a caller, and as text."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from numbers import Integral, Real
from pathlib import Path
from typing import Any, Literal, TypedDict

from pydantic import BaseModel

from models.errors import BadOption as BadOptionText
from models.names import BpgMode
from service.client.errors import BadOption
from service.schemas.text_options import read_options

Pairs = tuple[tuple[str, str], ...]
"""Options as (name, value), in order; a list is one pair for each value."""


class ImageKeywords(TypedDict, total=False):
    """Options of every call with an image."""

    background: str


class _QuantizerKeywords(ImageKeywords, total=False):
    palette: str | os.PathLike[str] | Sequence[str] | None
    max_side: int | None
    method: str | None
    model: str | None
    fidelity: float
    transferable: bool
    dither: bool | None
    recognize: bool


class QuantizeKeywords(_QuantizerKeywords, total=False):
    """Options of `quantize`, see docs/api.md. A palette is a text, a list of colors, or the path of a .gpl file."""

    colors: int | Literal["auto"]
    keep: float | None
    max_bytes: int | None
    scale: float | Literal["auto"]
    alpha: Literal["keep", "flatten"]
    effort: Literal["fast", "default", "max"]


class CompressKeywords(_QuantizerKeywords, total=False):
    """Options of `compress`."""

    colors: int
    qp: int
    chroma: Literal["420", "422", "444"]
    mode: BpgMode


class ClassifyKeywords(ImageKeywords, total=False):
    """Options of `classify`."""

    top_k: int
    model: str | None
    cam: str | None


class BenchmarkKeywords(ImageKeywords, total=False):
    """Options of `benchmark`."""

    colors: Sequence[int]
    methods: Sequence[str]
    labels: Sequence[str]
    model: str | None
    cam: bool
    tiles: bool


def pairs_of(options: Mapping[str, Any], model: type[BaseModel]) -> Pairs:
    """Return options as text, after the check that the service makes, too; None leaves an option out.

    Raises BadOption for an unknown option and for a value out of range.
    """
    pairs = tuple((name, text) for name, value in options.items() for text in _texts(name, value))
    try:
        read_options(pairs, model)
    except BadOptionText as error:
        raise BadOption(str(error)) from None
    return pairs


def _texts(name: str, value: object) -> Iterator[str]:
    """Yield the text of each value of an option."""
    match value:
        case None:
            return
        case str() | bool() | Real() | os.PathLike():
            yield _text(value)
        case _ if name == "palette" and isinstance(value, Sequence):
            yield ",".join(map(_text, value))
        case list() | tuple():
            yield from map(_text, value)
        case _:
            raise TypeError(f"the option {name!r} is a text, a number, a truth value or a list, not {value!r:.80}")


def _text(value: object) -> str:
    match value:
        case bool():
            return str(value).lower()
        case Integral():
            return str(int(value))
        case Real():
            return format(Decimal(repr(float(value))), "f")  # the service accepts no exponents
        case os.PathLike():
            return Path(value).read_text(encoding="utf-8")
        case _:
            return str(value)
