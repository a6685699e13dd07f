"""One request through the service: decode -> queue -> model -> encode, each step in a worker thread, each one timed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

import anyio
from anyio import CapacityLimiter

from models import metrics, overlay
from models.codecs import png
from models.errors import BadOption
from models.palette_image import PaletteImage
from models.pixels import DecodedImage, decode
from models.prediction import Prediction
from service.engine import Choice, Engine, Pixels
from service.problems import QueueFull
from service.schemas import ClassifyOptions, ImageOptions, QuantizeOptions
from service.settings import Settings

Result = TypeVar("Result")

STAGES = ("decode", "queue", "model", "encode")
TOP = "top"


@dataclass(frozen=True)
class Timings:
    """Seconds that one request spent in each stage; `queue` is all of its waiting."""

    decode: float
    queue: float
    model: float
    encode: float


@dataclass
class Stopwatch:
    """Adds up the seconds of one request, stage by stage."""

    _seconds: dict[str, float] = field(default_factory=lambda: dict.fromkeys(STAGES, 0.0))

    @contextmanager
    def measure(self, stage: str) -> Iterator[None]:
        """Count the time inside the block for `stage`, one of STAGES."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self._seconds[stage] += time.perf_counter() - started

    def add(self, stage: str, seconds: float) -> None:
        self._seconds[stage] += seconds

    def timings(self) -> Timings:
        return Timings(**self._seconds)


@dataclass(frozen=True)
class Recognition:
    """What the classifier `model` sees before and after quantization."""

    model: str
    before: Prediction
    after: Prediction

    @property
    def kept(self) -> bool:
        return self.before.index == self.after.index


@dataclass(frozen=True, eq=False)
class Quantized:
    """The answer to /quantize: `png` holds `image`; `recognition` is None when it was switched off."""

    choice: Choice
    image: PaletteImage
    png: bytes
    recognition: Recognition | None
    notes: tuple[str, ...]
    timings: Timings

    @property
    def bits_per_pixel(self) -> float:
        return metrics.bits_per_pixel(len(self.png), self.image.height, self.image.width)


@dataclass(frozen=True, eq=False)
class DrawnMap:
    """An activation map over its image as a 24-bit PNG of `width` x `height` pixels with `colors` different colours."""

    prediction: Prediction
    png: bytes
    width: int
    height: int
    colors: int

    @property
    def bits_per_pixel(self) -> float:
        return metrics.bits_per_pixel(len(self.png), self.height, self.width)


@dataclass(frozen=True, eq=False)
class Classified:
    """The answer to /classify: predictions best first; `cam` is None when no map was asked for."""

    model: str
    predictions: tuple[Prediction, ...]
    cam: DrawnMap | None
    notes: tuple[str, ...]
    timings: Timings


class Pipeline:
    """Runs requests against an engine with bounded memory and without blocking the event loop.

    At most `queue_size` requests are inside; the next one is refused at once. Of those at most `workers` hold decoded
    pixels; the others wait with the bytes they came with. The device does one thing at a time.
    """

    def __init__(self, engine: Engine, settings: Settings) -> None:
        self._engine = engine
        self._settings = settings
        self._inside = 0
        self._slots = CapacityLimiter(settings.workers)
        self._threads = CapacityLimiter(settings.workers)
        self._device = CapacityLimiter(1)

    @contextmanager
    def admit(self) -> Iterator[None]:
        """Be inside for the length of the block. Raises QueueFull when there is no room."""
        if self._inside >= self._settings.queue_size:
            raise QueueFull(
                f"{self._inside} requests are inside already; try again in {self._settings.retry_after} seconds.",
                retry_after=self._settings.retry_after,
            )
        self._inside += 1
        try:
            yield
        finally:
            self._inside -= 1

    async def quantize(self, data: bytes, options: QuantizeOptions) -> Quantized:
        """Paint the image in `data`; raises the errors of `models.errors` for names, bytes and options."""
        choice = self._engine.choose(options.method, options.model)
        watch = Stopwatch()
        async with _Slot(self._slots, watch):
            decoded = await self._decode(watch, data, options)
            image = await self._paint(watch, decoded.pixels, options.colors, choice)
            recognition = await self._recognise(watch, decoded.pixels, image, choice) if options.recognise else None
            data_out = await self._run(
                watch, "encode", self._threads, partial(png.encode, image, effort=options.effort)
            )
        return Quantized(choice, image, data_out, recognition, decoded.notes, watch.timings())

    async def classify(self, data: bytes, options: ClassifyOptions) -> Classified:
        """Predict the class of the image in `data`, and draw the activation map of `options.cam` if it names one."""
        entry = self._engine.classifier(options.model)
        index = find_class(options.cam, entry.classes)
        watch = Stopwatch()
        async with _Slot(self._slots, watch):
            decoded = await self._decode(watch, data, options)
            predict = partial(self._engine.predict, decoded.pixels, len(entry.classes), entry.name)
            ranking = await self._run(watch, "model", self._device, predict)
            shown = None if options.cam is None else _prediction(ranking, index)
            cam = None if shown is None else await self._draw(watch, decoded.pixels, shown, entry.name)
        notes = decoded.notes + _cam_notes(decoded, cam)
        return Classified(entry.name, ranking[: options.top_k], cam, notes, watch.timings())

    async def _decode(self, watch: Stopwatch, data: bytes, options: ImageOptions) -> DecodedImage:
        step = partial(decode, data, max_pixels=self._settings.max_pixels, background=options.background_rgb())
        return await self._run(watch, "decode", self._threads, step)

    async def _paint(self, watch: Stopwatch, pixels: Pixels, colors: int, choice: Choice) -> PaletteImage:
        limiter = self._device if choice.on_device else self._threads
        step = partial(self._engine.quantize, pixels, colors, choice.method, choice.model)
        return await self._run(watch, "model", limiter, step)

    async def _recognise(self, watch: Stopwatch, pixels: Pixels, image: PaletteImage, choice: Choice) -> Recognition:
        def read_both() -> Recognition:
            (before,) = self._engine.predict(pixels, 1, choice.classifier)
            (after,) = self._engine.predict(image.render(), 1, choice.classifier)
            return Recognition(choice.classifier, before, after)

        return await self._run(watch, "model", self._device, read_both)

    async def _draw(self, watch: Stopwatch, pixels: Pixels, shown: Prediction, model: str) -> DrawnMap:
        find_heat = partial(self._engine.activation_map, pixels, shown.index, model)
        heat = await self._run(watch, "model", self._device, find_heat)

        def render() -> DrawnMap:
            drawn = overlay.draw(overlay.fit(pixels, self._settings.max_cam_pixels), heat)
            height, width = drawn.shape[:2]
            return DrawnMap(shown, overlay.encode_rgb(drawn), width, height, metrics.count_colors(drawn))

        return await self._run(watch, "encode", self._threads, render)

    async def _run(self, watch: Stopwatch, stage: str, limiter: CapacityLimiter, step: Callable[[], Result]) -> Result:
        """Run `step` in a thread of `limiter`; the wait for the thread counts as queue."""
        asked = time.perf_counter()

        def timed() -> Result:
            watch.add("queue", time.perf_counter() - asked)
            with watch.measure(stage):
                return step()

        return await anyio.to_thread.run_sync(timed, limiter=limiter)


class _Slot:
    """One of the places for decoded pixels; the wait for it counts as queue."""

    def __init__(self, slots: CapacityLimiter, watch: Stopwatch) -> None:
        self._slots = slots
        self._watch = watch

    async def __aenter__(self) -> None:
        with self._watch.measure("queue"):
            await self._slots.acquire_on_behalf_of(self)

    async def __aexit__(self, *_: object) -> None:
        self._slots.release_on_behalf_of(self)


def find_class(cam: str | None, classes: tuple[str, ...]) -> int | None:
    """The index that the option `cam` means: a label, an index, or `top` (and no option) for None.

    Raises:
        BadOption: it is none of them.
    """
    return None if cam is None or cam == TOP else class_index("cam", cam, classes, also=f"`{TOP}`, ")


def class_index(option: str, text: str, classes: tuple[str, ...], also: str = "") -> int:
    """The index of the class that `text`, given for `option`, names by its label or its index.

    Raises:
        BadOption: it names none; the message says what it may be, beginning with `also`.
    """
    if text in classes:
        return classes.index(text)
    if text.isascii() and text.isdigit() and len(text) < 10 and int(text) < len(classes):
        return int(text)
    known = ", ".join(classes[:20]) + (", ..." if len(classes) > 20 else "")
    last = len(classes) - 1
    raise BadOption(f"{option} {text!r:.80} is no class; give {also}an index from 0 to {last} or one of {known}.")


def _prediction(ranking: tuple[Prediction, ...], index: int | None) -> Prediction:
    return ranking[0] if index is None else next(found for found in ranking if found.index == index)


def _cam_notes(decoded: DecodedImage, cam: DrawnMap | None) -> tuple[str, ...]:
    if cam is None or (cam.height, cam.width) == decoded.pixels.shape[:2]:
        return ()
    return (f"activation map drawn at {cam.width}x{cam.height}",)
