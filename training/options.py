"""Options of the commands: frozen pydantic models that declare each option once, with type, range, default and help.

Command lines and recipes are both read into these models: see training.cli.command_line and training.cli.recipe.
"""

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, ModelWrapValidatorHandler, ValidationError, model_validator
from pydantic_core import ErrorDetails

from models.quantizers.base import MAX_COLORS, MIN_COLORS

Count = Annotated[int, Field(ge=1)]
"""A number of images, epochs, channels or processes."""
CountOrZero = Annotated[int, Field(ge=0)]
"""A number of pixels or iterations that may be zero."""
Colors = Annotated[int, Field(ge=MIN_COLORS, le=MAX_COLORS)]
"""K, a number of colors."""
SomeColors = Annotated[tuple[Colors, ...], Field(min_length=1)]
"""One or more numbers of colors."""
Weight = Annotated[float, Field(ge=0, allow_inf_nan=False)]
"""A learning rate, a factor, or the weight of a term of a loss."""
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
"""A divisor."""
Fraction = Annotated[float, Field(ge=0, le=1)]
"""A fraction, from 0 to 1."""

RENAMED: Mapping[str, str] = {
    "fade": "structure_cutoff",
    "reader": "joint_classifier",
    "reader_lr": "joint_lr",
    "regularisation": "regularization",
    "side": "sides",
    "strengths": "structure_scales",
}
"""Former names of options, and of keys in the states of runs; both are still accepted."""


class OptionError(Exception):
    """Error for a value that an option does not accept; the message names the option and the accepted values."""


class Options(BaseModel):
    """Base class of all options. Raises OptionError for values that are not accepted."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @model_validator(mode="wrap")
    @classmethod
    def _validate(cls, values: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        try:
            return handler(values)
        except ValidationError as error:
            raise OptionError(explain(error, flag)) from None

    def only(self, kind: type[BaseModel]) -> dict[str, Any]:
        """Return the options that `kind` declares, by name."""
        return self.model_dump(include=set(kind.model_fields))

    def without(self, kind: type[BaseModel]) -> dict[str, Any]:
        """Return the options that `kind` does not declare, by name."""
        return self.model_dump(exclude=set(kind.model_fields))

    def replace(self, **values: Any) -> Self:
        """Return a copy with some options replaced, without validation."""
        return self.model_copy(update=values)


def current_name(name: str) -> str:
    """Return the present name of an option from a present or former name, with dashes or underscores."""
    plain = name.replace("-", "_")
    return RENAMED.get(plain, plain)


def flag(name: str) -> str:
    """Return the option as it is written on a command line."""
    return f"--{name.replace('_', '-')}"


_EXPLAINED = {"missing": "is missing", "extra_forbidden": "is unknown", "too_short": "needs at least one value"}


def explain(error: ValidationError, show: Callable[[str], str] = str) -> str:
    """Describe wrong and accepted values in one line. show: function that formats the name of an option."""
    return "; ".join(_explain_one(each, show) for each in error.errors())


def _explain_one(error: ErrorDetails, show: Callable[[str], str]) -> str:
    place, kind = error["loc"], error["type"]
    name = f"{show(place[0])} " if place and isinstance(place[0], str) else ""
    if kind in _EXPLAINED:
        return name + _EXPLAINED[kind]
    wanted = error["msg"].removeprefix("Value error, ").replace("Input should", "must")
    return f"{name}{wanted}, not {error['input']!r}"
