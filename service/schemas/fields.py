"""Types of the values of options: texts of a form or a query, checked more strictly than pydantic alone does."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated

from pydantic import BeforeValidator, Field, PlainSerializer, StringConstraints, WithJsonSchema

Name = Annotated[str, StringConstraints(min_length=1)]


def _plain_digits(value: object) -> object:
    """Reject what pydantic alone accepts: "1_0" for 10 and "+4" for 4."""
    if isinstance(value, str) and not (value.isascii() and value.isdigit()):
        raise ValueError("Input should be a number in plain digits")
    return value


def _plain_decimal(value: object) -> object:
    """Reject what pydantic alone accepts: "nan", "1e-1" and " .5"."""
    if isinstance(value, str) and not re.fullmatch(r"[0-9]+(\.[0-9]+)?", value):
        raise ValueError("Input should be a number in plain digits, such as 0.25")
    return value


AUTO = "auto"


def number_or_auto(value: object) -> object:
    """Reject a text that is neither a number nor `auto` with one sentence instead of one for each alternative."""
    if isinstance(value, str) and value != AUTO and not re.fullmatch(r"[0-9]+(\.[0-9]+)?", value):
        raise ValueError("Input should be a number in plain digits, or auto")
    return value


PlainDigits = BeforeValidator(_plain_digits)
PlainDecimal = BeforeValidator(_plain_decimal)
Number = Annotated[int, PlainDigits]
Decimal = Annotated[float, PlainDecimal]
# A range stands before the check of digits; otherwise the JSON schema of an optional value would lack it.
Positive = Annotated[int, Field(ge=1), PlainDigits]
Share = Annotated[float, Field(gt=0, le=1), PlainDecimal]
"""A number above 0, and up to 1."""

Rgb = tuple[int, int, int]


def _palette(value: object) -> object:
    if isinstance(value, str):
        from models.palettes import parse_palette  # here, because it imports NumPy, which clients may lack

        return tuple((red, green, blue) for red, green, blue in parse_palette(value).tolist())
    return value


def palette_text(palette: Sequence[Rgb]) -> str:
    """Return a palette as the text that a request holds: "#000000,#ffffff"."""
    return ",".join(f"#{red:02x}{green:02x}{blue:02x}" for red, green, blue in palette)


Palette = Annotated[
    tuple[Rgb, ...], BeforeValidator(_palette), PlainSerializer(palette_text), WithJsonSchema({"type": "string"})
]
"""A palette as (red, green, blue) of each entry, 0 to 255; written and read as text."""


def listed(names: Sequence[str]) -> str:
    """Return names for a description: `a`, `b`."""
    return ", ".join(f"`{name}`" for name in names)
