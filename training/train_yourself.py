"""Training of a classifier and a quantizer on a folder of photographs, published into a folder that the service serves.

    python -m training.train_yourself --data PHOTOS --out runs/my-models
    COLORCNN_MODELS_FOLDER=runs/my-models python -m service

PHOTOS holds one folder of images for each class. The classifier keeps the stages of a shipped one, whose features suit
photographs, so that 30 images of a class are enough. The quantizer is trained against it, all numbers of colors in one
run. The command runs training.train_classifier, training.train_colorcnn and training.publish in a temporary folder
beside --out. The temporary folder becomes --out at the end, so a run that fails leaves nothing.
"""

import signal
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from models.zoo.manifest import Name
from training import publish, train_classifier, train_colorcnn
from training.cli import command_line
from training.cli.options import DeviceOptions
from training.cli.session import check_writable
from training.data.datasets import DatasetError
from training.data.options import DataOptions
from training.options import Count

# What differs from the defaults of the commands, which suit tens of thousands of small images.
_CLASSIFIER = ("--lr", "0.03", "--cutout", "0")
_QUANTIZER = ("--colors", "2:8", "3:1", "4:4", "6:1", "8:3", "12:1", "16:3", "32:1")
_PUBLISHED = ("--structure-scales", "0", "0.25", "0.5", "0.75", "1", "1.5", "2", "3")
_ONLY_AT_THE_END = "999"  # epochs between scorings
_CROPPED = 16  # a random shift has up to this part of the side


class YourselfOptions(DataOptions, DeviceOptions):
    """Train a classifier and a quantizer on a folder of photographs, and publish both into a folder of models."""

    out: Path
    """Folder for the models; it must not exist yet, or be empty."""
    name: Name = "mine"
    """Name of the classifier in requests; the quantizer gets the name NAME-colorcnn."""
    start: str = "imagenet-efficientnet-lite0"
    """Shipped classifier to start from."""
    size: Count = 224
    """Side in pixels that images are resized to; a smaller one takes less time."""
    batch: Count = 8
    """Images per batch, or all training images where there are fewer."""
    held_out: Count | None = None
    """Images that are kept out of the training to measure the models; by default a fifth, and at least one of each
    class."""
    classifier_epochs: Count = 10
    """Passes of the classifier over the training images."""
    epochs: Count = 10
    """Passes of the quantizer over the training images."""
    seed: int = 0
    """Seed of everything random."""

    def words(self) -> list[str]:
        """Return the arguments that both trainings share."""
        values = {
            "--data": self.folder,
            "--dataset": self.dataset,
            "--device": self.device,
            "--batch": self.batch,
            "--crop": self.size // _CROPPED,
            "--seed": self.seed,
            "--score-every": _ONLY_AT_THE_END,
            **({"--held-out": self.held_out} if self.held_out else {}),
        }
        return [str(word) for pair in values.items() for word in pair]


def main(argv: Sequence[str] | None = None) -> Mapping[str, float]:
    """Run the trainings of a command line; returns the top-1 in [0, 1] on the held-out images, by measure."""
    options = command_line.parse(YourselfOptions, "training.train_yourself", argv).located()
    with _new_folder(options.out) as (work, models):
        scores = _train(options, work, models)
    print(
        f"{options.out} is ready; top-1 on held-out images: originals {scores['held_out_top1']:.0%}"
        + "".join(f", {k} colors {scores[f'held_out_top1_{k}']:.0%}" for k in train_colorcnn.SCORED_COLORS[:4])
    )
    print(f"serve it: COLORCNN_MODELS_FOLDER={options.out} python -m service")
    return scores


def _train(options: YourselfOptions, work: Path, models: Path) -> dict[str, float]:
    """Train and publish both models into `models`; returns their scores. work: folder for the runs."""
    name, quantizer = options.name, f"{options.name}-colorcnn"
    words = [*options.words(), "--epochs", str(options.classifier_epochs), "--size", str(options.size)]
    words += ["--start", options.start, *_CLASSIFIER]
    train_classifier.main([*words, "--out", str(work / name)])
    into = ["--models", str(models)]
    first = publish.main([*into, "--run", str(work / name), "--name", name])
    words = [*options.words(), "--epochs", str(options.epochs), *into, "--classifier", name, *_QUANTIZER]
    train_colorcnn.main([*words, "--out", str(work / quantizer)])
    second = publish.main([*into, "--run", str(work / quantizer), "--name", quantizer, *_PUBLISHED])
    return {**first.accuracy, **second.accuracy}


@contextmanager
def _new_folder(out: Path) -> Iterator[tuple[Path, Path]]:
    """Yield a temporary folder, and a folder in it that becomes `out` unless the block fails.

    Raises DatasetError where `out` is not empty or cannot be written.
    """
    if out.exists() and not (out.is_dir() and not any(out.iterdir())):
        raise DatasetError(f"{out} exists and is not empty; choose another --out, or delete it")
    check_writable(out)
    place = next(path for path in out.absolute().parents if path.exists())
    before = signal.signal(signal.SIGTERM, _end)  # by default a process ends without clearing up
    try:
        with tempfile.TemporaryDirectory(prefix=f".{out.absolute().name}.", suffix=".partial", dir=place) as work:
            models = Path(work, "models")
            yield Path(work), models
            out.parent.mkdir(parents=True, exist_ok=True)
            models.replace(out)
    finally:
        signal.signal(signal.SIGTERM, before)


def _end(number: int, _: FrameType | None) -> None:
    sys.exit(128 + number)


if __name__ == "__main__":
    command_line.run(main)
