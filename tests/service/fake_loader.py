"""Networks of the fake engine, without torch, so that the worker process of benchmarks starts fast."""

import os
import signal
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from models.evaluation.compare import Setting
from models.palette_image import PaletteImage
from models.prediction import Prediction
from models.quantizers.base import Quantizer
from models.report import contact_sheet
from models.rgb import Pixels, ViewGeometry
from service.benchmark.worker import Classifier

CLASSES = ("dark", "light", "déjà vu")


class FakeClassifier:
    """Classifier that returns dark or light; its map shows light on the right and dark on the left."""

    size = 8
    crop = None
    views = ViewGeometry.of(size, None, None)

    def predict(self, pixels: Pixels, top_k: int = 1) -> tuple[Prediction, ...]:
        light = 0.9 * float(pixels.mean()) / 255
        chances = (0.9 - light, light, 0.1)
        ranking = sorted(range(len(CLASSES)), key=lambda index: -chances[index])
        return tuple(Prediction(CLASSES[index], index, chances[index]) for index in ranking[:top_k])

    def predict_batch(self, images: Pixels) -> list[Prediction]:
        return [self.predict(image)[0] for image in images]

    def activation_map(self, pixels: Pixels, index: int) -> NDArray[np.float32]:
        row = np.linspace(0, 1, 8, dtype=np.float32)
        return np.stack([row if index else row[::-1]] * 8)


@dataclass(frozen=True)
class FakeLoader:
    """Quantizers and classifier of the fake engine, for the worker process of benchmarks.

    A file in the folder `traps`, named after a number of colors, contains how quantizing to that number fails.
    """

    traps: Path | None = None

    def pinned(self, sha256: Mapping[str, str]) -> Self:
        return self

    def quantizer(self, setting: Setting) -> Quantizer:
        if setting.model is not None:
            return _FakeQuantizer(self.traps, setting.method)
        from models.quantizers.classical.catalog import CLASSICAL

        return CLASSICAL[setting.method]

    def classifier(self, name: str) -> Classifier:
        return FakeClassifier()


@dataclass(frozen=True)
class _FakeQuantizer:
    traps: Path | None
    name: str

    def quantize(self, pixels: Pixels, colors: int) -> PaletteImage:
        trap = self.traps and self.traps / str(colors)
        if trap and trap.exists():
            _spring(trap.read_text(), trap)
        return gray_steps(pixels, colors)


def _spring(what: str, trap: Path) -> None:
    """Write the file `<colors>.sprung`, then hang for ever, die as if out of memory, or die at the next drawing."""
    trap.with_suffix(".sprung").write_text(str(os.getpid()))
    if what == "hang":
        threading.Event().wait()
    if what == "die":
        _die()
    contact_sheet.draw = _die


def _die(*_: Any, **__: Any) -> Any:
    os.kill(os.getpid(), signal.SIGKILL)


def gray_steps(pixels: Pixels, colors: int) -> PaletteImage:
    """Quantize to `colors` equal steps of gray, without the unused ones."""
    brightness = pixels.mean(axis=2)
    indices = np.minimum(brightness * colors / 256, colors - 1).astype(np.uint8)
    stages = np.linspace(0, 255, colors).round().astype(np.uint8)
    return PaletteImage(indices, np.stack([stages] * 3, axis=-1)).compact()
