"""The steps that requests are made of, timed; what takes a while is in a worker thread, of which there are a few."""

from __future__ import annotations

import math
import struct
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

import anyio
import numpy as np
from anyio import CapacityLimiter
from numpy.typing import NDArray

from models.codecs import png
from models.decoding.decode import DecodedImage, decode
from models.palette_image import PaletteImage
from models.rgb import Pixels
from service.inference.device import Device, Ranking
from service.inference.device_errors import out_of_memory
from service.inference.engine import Engine
from service.inference.selection import Selection
from service.runtime import timing
from service.runtime.timing import STAGES, Stage
from service.schemas.options import ImageOptions
from service.settings import Settings

Result = TypeVar("Result")

_SMALL_PIXELS = 1 << 12
"""Of pictures that are worked on in less time than it takes to hand them to a thread and back."""

_PNG_SIZE = slice(16, 24)  # width and height in a PNG file
_SMALL_BYTES = 1 << 12  # of a file that is decoded at once
# Chunks of a picture and of a few numbers; others hold profiles and texts, and what those can hide may take a while.
_PLAIN = frozenset(
    (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND", b"gAMA", b"cHRM", b"sRGB", b"sBIT", b"bKGD", b"pHYs", b"tIME")
)


class Stages:
    """What can be done with an image. Of all requests at most `workers` are in the same stage at the same time.

    Each stage has threads of its own, so that a slow one, such as the densest PNG of a large image, keeps nobody else's
    image from being decoded for a device that waits.
    """

    def __init__(self, engine: Engine, device: Device, settings: Settings) -> None:
        self.engine = engine
        self._device = device
        self._threads = {stage: CapacityLimiter(settings.workers) for stage in STAGES}

    async def decode(self, data: bytes, options: ImageOptions, max_pixels: int) -> DecodedImage:
        """The pixels of an upload; raises BadImage, UnsupportedFormat or ImageTooLarge."""
        step = partial(decode, data, max_pixels=max_pixels, background=options.background_rgb())
        return await self.run("decode", step, _pixels_of_small_png(data))

    async def quantize(self, pixels: Pixels, colors: int, selection: Selection) -> PaletteImage:
        """The image in at most `colors` colors."""
        if selection.on_device:
            return await self._device.quantize(pixels, colors, selection)
        step = partial(self.engine.quantize, pixels, colors, selection)
        return await self._run_in_thread("model", step)

    async def quantize_and_predict(
        self, pixels: Pixels, colors: int, selection: Selection
    ) -> tuple[PaletteImage, list[Ranking]]:
        """The same, and the likeliest class before and after."""
        if selection.on_device and self._device.is_batched(pixels, selection):
            return await self._device.quantize_and_predict(pixels, colors, selection)
        image = await self.quantize(pixels, colors, selection)

        def both() -> tuple[Pixels, Pixels]:
            return pixels, image.render()

        return image, await self.predict(both, 1, selection.classifier, image.indices.size)

    async def predict(
        self,
        pictures: Callable[[], Sequence[Pixels]],
        top_k: int,
        model: str,
        pixels: float = math.inf,
    ) -> list[Ranking]:
        """The `top_k` likeliest classes of each picture of so many `pixels`; `pictures` may be called in a thread."""
        views = await self.run("model", lambda: [self.engine.view(picture, model) for picture in pictures()], pixels)
        return await self._device.predict(views, top_k, model)

    async def activation_map(self, pixels: Pixels, index: int, model: str) -> NDArray[np.float32]:
        """Where the classifier sees the class `index`: (h, w) float32 in [0, 1], over the whole image."""
        view = await self.run("model", partial(self.engine.view, pixels, model), pixels.size // 3)
        return await self._device.activation_map(view, index, model)

    async def run(self, stage: Stage, step: Callable[[], Result], pixels: float = math.inf) -> Result:
        """Run `step` on so many `pixels` in a thread, or at once where they are few; a wait counts as queue."""
        if pixels <= _SMALL_PIXELS:
            with timing.measure(stage):
                return step()
        return await self._run_in_thread(stage, step)

    async def _run_in_thread(self, stage: Stage, step: Callable[[], Result]) -> Result:
        """Run `step` in a thread of `stage`, one of STAGES; the wait for the thread counts as queue."""
        asked = time.perf_counter()

        def timed() -> Result:
            timing.add("queue", time.perf_counter() - asked)
            with timing.measure(stage):
                return step()

        try:
            return await anyio.to_thread.run_sync(timed, limiter=self._threads[stage])
        except MemoryError as error:
            raise out_of_memory() from error


def _pixels_of_small_png(data: bytes) -> float:
    """Pixels of a small PNG that holds nothing but a picture; of other files, which may hide more: too many."""
    if len(data) > _SMALL_BYTES or not data.startswith(png.SIGNATURE) or len(data) < _PNG_SIZE.stop:
        return math.inf
    at, kinds = len(png.SIGNATURE), []
    while at + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        kinds.append(kind)
        at += 12 + length
    if kinds[0] != b"IHDR" or kinds.count(b"IHDR") > 1 or not _PLAIN.issuperset(kinds):
        return math.inf
    width, height = struct.unpack(">II", data[_PNG_SIZE])
    return int(width * height)
