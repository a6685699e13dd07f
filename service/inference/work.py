"""Work for the device: the computations of a request, and the keys that group them into batches."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from types import MappingProxyType
from typing import ClassVar, Generic, Literal, NamedTuple, Self, TypeVar, get_args

import numpy as np
from numpy.typing import NDArray

from models.names import REFINED, REFINED_FOR_ALL, REFINED_IN_ONE_PASS, REFINED_QUICKLY
from models.palette_image import PaletteImage
from models.prediction import Prediction
from models.rgb import Pixels
from service.inference.engine import Engine
from service.inference.selection import Selection
from service.inference.workload import SCALES, Scale, scale_of

Result = TypeVar("Result")

Ranking = tuple[Prediction, ...]
"""Classes of one image, the most probable first."""

WorkName = Literal["quantize", "predict", "map"]
"""Name of a kind of work in the metrics."""

WORK_NAMES: tuple[WorkName, ...] = get_args(WorkName)


Pace = Literal["passes", "few steps", "many steps"]
"""What the time of work consists of: single passes of a network, or few or many steps of a refinement.

A refinement by one pass counts as few steps: beside the pass, it maps the whole photograph several times.
"""


class Lane(NamedTuple):
    """Queue of the device for work that takes a similar time, so that no work waits behind much longer work."""

    pace: Pace
    scale: Scale


LANES: tuple[Lane, ...] = tuple(Lane(pace, scale) for pace in get_args(Pace) for scale in SCALES)


@dataclass(frozen=True)
class BatchKey:
    """Properties that work must share to run in one batch.

    work: name of the work in the metrics. shared: equal for work that shares a batch; the work itself if it runs alone.
    """

    work: WorkName
    shared: Hashable


class Work(ABC, Generic[Result]):
    """Work of one request. Work of equal keys may run in one batch."""

    name: ClassVar[WorkName]

    @property
    def key(self) -> BatchKey:
        """Key of the batch that this work can join."""
        return BatchKey(self.name, self._shared())

    @property
    def lane(self) -> Lane:
        """Queue that the work waits in."""
        return Lane("passes", "small")

    @property
    @abstractmethod
    def size(self) -> int:
        """Number of pixels, or what counts as many; batches and the queue limit their sum."""

    @abstractmethod
    def _shared(self) -> Hashable:
        """Return a value that is equal for all work that can share a batch with this work."""

    @classmethod
    @abstractmethod
    def run(cls, engine: Engine, batch: Sequence[Self]) -> Sequence[Result]:
        """Run work of equal keys on the engine; return a result for each in order."""


@dataclass(frozen=True, eq=False)
class Quantize(Work[PaletteImage]):
    """Quantize an image with a network.

    pixels: (H, W, 3) uint8 sRGB. colors: 2 to 256. view: side of the square view of each image from which the network
    plans a batch, whatever the sizes of its images; None for an image that runs alone.
    """

    pixels: Pixels
    colors: int
    selection: Selection
    view: int | None
    name: ClassVar[WorkName] = "quantize"

    @property
    def lane(self) -> Lane:
        return _lane(self.selection, _pixel_count(self.pixels))

    @property
    def size(self) -> int:
        return _size(self.pixels, self.view)

    def _shared(self) -> Hashable:
        return self if self.view is None else (type(self), self.selection, self.colors)

    @classmethod
    def run(cls, engine: Engine, batch: Sequence[Self]) -> Sequence[PaletteImage]:
        colors, selection = batch[0].colors, batch[0].selection
        if batch[0].view is not None:
            return engine.quantize_batch([work.pixels for work in batch], colors, selection)
        return [engine.quantize(work.pixels, colors, selection) for work in batch]


@dataclass(frozen=True, eq=False)
class QuantizeAndPredict(Work[tuple[PaletteImage, list[Ranking]]]):
    """Quantize an image in a batch, and classify it before and after.

    The result is the image, and the most probable class before and after. view: see `Quantize`.
    """

    pixels: Pixels
    colors: int
    selection: Selection
    view: int
    name: ClassVar[WorkName] = "quantize"

    @property
    def lane(self) -> Lane:
        return _lane(self.selection, _pixel_count(self.pixels))

    @property
    def size(self) -> int:
        return _size(self.pixels, self.view)

    def _shared(self) -> Hashable:
        return (type(self), self.selection, self.colors)

    @classmethod
    def run(cls, engine: Engine, batch: Sequence[Self]) -> Sequence[tuple[PaletteImage, list[Ranking]]]:
        colors, selection = batch[0].colors, batch[0].selection
        originals = [work.pixels for work in batch]
        quantized = engine.quantize_batch(originals, colors, selection)
        views: list[Pixels] = []
        for original, image in zip(originals, quantized, strict=True):  # one rendered picture at a time is in memory
            views += (engine.view(original, selection.classifier), engine.view(image.render(), selection.classifier))
        rankings = iter(engine.predict(views, 1, selection.classifier))
        return [(image, list(islice(rankings, 2))) for image in quantized]


@dataclass(frozen=True, eq=False)
class Predict(Work[list[Ranking]]):
    """Classify the views of one request. The result has the `top_k` most probable classes of each view."""

    views: Sequence[Pixels]
    top_k: int
    classifier: str
    name: ClassVar[WorkName] = "predict"

    @property
    def size(self) -> int:
        return sum(map(_pixel_count, self.views))

    def _shared(self) -> Hashable:
        return (type(self), self.classifier, self.top_k)

    @classmethod
    def run(cls, engine: Engine, batch: Sequence[Self]) -> Sequence[list[Ranking]]:
        views = [view for work in batch for view in work.views]
        rankings = iter(engine.predict(views, batch[0].top_k, batch[0].classifier))
        return [list(islice(rankings, len(work.views))) for work in batch]


@dataclass(frozen=True, eq=False)
class ActivationMap(Work[NDArray[np.float32]]):
    """Compute the activation map of the class `index` for one view; see `Engine.activation_map`."""

    view: Pixels
    index: int
    classifier: str
    name: ClassVar[WorkName] = "map"

    @property
    def size(self) -> int:
        return _pixel_count(self.view)

    def _shared(self) -> Hashable:
        return self

    @classmethod
    def run(cls, engine: Engine, batch: Sequence[Self]) -> Sequence[NDArray[np.float32]]:
        return [engine.activation_map(work.view, work.index, work.classifier) for work in batch]


_INDEXED_PER_PIXEL = 32  # pixels that are indexed later, and count as one pixel of a view

_PACES: Mapping[str, Pace] = MappingProxyType(
    {
        REFINED_IN_ONE_PASS: "few steps",
        REFINED_QUICKLY: "few steps",
        REFINED_FOR_ALL: "many steps",
        REFINED: "many steps",
    }
)


def _lane(selection: Selection, pixels: int) -> Lane:
    """Return the queue of the quantization of an image."""
    return Lane(_PACES.get(selection.method, "passes"), scale_of(pixels))


def _size(image: Pixels, view: int | None) -> int:
    """Return the size of the quantization of an image: of the view, and a part for pixels that are indexed later.

    The structure of all views is in memory at once. The images are indexed one by one, which takes no memory, but the
    first result of the batch waits for the last one.
    """
    pixels = _pixel_count(image)
    return pixels if view is None else view**2 + max(0, pixels - view**2) // _INDEXED_PER_PIXEL


def _pixel_count(image: Pixels) -> int:
    return int(image.shape[0] * image.shape[1])
