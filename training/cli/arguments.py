"""How every trainer begins: flags, of a recipe and as given, the configuration made of them, device, log."""

import argparse
import math
import sys
from collections.abc import Callable, Sequence
from inspect import signature
from pathlib import Path
from typing import Any, TypeVar

import torch

from models.errors import ColorCNNError
from models.networks.classifiers import Classifier
from models.networks.precision import has_bfloat16
from models.zoo.registry import Registry
from training.cli import numbers
from training.cli.recipe import OF_A_CALL, Recipe, arguments
from training.data.datasets import DATA_VARIABLE, DatasetError, LabelledImages, default_folder, load
from training.loop import fit
from training.loop.distributed import Workers, choose_device
from training.loop.log import LOG_FILE, Log
from training.loop.provenance import describe
from training.loop.scoring import frozen_classifier

_NEVER, _ALWAYS, _AUTO = "never", "always", "auto"

Configuration = TypeVar("Configuration")


def parse(parser: argparse.ArgumentParser, argv: Sequence[str] | None) -> argparse.Namespace:
    """Read a trainer's flags: first those of its --recipe, if any, then those given, which win.

    Raises SystemExit, also where the recipe is for another trainer or has flags that this one does not take.
    """
    given = sys.argv[1:] if argv is None else list(argv)
    first = argparse.ArgumentParser(prog=parser.prog, add_help=False)
    _add_recipe_flags(first)
    first.add_argument("--device", default="auto")
    chosen, _ = first.parse_known_args(given)
    if chosen.recipe is None:
        return parser.parse_args(given)
    recipe = Recipe.read(chosen.recipe)
    if not parser.prog.endswith(f" training.{recipe.trainer}"):
        raise SystemExit(f"{recipe.file} is for training.{recipe.trainer}")
    gpu = _is_gpu(chosen.hardware, chosen.device)
    return parser.parse_args([*arguments(parser, recipe.flags(gpu=gpu), recipe.file), *given])


def _is_gpu(hardware: str, device: str) -> bool:
    """Whether --hardware, or else --device, asks for what a recipe says of GPUs."""
    return hardware == "gpu" or (hardware == "auto" and choose_device(device).type == "cuda")


def configuration(kind: Callable[..., Configuration], args: argparse.Namespace, **others: Any) -> Configuration:
    """A trainer's frozen dataclass: each field has the value of the flag of its name, or that in `others`."""
    bf16 = not args.fp32 and has_bfloat16(choose_device(args.device))
    values = vars(args) | {"bf16": bf16} | others
    return kind(**{name: values[name] for name in signature(kind).parameters})


def begin(args: argparse.Namespace) -> torch.device:
    """Seed torch's global generator, of which fresh weights are drawn; the device to train on."""
    torch.manual_seed(args.seed)
    return choose_device(args.device)


def resumes(args: argparse.Namespace) -> bool:
    """Whether the run goes on from a state instead of beginning."""
    state: Path = args.out / fit.STATE_FILE
    return args.resume == _ALWAYS or (args.resume == _AUTO and state.exists())


def open_log(args: argparse.Namespace) -> Log:
    """The log of a new run, or of the one to be resumed; begins with where and from what it is made.

    Raises DatasetError for a folder that holds another run: its log would tell two stories.
    """
    workers = Workers.from_environment()
    if args.resume == _NEVER and not workers.rank and (args.out / LOG_FILE).exists():
        raise DatasetError(f"{args.out} holds a run already: go on with --resume, or choose another --out")
    args.out.mkdir(parents=True, exist_ok=True)
    log = Log(args.out, workers, args.minutes, args.score_every)
    log.write("start", **describe(), options=options(args))
    return log


def options(args: argparse.Namespace) -> dict[str, Any]:
    """What the run is, flag by flag, whether a recipe, the command line or a default says it."""
    return {name: value for name, value in vars(args).items() if name not in OF_A_CALL}


def add_split_flags(parser: argparse.ArgumentParser) -> None:
    """How many training images are held out, and how many of the others are used."""
    parser.add_argument(
        "--held-out", type=numbers.COUNT, default=5000, help="training images kept for selection (%(default)s)"
    )
    parser.add_argument("--train", type=numbers.COUNT, metavar="N", help="so many of the other training images (all)")


def add_training_flags(parser: argparse.ArgumentParser, *, epochs: int, batch: int) -> None:
    """The flags that every trainer has."""
    add_data_flags(parser)
    parser.add_argument("--out", type=Path, required=True, help="folder for log.jsonl and the run's state")
    parser.add_argument(
        "--epochs", type=numbers.COUNT, default=epochs, help="passes over the training part (%(default)s)"
    )
    parser.add_argument("--batch", type=numbers.COUNT, default=batch, help="images in a batch (%(default)s)")
    parser.add_argument(
        "--score-every",
        type=int,
        choices=range(1, 1000),
        metavar="EPOCHS",
        default=4,
        help="from one scoring of the held-out part to the next, which takes a quarter of an epoch (%(default)s)",
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of everything random (%(default)s)")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1, ... (%(default)s)")
    parser.add_argument("--fp32", action="store_true", help="no bfloat16, also where the device is quick at it")
    parser.add_argument(
        "--resume",
        nargs="?",
        const=_ALWAYS,
        default=_NEVER,
        choices=(_ALWAYS, _AUTO),
        help="go on from the state in --out; `auto`: begin where there is none, so that one command can be repeated",
    )
    add_minutes_flag(parser)
    _add_recipe_flags(parser)


def add_minutes_flag(parser: argparse.ArgumentParser) -> None:
    """When to stop."""
    parser.add_argument(
        "--minutes",
        type=float,
        default=math.inf,
        help="begin no epoch that would likely end later than this; status 75 if some are left (no limit)",
    )


def add_hardware_flag(parser: argparse.ArgumentParser) -> None:
    """Which flags of a recipe to take."""
    parser.add_argument(
        "--hardware",
        choices=("auto", "cpu", "gpu"),
        default="auto",
        help="whose flags of the recipe (%(default)s: gpu where --device is one)",
    )


def _add_recipe_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--recipe", help="take flags from FILE.toml, or from the one of this name in training/recipes/")
    add_hardware_flag(parser)


def command(main: Callable[[], object]) -> None:
    """Run a script's `main`; what the user can mend ends it with one line instead of a traceback."""
    try:
        main()
    except (ColorCNNError, DatasetError) as error:
        raise SystemExit(f"error: {error}") from None


def add_data_flags(parser: argparse._ActionsContainer) -> None:
    """Which dataset: the flags of every script that reads one."""
    parser.add_argument(
        "--data",
        type=Path,
        default=default_folder(),
        help=f"dataset folder: SPLIT-*.parquet, or SPLIT/CLASS/ folders of images (default: ${DATA_VARIABLE})",
    )
    parser.add_argument(
        "--dataset",
        help="name of the dataset in results and model cards, and of its folder in --data, if that holds several "
        "(default: the folder's name)",
    )


def add_models_flag(parser: argparse._ActionsContainer) -> None:
    """Where published models are."""
    parser.add_argument(
        "--models", type=Path, help="folder with manifest.json and checkpoints/ (default: the models that ship here)"
    )


def require_data(args: argparse.Namespace) -> Path:
    """The dataset folder of the flags, which also names the dataset if they do not; DatasetError without one.

    A folder of datasets will do, where --dataset says which.
    """
    folder: Path | None = args.data
    if folder is not None and args.dataset and (folder / args.dataset).is_dir():
        folder = folder / args.dataset
    if folder is None or not folder.is_dir():
        named = f" {folder}" if folder else ""
        raise DatasetError(f"no dataset folder{named}: give --data FOLDER or set {DATA_VARIABLE}")
    args.dataset = args.dataset or folder.resolve().name
    return folder


def classifier_and_data(args: argparse.Namespace) -> tuple[Classifier, LabelledImages]:
    """The frozen classifier of the flags, on the CPU, in eval mode, and the training images, of its size and classes.

    Raises SystemExit if --classifier names another kind of model, DatasetError if the images are of other classes.
    """
    registry = Registry.open(args.models)
    network = frozen_classifier(registry, args.classifier)
    data = load(require_data(args), "train", size=network.config.size)
    data.require_classes(registry.entry(args.classifier).classes)
    return network, data
