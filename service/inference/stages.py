"""The stages that requests consist of, timed. Long steps run in worker threads, of which each stage has a few.

A step in a thread ends at its next pause when its request is cancelled.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from functools import partial
from itertools import product
from typing import NamedTuple, TypeVar

import anyio
import numpy as np
from anyio import CapacityLimiter, from_thread
from numpy.typing import NDArray

from models.decoding.decode import DecodedImage, decode
from models.decoding.dimensions import dimensions_at_once, read_dimensions
from models.palette_image import PaletteImage
from models.pauses import at_each_pause
from models.quantizers.base import MIN_COLORS
from models.rgb import Pixels
from service.inference.by_picture import ByPicture
from service.inference.device import Device
from service.inference.device_errors import out_of_memory
from service.inference.engine import Engine
from service.inference.selection import Selection
from service.inference.work import ActivationMap, Predict, Quantize, QuantizeAndPredict, Ranking
from service.inference.workload import SCALES, Scale, is_quick, pixels_to_decode, scale_of
from service.runtime import timing
from service.runtime.timing import STAGES, Stage
from service.schemas.options import ImageOptions, QuantizerOptions
from service.settings import Settings

Result = TypeVar("Result")


class Measured(NamedTuple):
    """An upload before it is decoded.

    pixels: that its header announces; infinity where it cannot be read. at_once: whether decoding takes less time than
    handing it to a thread and back.
    """

    pixels: float
    at_once: bool


class Stages:
    """Decoding, quantizing, classifying and encoding of images.

    Each stage has threads of its own for each scale of images: `workers` for small ones, half as many for the others.
    A slow stage, such as the densest PNG of a large image, therefore does not delay the decoding of other images while
    the device waits, and no large image delays a small one.
    """

    def __init__(self, engine: Engine, device: Device, settings: Settings) -> None:
        self.engine = engine
        self._device = device
        fewer = max(1, settings.workers // 2)
        self._threads = {
            (stage, scale): CapacityLimiter(settings.workers if scale == "small" else fewer)
            for stage, scale in product(STAGES, SCALES)
        }

    def selections(self, options: QuantizerOptions) -> ByPicture[Selection]:
        """Check the names in the options and fill in the defaults; see `Catalog.select_by_picture`."""
        return self.engine.catalog.select_by_picture(
            options.method,
            options.model,
            MIN_COLORS if options.colors == "auto" else options.colors,
            fidelity=options.fidelity,
            transferable=options.transferable,
            dither=options.dither,
            palette=options.palette,
        )

    async def measure(self, data: bytes) -> Measured:
        """Return what the header of an upload announces."""
        quick = pixels_to_decode(data)
        if is_quick(quick):
            return Measured(quick, at_once=True)
        dimensions = dimensions_at_once(data)
        if dimensions is None:
            dimensions = await self.run_in_thread("decode", "small", partial(read_dimensions, data))
        return Measured(math.prod(dimensions) if dimensions else math.inf, at_once=False)

    async def decode(
        self, data: bytes, options: ImageOptions, max_pixels: int, measured: Measured, *, keep_alpha: bool = False
    ) -> DecodedImage:
        """Decode a measured upload. Raises BadImage, UnsupportedFormat or ImageTooLarge."""
        background = options.background_rgb()
        step = partial(decode, data, max_pixels=max_pixels, background=background, keep_alpha=keep_alpha)
        if measured.at_once:
            return await self.run("decode", step, measured.pixels)
        return await self.run_in_thread("decode", scale_of(measured.pixels), step)

    async def quantize(self, pixels: Pixels, colors: int, selection: Selection) -> PaletteImage:
        """Quantize an image to at most `colors` colors."""
        if selection.on_device:
            return await self._device.run(Quantize(pixels, colors, selection, self._view(pixels, selection)))
        step = partial(self.engine.quantize, pixels, colors, selection)
        return await self.run_in_thread("model", scale_of(pixels.size // 3), step)

    async def quantize_and_predict(
        self, pixels: Pixels, colors: int, selection: Selection
    ) -> tuple[PaletteImage, list[Ranking]]:
        """Quantize an image, and return the most probable class before and after, too."""
        view = self._view(pixels, selection)
        if view is not None:
            return await self._device.run(QuantizeAndPredict(pixels, colors, selection, view))
        image = await self.quantize(pixels, colors, selection)
        rendered = await self.run("model", image.render, image.indices.size)
        return image, await self.predict((pixels, rendered), 1, selection.classifier)

    async def predict(self, pictures: Sequence[Pixels], top_k: int, classifier: str) -> list[Ranking]:
        """Return the `top_k` most probable classes of each picture."""

        def scale() -> list[Pixels]:
            return [self.engine.view(picture, classifier) for picture in pictures]

        views = await self.run("model", scale, max(picture.size // 3 for picture in pictures))
        return await self._device.run(Predict(views, top_k, classifier))

    async def activation_map(self, pixels: Pixels, index: int, classifier: str) -> NDArray[np.float32]:
        """Return the evidence for the class `index` across the classifier's view: (h, w) float32 in [0, 1]."""
        view = await self.run("model", partial(self.engine.view, pixels, classifier), pixels.size // 3)
        return await self._device.run(ActivationMap(view, index, classifier))

    async def run(self, stage: Stage, step: Callable[[], Result], pixels: float) -> Result:
        """Run a step on so many pixels, in a thread of `stage` or, where they are few, at once.

        The wait for the thread counts as queue. Raises OutOfMemory for a MemoryError in the thread.
        """
        if is_quick(pixels):
            with timing.measure(stage):
                return step()
        return await self.run_in_thread(stage, scale_of(pixels), step)

    async def run_in_thread(self, stage: Stage, scale: Scale, step: Callable[[], Result]) -> Result:
        """Run a step in one of the threads of `stage` for images of that scale; see `run`."""
        asked = time.perf_counter()

        def timed() -> Result:
            timing.add("queue", time.perf_counter() - asked)
            with timing.measure(stage), at_each_pause(from_thread.check_cancelled):
                return step()

        try:
            return await anyio.to_thread.run_sync(timed, limiter=self._threads[stage, scale])
        except MemoryError as error:
            raise out_of_memory() from error

    def _view(self, pixels: Pixels, selection: Selection) -> int | None:
        """Return the side of the view from which the network plans a batch; None for an image that runs alone.

        Indexing a larger image takes so long that a batch gains nothing.
        """
        if not selection.on_device or scale_of(pixels.size // 3) != "small":
            return None
        return self.engine.native_size(selection)
