"""Measurements of single photographs: quantize or encode, write the file, read it back, let classifiers read it.

A measurement is a line of JSON. Several commands may append to one file of measurements, each with other methods.
"""

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from pydantic import TypeAdapter, ValidationError
from threadpoolctl import threadpool_limits

from models.codecs import png, truecolor
from models.decoding.decode import decode
from models.evaluation import metrics
from models.evaluation.compare import Setting
from models.names import REFINED_IN_ONE_PASS, TRUECOLOR
from models.networks.prefilter import Prefilter
from models.palettes import parse_palette
from models.quantizers.base import Quantizer
from models.quantizers.learned.colorcnn import load_quantizer
from models.quantizers.learned.prefiltering import load_prefilter
from models.recognizer import Recognizer, load_recognizer
from models.rgb import Pixels
from models.zoo.registry import Registry
from training.cli.quantizers import METHODS, METHODS_WITH_PALETTE, PaletteText, make_quantizer
from training.cli.session import registry_of
from training.data.datasets import DatasetError
from training.data.photographs import Photograph, scaled
from training.evaluate import still_codecs
from training.loop.distributed import select_device

ORIGINAL = Setting(TRUECOLOR)
"""The scaled photograph itself; agreement compares with its classes."""

_CPU = select_device("cpu")
_BATCH = 8  # views that a classifier reads at once


class Task(NamedTuple):
    """What a process measures at once: one photograph, with `side` pixels on its shorter side, in some settings."""

    photograph: Photograph
    side: int
    settings: tuple[Setting, ...]


@dataclass(frozen=True, kw_only=True)
class Measurement(Setting):
    """One photograph in one setting.

    Attributes:
        photograph: name of the file.
        side: pixels of the shorter side.
        truth: index of the true class, if known.
        bits_per_pixel: of the file.
        view_mse: mean squared error in the view of the first reader, 0 to 65025, of the original and the file.
        milliseconds: run time of the quantizer or the codec, on one thread.
        classes: index of the likeliest class by the name of the reader.
        commit: last commit of the measuring code.
    """

    photograph: str
    side: int
    truth: int | None
    bits_per_pixel: float
    view_mse: float
    milliseconds: float
    classes: Mapping[str, int]
    commit: str

    @property
    def key(self) -> tuple[str, int, Setting]:
        """What the measurement is of."""
        return self.photograph, self.side, self.setting


class MeasurementFile:
    """Measurements in a file of JSON lines, the newest of equal ones; a line that was cut off counts as missing.

    Raises DatasetError if the file holds something else.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self._found: dict[tuple[str, int, Setting], Measurement] = {}
        file.parent.mkdir(parents=True, exist_ok=True)
        text = file.read_text() if file.exists() else ""
        if text and not text.endswith("\n"):
            self._append("\n")
        for line in text.splitlines():
            try:
                one = _MEASUREMENT.validate_python(json.loads(line))
            except json.JSONDecodeError:
                continue
            except (ValidationError, ValueError) as error:
                raise DatasetError(f"{file} holds other lines than measurements: name another file") from error
            self._found[one.key] = one

    def find(self, photograph: Photograph, side: int, setting: Setting) -> Measurement | None:
        """Return the measurement of a photograph in a setting, or None."""
        return self._found.get((photograph.file.name, side, setting))

    def add(self, measurements: Iterable[Measurement]) -> None:
        """Keep new measurements, each in a single write, so that other commands may append to the file too."""
        for one in measurements:
            self._found[one.key] = one
            self._append(json.dumps(asdict(one)) + "\n")

    def _append(self, text: str) -> None:
        with self.file.open("ab", buffering=0) as file:
            file.write(text.encode())


_MEASUREMENT = TypeAdapter(Measurement)


@dataclass(frozen=True)
class Bench:
    """Measurements in the processes of a pool; each process loads the models once.

    models: folder of the published models; None for the models that ship with the project. imported: folder of further
    classifiers. readers: names of the classifiers; the view of the first one is compared. followed: those among them
    that refined methods follow; a setting whose model is one of them follows that one alone. commit: see Measurement.
    palette: fixed palette of all methods; None lets them choose one.
    """

    models: Path | None
    imported: Path | None
    readers: tuple[str, ...]
    followed: tuple[str, ...]
    commit: str
    palette: PaletteText | None = None

    def measure(self, task: Task) -> list[Measurement]:
        """Measure one photograph in all settings of a task."""
        with threadpool_limits(1):
            original = scaled(task.photograph.file, task.side)
            first, *others = (self.recognizer(name) for name in self.readers)
            before = first.view(original)
            rows: list[tuple[Setting, float, float, float]] = []
            views: list[list[Pixels]] = [[] for _ in self.readers]
            for setting in task.settings:
                started = time.perf_counter()
                file = self._encode(original, setting)
                milliseconds = 1000 * (time.perf_counter() - started)
                pixels = still_codecs.decode(file) if setting.quality else decode(file).pixels
                after = first.view(pixels)
                for kept, view in zip(views, (after, *(other.view(pixels) for other in others)), strict=True):
                    kept.append(view)
                bits = metrics.bits_per_pixel(len(file), *original.shape[:2])
                rows.append((setting, bits, metrics.mean_squared_error(before, after), milliseconds))
            classes = [_classes(reader, kept) for reader, kept in zip((first, *others), views, strict=True)]
            return [
                Measurement(
                    **asdict(setting),
                    photograph=task.photograph.file.name,
                    side=task.side,
                    truth=task.photograph.truth,
                    bits_per_pixel=bits,
                    view_mse=mse,
                    milliseconds=milliseconds,
                    classes=dict(zip(self.readers, seen, strict=True)),
                    commit=self.commit,
                )
                for (setting, bits, mse, milliseconds), *seen in zip(rows, *classes, strict=True)
            ]

    def recognizer(self, name: str) -> Recognizer:
        """Return the reader of that name. Raises UnknownModel or CorruptCheckpoint."""
        return _load_recognizer(self.models, self.imported, name)

    def _encode(self, original: Pixels, setting: Setting) -> bytes:
        if setting == ORIGINAL:
            return truecolor.encode(original, effort="fast")
        if setting.quality:
            return still_codecs.encode(setting.method, original, setting.quality)
        return png.encode(self._quantizer(setting).quantize(original, setting.colors or 0))

    def _quantizer(self, setting: Setting) -> Quantizer:
        if setting.method in (*METHODS, *METHODS_WITH_PALETTE):
            names = self.followed if setting.model is None else (setting.model,)
            recognizers = [self.recognizer(name) for name in names]
            prefilter = _load_prefilter(self.models, names[0]) if setting.method == REFINED_IN_ONE_PASS else None
            palette = None if self.palette is None else parse_palette(self.palette)
            return make_quantizer(setting.method, recognizers, setting.fidelity or 0.0, prefilter, palette)
        return _load_learned(self.models, setting.model or "", setting.method)


@cache
def _load_recognizer(models: Path | None, imported: Path | None, name: str) -> Recognizer:
    return load_recognizer(registry_of(models, imported, name), name, _CPU)


@cache
def _load_learned(models: Path | None, name: str, method: str) -> Quantizer:
    return load_quantizer(Registry.open(models), name, _CPU).for_method(method)


@cache
def _load_prefilter(models: Path | None, classifier: str) -> Prefilter:
    registry = Registry.open(models)
    return load_prefilter(registry, registry.manifest.prefilter(classifier), _CPU)


def _classes(reader: Recognizer, views: Sequence[Pixels]) -> list[int]:
    batches = (np.stack(views[start : start + _BATCH]) for start in range(0, len(views), _BATCH))
    return [prediction.index for batch in batches for prediction in reader.predict_batch(batch)]
