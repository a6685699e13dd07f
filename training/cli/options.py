"""Options that several commands share."""

import math
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from models.quantizers.classical.catalog import CLASSICAL
from training.data.options import DataOptions, SplitOptions
from training.extras import tyro
from training.options import Count, Options


def _check_classical(name: str) -> str:
    if name not in CLASSICAL:
        raise ValueError(f"must be one of {', '.join(sorted(CLASSICAL))}")
    return name


ClassicalMethod = Annotated[str, AfterValidator(_check_classical)]
"""Name of a classical quantizer."""


class SourceOptions(SplitOptions):
    """Images of a dataset to quantize, and their coding."""

    chroma: Literal["444", "422", "420"] = "420"
    """Chroma subsampling of BPG."""
    test: Count | None = None
    """Test images to use; all by default."""
    score: Count | None = None
    """Held-out images to use; all by default."""


class ModelsOptions(Options):
    """Folder of the published models that a command loads."""

    models: Path | None = None
    """Folder with manifest.json and checkpoints/; the models that ship with the project by default."""


class DeviceOptions(Options):
    """Device that a command computes on."""

    device: str = "auto"
    """Device of torch: auto, cpu, cuda, cuda:1, ..."""


class WorkersOptions(Options):
    """Worker processes of a command."""

    workers: Count | None = None
    """Processes for everything but the networks; one per core by default."""


class RayOptions(DeviceOptions, WorkersOptions):
    """Processes that work on the blocks of a dataset."""

    engine: Literal["local", "ray"] = "local"
    """local: processes of this machine. ray: workers on Ray Data, on this machine or a cluster, --workers of them or as
    many as there is room for; needs the extra ray. Both write the same."""
    ray_address: str | None = None
    """Address of the Ray cluster, host:port. By default the cluster that RAY_ADDRESS names, or one that `ray start`
    began on this machine; where there is none, Ray starts on this machine for the length of the command."""
    worker_cpus: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1
    """CPUs of each worker on Ray."""
    worker_gpus: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0
    """GPUs of each worker on Ray; 0.5 lets two workers share one."""


class MinutesOptions(Options):
    """Time limit of a command that can be repeated."""

    minutes: Annotated[float, Field(ge=0)] = math.inf
    """Minutes after which no further part begins, counted from the start of the process; the exit status is 75 if parts
    are left."""


class HardwareOptions(Options):
    """Selection of the table of a recipe that applies."""

    hardware: Literal["auto", "cpu", "gpu"] = "auto"
    """Hardware that the recipe is applied to; auto: gpu if --device is a GPU."""


class RecipeOptions(HardwareOptions, DeviceOptions):
    """Recipe that supplies options."""

    recipe: str | None = None
    """Recipe to take options from: FILE.toml, or a name in training/recipes/; options on the command line override
    it."""


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
    """Options of a trainer that do not describe the run, such as its folder and its time limit."""

    out: Path
    """Folder for log.jsonl and the state of the run."""
    score_every: Annotated[int, Field(ge=1, le=999)] = 4
    """Epochs between scorings of the held-out images; one scoring takes a quarter of an epoch."""
    resume: ResumeMode = "never"
    """Continue from the state in --out; auto: start a new run if there is no state, so that the command can be
    repeated."""


class TrainerOptions(CallOptions):
    """Options of every trainer besides its hyper-parameters."""

    fp32: bool = False
    """Compute in float32 even if the device is fast in bfloat16."""
