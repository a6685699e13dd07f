"""Recipes: TOML files that describe how a row of the result tables is made; training/recipes/ has one for each row.

    title = "what the row shows"
    protocol = "A"                      # or how the row is measured
    cost = "not measured"               # minutes of training, and on which hardware
    seeds = [0]                         # one run for each; the first one is published under the name of the file
    needs = ["cifar10-resnet9"]         # other recipes, whose models must be published before
    trainer = "train_colorcnn"          # or train_classifier, train_published, train_joint
    test = false                        # scored on the held-out part of train alone, as ablations are (default: true)

    [train]                             # options of the trainer
    classifier = "cifar10-resnet9"
    hard-colors = 16

    [gpu]                               # options that differ on a GPU
    batch = 512

    [publish]                           # options of training.publish
    [evaluate]                          # options of training.evaluate

Options have their names on the command line, without the leading dashes; underscores are accepted for dashes.
"""

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from training.options import current_name, explain

SHIPPED = Path(__file__).parents[1] / "recipes"
"""Folder of the recipes that ship with the project."""


class Recipe(BaseModel):
    """Content of a recipe file. Its tables are checked when they become the options of their command."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    file: Path
    title: str
    protocol: str
    cost: str
    seeds: Annotated[list[int], Field(min_length=1)]
    trainer: str
    train: Mapping[str, Any]
    test: bool = True
    needs: list[str] = []
    gpu: Mapping[str, Any] = {}
    publish: Mapping[str, Any] = {}
    evaluate: Mapping[str, Any] = {}

    @classmethod
    def read(cls, reference: str) -> Self:
        """Read FILE.toml, or the shipped recipe of that name; raises SystemExit and names every error."""
        file = Path(reference) if reference.endswith(".toml") else SHIPPED / f"{reference}.toml"
        if not file.is_file():
            names = ", ".join(sorted(path.stem for path in SHIPPED.glob("*.toml")))
            raise SystemExit(f"there is no recipe {reference}: give FILE.toml, or one of {names}")
        try:
            content = tomllib.loads(file.read_text())
        except ValueError as error:
            raise SystemExit(f"{file}: {error}") from None
        try:
            return cls.model_validate_json(json.dumps({**content, "file": str(file)}))
        except ValidationError as error:
            raise SystemExit(f"{file}: {explain(error)}") from None

    @property
    def reference(self) -> str:
        """Name by which `read` finds the recipe; the name of a shipped recipe contains no path of this machine."""
        return self.file.stem if self.file.parent == SHIPPED else str(self.file)

    def needed(self) -> list["Recipe"]:
        """Read the recipes that this recipe needs, from the same folder."""
        return [self.read(str(self.file.with_name(f"{name}.toml"))) for name in self.needs]

    def options(self, *, gpu: bool) -> dict[str, Any]:
        """Return the options of the trainer by their present names."""
        tables = (self.train, self.gpu) if gpu else (self.train,)
        return {current_name(key): value for table in tables for key, value in table.items()}


def row_name(recipe: Recipe, seed: int) -> str:
    """Return the name of a run and its model: the name of the recipe, with the seed if it is not the first one."""
    plain = recipe.file.stem
    return plain if seed == recipe.seeds[0] else f"{plain}-seed{seed}"


def classifier_name(recipe: Recipe, name: str) -> str:
    """Return the classifier that the model `name` of the recipe is measured with, or the model itself."""
    return f"{name}-classifier" if recipe.trainer == "train_joint" else recipe.train.get("classifier", name)
