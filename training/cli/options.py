"""Options that several commands share."""

import math
from pathlib import Path
from typing import Annotated, Literal

import tyro
from pydantic import AfterValidator, Field

from models.quantizers.classical.catalog import CLASSICAL
from training.data.options import DataOptions, SplitOptions
from training.options import Count, Options


def _check_classical(name: str) -> str:
    if name not in CLASSICAL:
        raise ValueError(f"must be one of {', '.join(sorted(CLASSICAL))}")
    return name


ClassicalMethod = Annotated[str, AfterValidator(_check_classical)]
"""Name of a classical quantizer."""


class SourceOptions(SplitOptions):
    """Images of a dataset that are quantized, and how they are coded."""

    chroma: Literal["444", "422", "420"] = "420"
    """Chroma subsampling of BPG."""
    test: Count | None = None
    """Test images to use; all by default."""
    score: Count | None = None
    """Held-out images to use; all by default."""


class ModelsOptions(Options):
    """The published models that a command reads."""

    models: Path | None = None
    """Folder with manifest.json and checkpoints/; the models that ship with the project by default."""


class DeviceOptions(Options):
    """The device that a command computes on."""

    device: str = "auto"
    """Device of torch: auto, cpu, cuda, cuda:1, ..."""


class WorkersOptions(Options):
    """The worker processes of a command."""

    workers: Count | None = None
    """Processes for everything but the networks; one per core by default."""


class MinutesOptions(Options):
    """Limit for the duration of a command that can be repeated."""

    minutes: Annotated[float, Field(ge=0)] = math.inf
    """Minutes after which no further part begins, counted from the start of the process; the exit status is 75 if parts
    are left."""


class HardwareOptions(Options):
    """Which table of a recipe applies."""

    hardware: Literal["auto", "cpu", "gpu"] = "auto"
    """Hardware that the recipe is applied to; auto: gpu where --device is one."""


class RecipeOptions(HardwareOptions, DeviceOptions):
    """A recipe that gives options."""

    recipe: str | None = None
    """Recipe to take options from: FILE.toml, or a name in training/recipes/; options on the command line win."""


ResumeMode = Annotated[
    Literal["never", "always", "auto"],
    tyro.constructors.PrimitiveConstructorSpec(
        nargs=(0, 1),
        metavar="[auto]",
        choices=("always", "auto"),
        instance_from_str=lambda words: words[0] if words else "always",
        is_instance=lambda value: isinstance(value, str),
        str_from_instance=lambda value: [value],
    ),
]


class CallOptions(DataOptions, ModelsOptions, RecipeOptions, MinutesOptions):
    """Options of a trainer that do not describe the run: where it is made, and how long."""

    out: Path
    """Folder for log.jsonl and the state of the run."""
    score_every: Annotated[int, Field(ge=1, le=999)] = 4
    """Epochs from one scoring of the held-out images to the next; a scoring takes a quarter of an epoch."""
    resume: ResumeMode = "never"
    """Go on from the state in --out; auto: begin where there is no state, so that the command can be repeated."""


class TrainerOptions(CallOptions):
    """Options that every trainer has beside its hyper-parameters."""

    fp32: bool = False
    """Compute in float32 even where the device is quick at bfloat16."""
