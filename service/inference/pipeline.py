"""A request to /quantize or /classify: decode -> queue -> model -> encode."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

from models.codecs import png
from models.codecs.truecolor import encode_rgb
from models.decoding.decode import DecodedImage
from models.evaluation import metrics
from models.palette_image import PaletteImage
from models.prediction import Prediction
from models.report import heatmap
from models.rgb import Pixels
from service.inference.admission import Admission, Room, in_time
from service.inference.engine import Choice
from service.inference.stages import Steps
from service.runtime.timing import Stopwatch, Timings
from service.schemas.options import ClassifyOptions, ImageOptions, QuantizeOptions, find_class
from service.settings import Settings


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
    """Runs requests with bounded memory; what takes longer than a thread is worth is kept out of the event loop.

    At most `queue_size` requests are inside; the next one is refused at once. Of those as many hold decoded pixels as
    there is room for: one more than `workers` of the largest images, or more of smaller ones. The others wait with the
    bytes they came with.
    """

    def __init__(self, steps: Steps, settings: Settings) -> None:
        self.admission = Admission(settings.queue_size, settings.retry_after)
        self._steps = steps
        self._settings = settings
        self._room = Room((settings.workers + 1) * settings.max_pixels)

    @property
    def inside(self) -> int:
        """How many requests are admitted."""
        return self.admission.inside

    @property
    def waiting(self) -> int:
        """How many of them wait for room for their pixels."""
        return self._room.waiting

    async def quantize(self, data: bytes, options: QuantizeOptions) -> Quantized:
        """Paint the image in `data`; raises the errors of `models.errors` for names, bytes, options, and OutOfTime."""
        choice = self._steps.engine.choose(options.method, options.model, options.colors, fidelity=options.fidelity)
        watch = Stopwatch()
        async with self._decoded(watch, data, options) as decoded:
            image, recognition = await self._paint(watch, decoded.pixels, options, choice)
            image = png.ordered(image, effort=options.effort)
            data_out = await self._steps.run(
                watch, "encode", partial(png.encode, image, effort=options.effort), image.indices.size
            )
        return Quantized(choice, image, data_out, recognition, decoded.notes, watch.timings())

    async def classify(self, data: bytes, options: ClassifyOptions) -> Classified:
        """Predict the class of the image in `data`, and draw the activation map of `options.cam` if it names one.

        Raises as `quantize` does.
        """
        entry = self._steps.engine.classifier(options.model)
        index = find_class(options.cam, entry.classes)
        watch = Stopwatch()
        async with self._decoded(watch, data, options) as decoded:
            pixels, classes = decoded.pixels, len(entry.classes)
            (ranking,) = await self._steps.predict(watch, lambda: (pixels,), classes, entry.name, pixels.size // 3)
            shown = None if options.cam is None else _prediction(ranking, index)
            cam = None if shown is None else await self._draw(watch, decoded.pixels, shown, entry.name)
        notes = decoded.notes + _cam_notes(decoded, cam)
        return Classified(entry.name, ranking[: options.top_k], cam, notes, watch.timings())

    @asynccontextmanager
    async def _decoded(self, watch: Stopwatch, data: bytes, options: ImageOptions) -> AsyncIterator[DecodedImage]:
        """The image in `data`, with room for its pixels; until they are counted, for as many as there may be.

        The block raises OutOfTime when the time of the request is over.
        """
        most = self._settings.max_pixels
        with in_time(self._settings.request_timeout):
            async with self._room.hold(watch, most) as held:
                decoded = await self._steps.decode(watch, data, options, most)
                height, width = decoded.pixels.shape[:2]
                held.shrink(height * width)
                yield decoded

    async def _paint(
        self, watch: Stopwatch, pixels: Pixels, options: QuantizeOptions, choice: Choice
    ) -> tuple[PaletteImage, Recognition | None]:
        if not options.recognise:
            return await self._steps.paint(watch, pixels, options.colors, choice), None
        image, ((before,), (after,)) = await self._steps.paint_and_predict(watch, pixels, options.colors, choice)
        return image, Recognition(choice.classifier, before, after)

    async def _draw(self, watch: Stopwatch, pixels: Pixels, shown: Prediction, model: str) -> DrawnMap:
        heat = await self._steps.activation_map(watch, pixels, shown.index, model)

        def render() -> DrawnMap:
            drawn = heatmap.draw(heatmap.fit(pixels, self._settings.max_cam_pixels), heat)
            height, width = drawn.shape[:2]
            return DrawnMap(shown, encode_rgb(drawn), width, height, metrics.count_colors(drawn))

        return await self._steps.run(watch, "encode", render)


def _prediction(ranking: tuple[Prediction, ...], index: int | None) -> Prediction:
    return ranking[0] if index is None else next(found for found in ranking if found.index == index)


def _cam_notes(decoded: DecodedImage, cam: DrawnMap | None) -> tuple[str, ...]:
    if cam is None or (cam.height, cam.width) == decoded.pixels.shape[:2]:
        return ()
    return (f"activation map drawn at {cam.width}x{cam.height}",)
