"""Start of a training run: device, log, and the models and images that the options name."""

import tempfile
from pathlib import Path

from models.networks.classifiers import Classifier
from models.networks.precision import has_bfloat16
from models.zoo import readers
from models.zoo.registry import Registry
from training.cli.options import CallOptions, TrainerOptions
from training.data.datasets import DatasetError, LabeledImages, load
from training.loop.distributed import Workers, select_device
from training.loop.fit import Session
from training.loop.log import Log
from training.loop.provenance import describe
from training.loop.scoring import frozen_classifier
from training.loop.state import STATE_FILE


def begin(options: TrainerOptions) -> Session:
    """Begin or resume a run: the first line of the log describes the command and the options.

    Nothing is written before the end of the first epoch. Raises DatasetError for a folder that already holds a run, or
    that cannot be written.
    """
    workers = Workers.from_environment()
    if options.resume == "never" and not workers.rank and (options.out / STATE_FILE).exists():
        raise DatasetError(f"{options.out} already holds a run: continue it with --resume, or choose another --out")
    check_writable(options.out)
    log = Log(options.out, workers, options.minutes, options.score_every)
    log.announce("start", **describe(), options=described(options))
    device = select_device(options.device)
    return Session(device, log, bf16=not options.fp32 and has_bfloat16(device), resume=is_resumed(options))


def check_writable(folder: Path) -> None:
    """Raise DatasetError unless `folder` is, or can become, a folder that this process may write; writes nothing."""
    existing = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    try:
        with tempfile.TemporaryFile(dir=existing):
            pass
    except OSError as error:
        raise DatasetError(f"cannot write to {existing} ({error.strerror or error}); choose another --out") from None


def described(options: TrainerOptions) -> dict[str, object]:
    """Return the options that describe the run, from the recipe, the command line and the defaults."""
    return {**options.without(CallOptions), "dataset": options.dataset}


def is_resumed(options: CallOptions) -> bool:
    """Return whether the run continues from a saved state."""
    state = options.out / STATE_FILE
    return options.resume == "always" or (options.resume == "auto" and state.exists())


def classifier_and_data(options: CallOptions, name: str) -> tuple[Classifier, LabeledImages]:
    """Return a frozen classifier, on the CPU and in eval mode, and training images of its size and classes.

    Raises SystemExit if `name` is another kind of model, DatasetError if the images are of other classes.
    """
    registry = Registry.open(options.models)
    network = frozen_classifier(registry, name)
    data = load(options.folder, "train", size=network.config.size)
    data.require_classes(registry.entry(name).classes)
    return network, data


def registry_of(models: Path | None, imported: Path | None, name: str) -> Registry:
    """Return the registry that has the classifier `name`: that of `imported` if it does, else that of `models`."""
    if imported is not None:
        registry = Registry.open(imported)
        if name in {entry.name for entry in registry.available()}:
            return registry
    registry = Registry.open(models)
    return readers.with_readers(registry) if name == readers.LITE2 else registry
