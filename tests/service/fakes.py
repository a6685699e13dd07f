"""An engine without networks: deterministic, immediate, with handles to slow it down or to break it."""

import hashlib
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar, TypeVarTuple

import anyio
import numpy as np
from numpy.typing import NDArray

from models.names import ModelKind
from models.palette_image import PaletteImage
from models.pauses import pause
from models.prediction import Prediction
from models.quantizers.classical.catalog import classical_for
from models.rgb import Pixels
from models.zoo.manifest import ModelEntry
from service.inference.catalog import Catalog
from service.inference.encoding_worker import warm_up
from service.inference.selection import Selection
from tests.service.fake_loader import CLASSES, FakeClassifier, gray_steps

Result = TypeVar("Result")
Arguments = TypeVarTuple("Arguments")


NATIVE_SIZE = 32
"""Side of the images that the fake engine quantizes in batches."""


def hash_of(name: str) -> str:
    """Return the hash that the manifest of the fake engine gives a model."""
    return hashlib.sha256(name.encode()).hexdigest()


def _entry(name: str, kind: ModelKind) -> ModelEntry:
    quantizes = kind is ModelKind.COLORCNN
    return ModelEntry(
        name=name,
        file=f"checkpoints/{name}.safetensors",
        sha256=hash_of(name),
        kind=kind,
        architecture="none",
        dataset="nothing",
        classes=() if quantizes else CLASSES,
        size=NATIVE_SIZE,
        colors=(2, 256) if quantizes else None,
        classifier="brightness" if quantizes else None,
        accuracy={"top1": 0.5},
        command="none",
        card=f"checkpoints/{name}.md",
        results=None,
    )


ENTRIES = (
    _entry("brightness", ModelKind.CLASSIFIER),
    _entry("second", ModelKind.CLASSIFIER),
    _entry("gray-steps", ModelKind.COLORCNN),
)
MODELS = tuple(entry.name for entry in ENTRIES)


class FakeEngine:
    """An engine that decides by brightness: `quantize` makes equal steps of gray, `predict` returns dark or light.

    may_load, may_quantize: set at first; where a test clears them, `load` or `quantize` waits.
    busy: set when a thread enters `quantize`. broken, bug: errors that `load` and `quantize` raise.
    seconds, parts: shortest duration of `quantize`, and number of its parts with a pause after each. loading: shortest
    duration of `load`. quantized: selections of the methods that ran on the device. batches:
    numbers of images and colors of each call of `quantize_batch`.
    """

    device = "cpu"
    catalog = Catalog(
        ENTRIES,
        {ModelKind.CLASSIFIER: "brightness", ModelKind.COLORCNN: "gray-steps"},
        supporting_fidelity=frozenset({"gray-steps"}),
        photographs=True,
        photograph_classifier="second",
        transfer_classifiers=("second", "brightness"),
    )

    def __init__(self, seconds: float = 0.0, parts: int = 1, loading: float = 0.0) -> None:
        self.seconds = seconds
        self.parts = parts
        self.loading = loading
        self.may_load = threading.Event()
        self.may_quantize = threading.Event()
        self.busy = threading.Event()
        self.may_load.set()
        self.may_quantize.set()
        self.broken: Exception | None = None
        self.bug: Exception | None = None
        self.measured: tuple[Mapping[str, Any], ...] = ()
        self.quantized: list[Selection] = []
        self.gpu_bytes: int | None = None
        self.quantizing = 0
        self.most_quantizing = 0
        self.batches: list[tuple[int, int]] = []

    def device_memory(self) -> int | None:
        return self.gpu_bytes

    def load(self) -> None:
        time.sleep(self.loading)
        self.may_load.wait(30)
        if self.broken:
            raise self.broken

    def loaded(self) -> frozenset[str]:
        return frozenset(MODELS[:1])

    def results(self) -> tuple[Mapping[str, Any], ...]:
        return self.measured

    def quantize(self, pixels: Pixels, colors: int, selection: Selection) -> PaletteImage:
        if not selection.on_device:
            palette = None if selection.palette is None else np.array(selection.palette, np.uint8)
            return classical_for(selection.method, palette).quantize(pixels, colors)
        self.quantized.append(selection)
        self.quantizing += 1
        self.most_quantizing = max(self.most_quantizing, self.quantizing)
        self.busy.set()
        self.may_quantize.wait(30)
        try:
            for _ in range(self.parts):
                time.sleep(self.seconds / self.parts)
                pause()
        finally:
            self.quantizing -= 1
        if self.bug:
            raise self.bug
        return gray_steps(pixels, colors)

    def native_size(self, selection: Selection) -> int | None:
        return None if selection.recognizers else NATIVE_SIZE

    def quantize_batch(self, images: Sequence[Pixels], colors: int, selection: Selection) -> list[PaletteImage]:
        self.batches.append((len(images), colors))
        return [self.quantize(image, colors, selection) for image in images]

    def view(self, pixels: Pixels, classifier: str) -> Pixels:
        return pixels

    def predict(self, views: Sequence[Pixels], top_k: int, classifier: str) -> list[tuple[Prediction, ...]]:
        return [FakeClassifier().predict(view, top_k) for view in views]

    def activation_map(self, view: Pixels, index: int, classifier: str) -> NDArray[np.float32]:
        return FakeClassifier().activation_map(view, index)


async def in_thread(function: Callable[[*Arguments], Result], *args: *Arguments) -> Result:
    """In place of the worker process; being cancelled leaves the thread alone."""
    return await anyio.to_thread.run_sync(function, *args, abandon_on_cancel=True)


class Gate:
    """A worker that waits before each piece of work until it is opened; the warming of encoders passes.

    waiting: somebody has asked. cancelled: how often one that waited was given up. images: the bytes that were sent.
    """

    def __init__(self) -> None:
        self.waiting = anyio.Event()
        self.opened = anyio.Event()
        self.cancelled = 0
        self.images: list[bytes] = []

    async def __call__(self, function: Callable[[*Arguments], Result], *args: *Arguments) -> Result:
        if function.__name__ == warm_up.__name__:  # a service that is ready may still warm its encoders
            return await in_thread(function, *args)
        self.waiting.set()
        self.images += [arg for arg in args if isinstance(arg, bytes)]
        try:
            await self.opened.wait()
        except anyio.get_cancelled_exc_class():
            self.cancelled += 1
            raise
        return await in_thread(function, *args)
