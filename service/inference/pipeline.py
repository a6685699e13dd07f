"""Requests to /quantize and /classify: decode -> queue -> model -> encode."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from models.codecs import truecolor
from models.decoding.decode import DecodedImage
from models.evaluation import metrics
from models.prediction import Prediction
from models.report import heatmap
from models.rgb import Pixels
from models.zoo.manifest import ModelEntry
from service.inference.admission import Admission, PixelBudget, in_time
from service.inference.catalog import no_maps
from service.inference.quantization import Quantization, Quantized, keeps_alpha, scaled_down
from service.inference.stages import Stages
from service.inference.workload import scale_of
from service.runtime import timing
from service.runtime.timing import Timings
from service.schemas.class_names import find_class
from service.schemas.media_types import FileFormat
from service.schemas.options import ClassifyOptions, ImageOptions, QuantizeOptions
from service.schemas.upload import UploadedFile
from service.settings import Settings

Result = TypeVar("Result")


@dataclass(frozen=True, eq=False)
class DrawnMap:
    """An activation map over its image as a 24-bit PNG of `width` x `height` pixels with `colors` different colors."""

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
    """Result of /classify: predictions, the most probable first; `cam` is None without the option.

    model, sha256: name and checkpoint of the classifier.
    """

    model: str
    sha256: str
    predictions: tuple[Prediction, ...]
    cam: DrawnMap | None
    notes: tuple[str, ...]
    timings: Timings


class Pipeline:
    """Runs requests with bounded memory, and keeps long steps out of the event loop.

    At most `queue_size` requests are in flight; the next request is rejected at once. Half of them may have large
    images; the next one with a large image is rejected when its header has been read. The pixel budget has room for
    `workers` + 1 of the largest images, of which large ones get `workers`, or for more of smaller ones. A request
    without a reservation keeps only the uploaded file in memory.
    """

    def __init__(self, stages: Stages, settings: Settings) -> None:
        self.admission = Admission(settings.queue_size)
        self._stages = stages
        self._settings = settings
        self._large = Admission(max(1, settings.queue_size // 2), "large images")
        self._pixel_budget = PixelBudget((settings.workers + 1) * settings.max_pixels, settings.max_pixels)

    @property
    def in_flight(self) -> int:
        """Number of admitted requests."""
        return self.admission.in_flight

    @property
    def waiting(self) -> int:
        """Number of admitted requests that wait for the pixel budget."""
        return self._pixel_budget.waiting

    async def quantize(self, upload: UploadedFile, options: QuantizeOptions, format: FileFormat = "png") -> Quantized:
        """Quantize the image of an upload, and encode it in that format.

        Raises the errors of `models.errors` for names, bytes and options, DoesNotFit and OutOfTime.
        """
        selections = self._stages.selections(options)
        sha256 = self._stages.engine.catalog.sha256
        with timing.started() as timer:
            async with self._decoded(upload.data, options, keep_alpha=keeps_alpha(options, format)) as decoded:
                decoded = await scaled_down(decoded, options.max_side, self._stages)
                selection = selections.of(decoded.pixels)
                best, met = await Quantization(self._stages, options, selection, format).run(decoded)
        notes = decoded.notes + best.notes
        return Quantized(selection, best, format, upload.name, len(upload.data), met, notes, timer.timings(), sha256)

    def check(self, options: QuantizeOptions) -> None:
        """Raise the errors of names and options that do not depend on an image."""
        self._stages.selections(options)

    async def inspect(self, upload: UploadedFile, options: ImageOptions, look: Callable[[Pixels], Result]) -> Result:
        """Return what `look` finds in the pixels of an upload, (H, W, 3) uint8; it runs in a thread.

        Raises the errors of `models.errors` for bytes, and OutOfTime.
        """
        async with self._decoded(upload.data, options) as decoded:
            pixels = decoded.pixels
            return await self._stages.run_in_thread("model", scale_of(pixels.size // 3), partial(look, pixels))

    async def in_thread(self, step: Callable[[], Result]) -> Result:
        """Run work on few pixels in a thread."""
        return await self._stages.run_in_thread("model", "small", step)

    async def classify(self, data: bytes, options: ClassifyOptions) -> Classified:
        """Classify the image in `data`, and draw the activation map of the class that `options.cam` names.

        Raises as `quantize` does.
        """
        entries = self._stages.engine.catalog.classifier_by_picture(options.model)
        with timing.started() as timer:
            async with self._decoded(data, options) as decoded:
                entry = entries.of(decoded.pixels)
                index = find_class(options.cam, entry.classes)
                if options.cam is not None and not entry.cam:
                    raise no_maps(entry.name)
                pixels, classes = decoded.pixels, len(entry.classes)
                (ranking,) = await self._stages.predict((pixels,), classes, entry.name)
                shown = None if options.cam is None else _prediction(ranking, index)
                cam = None if shown is None else await self._draw(decoded.pixels, shown, entry)
        notes = decoded.notes + _cam_notes(decoded, cam)
        return Classified(entry.name, entry.sha256, ranking[: options.top_k], cam, notes, timer.timings())

    @asynccontextmanager
    async def _decoded(
        self, data: bytes, options: ImageOptions, *, keep_alpha: bool = False
    ) -> AsyncIterator[DecodedImage]:
        """Decode `data` and reserve its pixels for the block; those of the largest image where no header names them.

        The block raises OutOfTime when the time of the request is over.
        """
        most = self._settings.max_pixels
        with in_time(self._settings.request_timeout):
            measured = await self._stages.measure(data)
            large = scale_of(measured.pixels) == "large"
            with self._large.admit() if large else nullcontext():
                async with self._pixel_budget.reserve(int(min(measured.pixels, most)), large=large) as reservation:
                    decoded = await self._stages.decode(data, options, most, measured, keep_alpha=keep_alpha)
                    height, width = decoded.pixels.shape[:2]
                    reservation.shrink(height * width)
                    yield decoded

    async def _draw(self, pixels: Pixels, shown: Prediction, entry: ModelEntry) -> DrawnMap:
        heat = await self._stages.activation_map(pixels, shown.index, entry.name)

        def render() -> DrawnMap:
            drawn = heatmap.draw(heatmap.fit(pixels, self._settings.max_cam_pixels), heat, entry.crop)
            height, width = drawn.shape[:2]
            return DrawnMap(shown, truecolor.encode(drawn, effort="fast"), width, height, metrics.count_colors(drawn))

        return await self._stages.run_in_thread("encode", scale_of(pixels.size // 3), render)


def _prediction(ranking: tuple[Prediction, ...], index: int | None) -> Prediction:
    return ranking[0] if index is None else next(found for found in ranking if found.index == index)


def _cam_notes(decoded: DecodedImage, cam: DrawnMap | None) -> tuple[str, ...]:
    if cam is None or (cam.height, cam.width) == decoded.pixels.shape[:2]:
        return ()
    return (f"activation map drawn at {cam.width}x{cam.height}",)
