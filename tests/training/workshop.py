"""What the tests share of one small run of the whole path: its folders, its flags and its images."""

import json
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from training import train_classifier, train_colorcnn
from training.data.datasets import LabeledImages


@dataclass(frozen=True)
class Workshop:
    """Folders of a run that took some seconds, and what its scripts returned.

    evaluation: flags of the evaluation whose JSON is `results`, but for --out.
    """

    data: Path
    runs: Path
    models: Path
    results: Path
    evaluation: list[str]
    classifier: train_classifier.Result
    quantizer: train_colorcnn.Result

    @property
    def report(self) -> dict[str, Any]:
        content: dict[str, Any] = json.loads(self.results.read_text())
        return content


CLASSIFIER_FLAGS = shlex.split(
    "--size 16 --width 8 --epochs 3 --batch 50 --held-out 400 --lr 0.1 --crop 0 --cutout 0 --fp32"
)
QUANTIZER_FLAGS = shlex.split(
    "--classifier stripes --epochs 2 --batch 25 --held-out 400 --lr 0.004 --colors 2:4 16:1 --soft 1 --contrast 2 "
    "--jitter 0.5 --crop 0 --fp32"
)


def write_images(folder: Path, data: LabeledImages) -> None:
    for row, (image, label) in enumerate(zip(data.images, data.labels.tolist(), strict=True)):
        (folder / data.classes[label]).mkdir(parents=True, exist_ok=True)
        Image.fromarray(image.permute(1, 2, 0).numpy()).save(folder / data.classes[label] / f"{row}.png")
