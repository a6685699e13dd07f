"""Conversion of command lines to validated options and back, with errors in one line.

tyro parses the arguments, and pydantic validates the values. The arguments of a recipe stand before the user's
arguments, so that the user's arguments take precedence.
"""

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import NoneType
from typing import Annotated, Any, TypeVar, get_args, get_origin

from pydantic import TypeAdapter, ValidationError

from models.errors import ColorCNNError
from training.cli.options import CallOptions, RecipeOptions
from training.cli.recipe import Recipe
from training.data.datasets import DatasetError
from training.extras import tyro
from training.loop.distributed import select_device
from training.options import RENAMED, OptionError, Options, current_name, explain, flag

_USAGE_ERROR = 2  # exit status for wrong arguments, as in argparse and tyro
_REGISTRY = tyro.constructors.ConstructorRegistry()

AnyOptions = TypeVar("AnyOptions", bound=Options)


@_REGISTRY.primitive_rule
def _optional(
    info: tyro.constructors.PrimitiveTypeInfo,
) -> tyro.constructors.PrimitiveConstructorSpec[Any] | None:
    """Treat `X | None` as X; leaving the option out means None."""
    members = get_args(info.type)
    kinds = [_plain(member) for member in members if member is not NoneType]
    if NoneType not in members or len(kinds) != 1 or kinds[0] not in (str, int, float, Path):
        return None
    kind = kinds[0]
    return tyro.constructors.PrimitiveConstructorSpec(
        nargs=1,
        metavar=kind.__name__.upper(),
        instance_from_str=lambda words: kind(words[0]),
        is_instance=lambda value: value is None or isinstance(value, kind),
        str_from_instance=lambda value: ["none" if value is None else str(value)],
    )


def _plain(kind: Any) -> Any:
    """Return the type without the range that Annotated gives it."""
    return get_args(kind)[0] if get_origin(kind) is Annotated else kind


def parse(kind: type[AnyOptions], module: str, argv: Sequence[str] | None) -> AnyOptions:
    """Read the options of the command `python -m MODULE`; argv: its arguments, by default those of this process.

    Raises SystemExit: with status 2 for wrong arguments, with a message for a recipe that does not suit the command.
    """
    given = with_current_names(sys.argv[1:] if argv is None else argv)
    if issubclass(kind, RecipeOptions):
        given = [*_recipe_words(kind, module, given), *given]
    try:
        return tyro.cli(kind, prog=f"python -m {module}", args=given, config=_STYLE, registry=_REGISTRY)
    except OptionError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(_USAGE_ERROR) from None


_STYLE = (tyro.conf.FlagCreatePairsOff,)


def with_current_names(words: Sequence[str]) -> list[str]:
    """Replace former names of options by the present ones."""
    present = {flag(old): flag(new) for old, new in RENAMED.items()}
    names = [word.partition("=") for word in words]
    return [present.get(name, name) + equals + value for name, equals, value in names]


def words(kind: type[Options], table: Mapping[str, Any], where: object) -> list[str]:
    """Return the command-line arguments that give the options in a table of a recipe.

    where: the table, for messages. Raises SystemExit for an option that `kind` does not have, that belongs to a single
    call, or whose value is of the wrong type or out of range.
    """
    return [word for key, value in table.items() for word in _words(kind, key, value, where)]


def _words(kind: type[Options], key: str, value: Any, where: object) -> list[str]:
    name = current_name(key)
    field = kind.model_fields.get(name)
    if field is None or name in NOT_IN_RECIPES:
        raise SystemExit(f"{where}: there is no option {key!r} here")
    try:
        accepted: Any = Annotated[field.annotation, field]
        TypeAdapter(accepted).validate_json(json.dumps(value), strict=True)
    except ValidationError as error:
        raise SystemExit(f"{where}: {key} {explain(error)}") from None
    if isinstance(value, bool):
        return [flag(name)] * value
    return [flag(name), *map(str, value if isinstance(value, list) else [value])]


NOT_IN_RECIPES = frozenset({*CallOptions.model_fields, "name", "results", "run"} - {"dataset"})
"""Options that describe a single call and not its result; recipes may not contain them."""


def _recipe_words(kind: type[Options], module: str, given: Sequence[str]) -> list[str]:
    """Return the arguments that the recipe in `given` stands for, if it names one."""
    first, _ = tyro.cli(
        RecipeOptions, args=given, return_unknown_args=True, add_help=False, config=_STYLE, registry=_REGISTRY
    )
    if first.recipe is None:
        return []
    recipe = Recipe.read(first.recipe)
    if module != f"training.{recipe.trainer}":
        raise SystemExit(f"{recipe.file} is for training.{recipe.trainer}")
    return words(kind, recipe.options(gpu=_is_gpu(first)), recipe.file)


def _is_gpu(options: RecipeOptions) -> bool:
    """Return whether the options ask for the [gpu] table of a recipe."""
    automatic = options.hardware == "auto"
    return options.hardware == "gpu" or (automatic and select_device(options.device).type == "cuda")


def run(main: Callable[[], object]) -> None:
    """Run the `main` of a command; errors that the user can fix end it with one line instead of a traceback."""
    try:
        main()
    except (ColorCNNError, DatasetError) as error:
        raise SystemExit(f"error: {error}") from None
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        raise SystemExit(f"error: {where}{error.strerror or error}") from None
    except KeyboardInterrupt:
        raise SystemExit("interrupted") from None
