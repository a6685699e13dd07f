"""Recipes: TOML files that say how a row of the result tables is made. training/recipes/ holds one for each row.

    title = "what the row shows"
    protocol = "A"                      # or what is measured
    cost = "not measured"               # of training: minutes, and on which hardware
    seeds = [0]                         # one run for each; the first one is published under the file's own name
    needs = ["cifar10-resnet9"]         # other recipes, whose models must be published before
    trainer = "train_colorcnn"          # or train_classifier, train_published
    test = false                        # scored on the held-out part of train alone, where choices are made (true)

    [train]                             # flags of the trainer
    classifier = "cifar10-resnet9"
    hard-colors = 16

    [gpu]                               # what is different on a GPU
    batch = 512

    [publish]                           # flags of training.publish
    [evaluate]                          # flags of training.evaluate

Flags are written as on the command line, without the leading dashes; underscores are as good as dashes inside.
"""

import argparse
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Self

from training.cli.numbers import Number

SHIPPED = Path(__file__).parents[1] / "recipes"
"""The folder of the recipes that come with the project."""
OF_A_CALL = frozenset(
    (
        "data",
        "device",
        "hardware",
        "help",
        "minutes",
        "models",
        "name",
        "out",
        "recipe",
        "resume",
        "results",
        "run",
        "score_every",
    )
)
"""Flags that say where and how long a script works, not what it makes: no recipe has them."""

_TEXTS = ("title", "protocol", "cost", "trainer")
_LISTS = {"seeds": int, "needs": str}
_NUMBERS: Mapping[Any, tuple[type, ...]] = {int: (int,), float: (int, float)}


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """One file, read and checked; its tables are checked where the parser of their script is at hand."""

    file: Path
    title: str
    protocol: str
    cost: str
    seeds: list[int]
    trainer: str
    train: Mapping[str, Any]
    test: bool = True
    needs: list[str] = field(default_factory=list)
    gpu: Mapping[str, Any] = field(default_factory=dict)
    publish: Mapping[str, Any] = field(default_factory=dict)
    evaluate: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def read(cls, reference: str) -> Self:
        """Read FILE.toml, or the shipped recipe of that name; raises SystemExit that says what is wrong."""
        file = Path(reference) if reference.endswith(".toml") else SHIPPED / f"{reference}.toml"
        if not file.is_file():
            names = ", ".join(sorted(path.stem for path in SHIPPED.glob("*.toml")))
            raise SystemExit(f"there is no recipe {reference}: give FILE.toml, or one of {names}")
        try:
            content = tomllib.loads(file.read_text())
        except ValueError as error:
            raise SystemExit(f"{file}: {error}") from None
        _check(file, content, known={each.name for each in fields(cls)} - {"file"})
        return cls(file=file, **content)

    @property
    def reference(self) -> str:
        """What `read` found it by; no path of this machine for a shipped one."""
        return self.file.stem if self.file.parent == SHIPPED else str(self.file)

    def needed(self) -> list["Recipe"]:
        """The recipes that this one needs: files beside it."""
        return [self.read(str(self.file.with_name(f"{name}.toml"))) for name in self.needs]

    def flags(self, *, gpu: bool) -> dict[str, Any]:
        """Those of the trainer, by the names that argparse gives them."""
        tables = (self.train, self.gpu) if gpu else (self.train,)
        return {_attribute(key): value for table in tables for key, value in table.items()}


def arguments(parser: argparse.ArgumentParser, table: Mapping[str, Any], where: object) -> list[str]:
    """A table of flags as words of a command line; SystemExit for a flag that `parser` has not, or of a wrong type."""
    known = [action for action in parser._actions if action.dest not in OF_A_CALL]
    actions = {_attribute(option.lstrip("-")): action for action in known for option in action.option_strings}
    words: list[str] = []
    for key, value in table.items():
        action = actions.get(_attribute(key))
        if action is None:
            raise SystemExit(f"{where}: {parser.prog} takes no {key!r} from a recipe")
        if not _fits(action, value):
            raise SystemExit(f"{where}: {key} must be {_wanted(action)}, not {value!r}")
        words += _words(action.option_strings[-1], value)
    return words


def _attribute(key: str) -> str:
    return key.replace("-", "_")


def _check(file: Path, content: Mapping[str, Any], *, known: set[str]) -> None:
    if wrong := sorted(content.keys() - known):
        raise SystemExit(f"{file}: a recipe has no {', '.join(wrong)}")
    if missing := sorted({*_TEXTS, "seeds", "train"} - content.keys()):
        raise SystemExit(f"{file}: {', '.join(missing)} is missing")
    for key, value in content.items():
        if key in _TEXTS:
            fits, wanted = isinstance(value, str), "a text"
        elif key in _LISTS:
            fits = isinstance(value, list) and value != [] and all(isinstance(one, _LISTS[key]) for one in value)
            wanted = f"a list of {_LISTS[key].__name__}"
        elif key == "test":
            fits, wanted = isinstance(value, bool), "true or false"
        else:
            fits, wanted = isinstance(value, dict), "a table"
        if not fits:
            raise SystemExit(f"{file}: {key} must be {wanted}, not {value!r}")


def _is_many(action: argparse.Action) -> bool:
    return action.nargs not in (None, 0, "?")


def _fits(action: argparse.Action, value: object) -> bool:
    if action.nargs == 0:
        return isinstance(value, bool)
    if isinstance(value, list) != _is_many(action):
        return False
    return all(isinstance(one, _kinds(action)) and not isinstance(one, bool) for one in _list(value))


def _kinds(action: argparse.Action) -> tuple[type, ...]:
    """What TOML may have for a flag; those of other types than numbers are texts."""
    kind = action.type.kind if isinstance(action.type, Number) else action.type
    return _NUMBERS.get(kind, (str,))


def _wanted(action: argparse.Action) -> str:
    if action.nargs == 0:
        return "true or false"
    kind = _kinds(action)[-1].__name__
    return f"a list of {kind}" if _is_many(action) else f"one {kind}"


def _words(flag: str, value: object) -> list[str]:
    if isinstance(value, bool):
        return [flag] * value
    return [flag, *map(str, _list(value))]


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else [value]
