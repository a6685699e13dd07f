"""The device behind its queue: what requests ask of the networks, together where they ask for the same."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.palette_image import PaletteImage
from models.prediction import Prediction
from models.rgb import Pixels
from service.errors import NotReady, QueueFull
from service.inference.batching import Batcher, Closed, Expired, Full, Limits, Ran
from service.inference.device_errors import is_broken, is_out_of_memory, out_of_memory
from service.inference.engine import Engine
from service.inference.selection import Selection
from service.runtime import timing
from service.runtime.logs import request_id_here
from service.runtime.timing import Timer
from service.settings import Settings

Ranking = tuple[Prediction, ...]
"""Classes, the likeliest first."""

_BATCH_PIXELS = 1 << 17  # structure takes 4 bytes a pixel and color: 128 MiB at 256 colors where it has not faded out

Observer = Callable[[str, Ran[Any]], None]
"""Told what was done, one of WORK, and how."""

WORK = ("quantize", "predict", "map")


@dataclass(frozen=True, eq=False)
class _Job:
    """What one request wants: `run` takes the items of a batch; it means the same for all jobs of one key."""

    run: Callable[[Sequence[Any]], Sequence[Any]]
    item: Any
    timer: Timer
    asked: float
    request_id: str | None


def _ignore(_: Exception) -> None:
    """In place of someone who is told."""


class Device:
    """Runs an engine's networks, one batch at a time, while `serving`.

    Images of a quantizer's own size are painted together where model, fidelity and number of colors agree; others go
    alone, as they are painted tile by tile. Images are classified together where the classifier is the same, whatever
    their size.

    All that is asked of it raises QueueFull where the queue has no room or the wait was too long, NotReady where it is
    not served or broken, and what else the engine raises.

    Args:
        on_broken: called with each error after which the device cannot be trusted.
    """

    def __init__(self, engine: Engine, settings: Settings, on_broken: Callable[[Exception], None] = _ignore) -> None:
        self._engine = engine
        self._on_broken = on_broken
        self._timeout = settings.queue_timeout
        self._queue: Batcher[tuple[Any, ...], _Job, Any] = Batcher(_run, _limits(settings), observe=self._tell)
        self._observers: list[Observer] = []

    @property
    def waiting(self) -> int:
        """How many requests wait for their turn."""
        return self._queue.waiting

    def subscribe(self, observer: Observer) -> None:
        """Have `observer` called after each batch, in the event loop; it must not raise."""
        self._observers.append(observer)

    def serving(self) -> AbstractAsyncContextManager[None]:
        """A block in which the device works; leaving it finishes what was taken."""
        return self._queue.serving()

    def is_batched(self, pixels: Pixels, selection: Selection) -> bool:
        """Whether the image has the size of which a quantizer, one with a network, paints many at once."""
        height, width = pixels.shape[:2]
        return bool(height == width == self._engine.native_size(selection))

    async def quantize(self, pixels: Pixels, colors: int, selection: Selection) -> PaletteImage:
        """The image in at most `colors` colors; `choice` is of a method with a network."""
        if self.is_batched(pixels, selection):

            def run(images: Sequence[Pixels]) -> Sequence[PaletteImage]:
                return self._engine.quantize_batch(images, colors, selection)

            company: object = "painted"
        else:

            def run(images: Sequence[Pixels]) -> Sequence[PaletteImage]:
                return [self._engine.quantize(image, colors, selection) for image in images]

            company = object()  # equal to nothing else
        quantized: PaletteImage = await self._submit(
            ("quantize", selection, colors, company), run, pixels, _pixels_of(pixels)
        )
        return quantized

    async def quantize_and_predict(
        self, pixels: Pixels, colors: int, selection: Selection
    ) -> tuple[PaletteImage, list[Ranking]]:
        """An image that is painted together with others, and the likeliest class before and after, all at once."""

        def run(images: Sequence[Pixels]) -> Sequence[tuple[PaletteImage, list[Ranking]]]:
            quantized = self._engine.quantize_batch(images, colors, selection)
            pairs = zip(images, (image.render() for image in quantized), strict=True)
            views = [self._engine.view(image, selection.classifier) for pair in pairs for image in pair]
            rankings = self._engine.predict(views, 1, selection.classifier)
            return [(image, rankings[2 * i : 2 * i + 2]) for i, image in enumerate(quantized)]

        found: tuple[PaletteImage, list[Ranking]] = await self._submit(
            ("quantize", selection, colors, "read"), run, pixels, _pixels_of(pixels)
        )
        return found

    async def predict(self, views: Sequence[Pixels], top_k: int, model: str) -> list[Ranking]:
        """The `top_k` likeliest classes of each view of one request, all in one batch."""

        def run(requests: Sequence[Sequence[Pixels]]) -> Sequence[list[Ranking]]:
            rankings = iter(self._engine.predict([view for views in requests for view in views], top_k, model))
            return [list(islice(rankings, len(views))) for views in requests]

        rankings: list[Ranking] = await self._submit(("predict", model, top_k), run, views, sum(map(_pixels_of, views)))
        return rankings

    async def activation_map(self, view: Pixels, index: int, model: str) -> NDArray[np.float32]:
        """Where the classifier sees the class `index`; see `Engine.activation_map`."""

        def run(views: Sequence[Pixels]) -> Sequence[NDArray[np.float32]]:
            return [self._engine.activation_map(view, index, model) for view in views]

        heat: NDArray[np.float32] = await self._submit(("map", model, index, object()), run, view, _pixels_of(view))
        return heat

    async def _submit(
        self,
        key: tuple[Any, ...],
        run: Callable[[Sequence[Any]], Sequence[Any]],
        item: object,
        size: int,
    ) -> Any:
        job = _Job(run, item, timing.current(), time.perf_counter(), request_id_here.get())
        try:
            return await self._queue.submit(key, job, size, timeout=self._timeout)
        except Full as error:
            raise QueueFull("The device has as much work as it can hold.") from error
        except Expired as error:
            raise QueueFull(f"The image waited {self._timeout:g} seconds for the device.") from error
        except Closed as error:
            raise NotReady("The service is shutting down.") from error
        except Exception as error:
            told = self._of_device(error)
            if told is error:
                raise
            raise told from error

    def _of_device(self, error: Exception) -> Exception:
        """What to answer to an error of a run: itself, unless the device is to blame."""
        if is_broken(error):
            self._on_broken(error)
            return NotReady("The device failed; the service starts again.")
        if is_out_of_memory(error):
            return out_of_memory()
        return error

    def _tell(self, ran: Ran[tuple[Any, ...]]) -> None:
        for observer in self._observers:
            observer(ran.key[0], ran)


def _run(_: tuple[Any, ...], jobs: Sequence[_Job]) -> Sequence[Any]:
    """One batch, each request's wait and work put down in its stopwatch; what it logs names all of the requests."""
    request_id_here.set(",".join(filter(None, (job.request_id for job in jobs))))  # in this call's own context
    started = time.perf_counter()
    results = jobs[0].run([job.item for job in jobs])
    seconds = time.perf_counter() - started
    for job in jobs:
        job.timer.add("queue", started - job.asked)
        job.timer.add("model", seconds)
    return results


def _limits(settings: Settings) -> Limits:
    """Room for what the requests that are inside may ask, each one thing at a time; more would be a mistake of ours."""
    return Limits(
        queue_items=settings.queue_size + settings.compress_queue_size,
        queue_size=(settings.workers + 1) * settings.max_pixels
        + settings.compress_workers * settings.compress_max_pixels,
        batch_items=settings.max_batch,
        batch_size=_BATCH_PIXELS,
    )


def _pixels_of(image: Pixels) -> int:
    return int(image.shape[0] * image.shape[1])
