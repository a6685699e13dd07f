"""Work of a benchmark in its worker process: open an image, and measure its rows.

All functions block, and all arguments and results can be pickled. The image that was opened last stays open under its
token, so that its bytes are sent to the process once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from models.decoding.decode import decode
from models.errors import ColorCNNError
from models.evaluation.compare import BatchClassifier, Row, Sample, Setting, compare
from models.prediction import Prediction
from models.quantizers.base import Quantizer
from models.report import contact_sheet, heatmap
from models.rgb import Pixels

_open: dict[str, Pixels] = {}  # holds one image at most


class ImageGone(ColorCNNError):
    """No image is open under the token: another process has opened it."""


class Classifier(BatchClassifier, Protocol):
    """Classifier of images of any size; `models.recognizer.Recognizer` is one."""

    @property
    def crop(self) -> float | None:
        """Share of the shorter side that it sees, as a central square; None where it sees the whole image."""

    def predict(self, pixels: Pixels, top_k: int = 1) -> tuple[Prediction, ...]:
        """Return the `top_k` most probable classes of (H, W, 3) uint8 sRGB pixels, best first."""

    def activation_map(self, pixels: Pixels, index: int) -> NDArray[np.float32]:
        """Return how much each place supports the class `index`: (h, w) float32 in [0, 1]."""


class Loader(Protocol):
    """Loads quantizers and classifiers by name, in the worker process."""

    def pinned(self, sha256: Mapping[str, str]) -> Self:
        """Return a loader of these checkpoints alone, by the names of their models.

        It raises NotReady where the folder of the models has changed since.
        """

    def quantizer(self, setting: Setting) -> Quantizer:
        """Return the quantizer of the method and model of `setting`, ready to be timed."""

    def classifier(self, name: str) -> Classifier:
        """Return the classifier of that name."""


@dataclass(frozen=True)
class Conditions:
    """Conditions that all rows of photographs, or all rows of smaller images, of one benchmark share.

    classifier: name. max_pixels: size limit of an image. background: sRGB color under transparent pixels. tiles: number
    of tiles in the contact sheet, 0 without a sheet. cam: whether the tiles show activation maps.
    """

    loader: Loader
    classifier: str
    max_pixels: int
    background: tuple[int, int, int]
    tiles: int
    cam: bool


@dataclass(frozen=True, eq=False)
class Opened:
    """A decoded image and its most probable class. tile: (h, w, 3) uint8 of the contact sheet, empty without one."""

    width: int
    height: int
    notes: tuple[str, ...]
    prediction: Prediction
    tile: Pixels


@dataclass(frozen=True, eq=False)
class Compared:
    """A measured row. tile: (h, w, 3) uint8 of the contact sheet, empty without one."""

    row: Row
    tile: Pixels


def open_image(conditions: Conditions, token: str, data: bytes) -> Opened:
    """Decode an upload, keep it open under `token`, and classify it.

    Raises BadImage, UnsupportedFormat or ImageTooLarge.
    """
    close_image()
    image = decode(data, max_pixels=conditions.max_pixels, background=conditions.background)
    _open[token] = image.pixels
    height, width = image.pixels.shape[:2]
    (prediction,) = conditions.loader.classifier(conditions.classifier).predict(image.pixels)
    return Opened(width, height, image.notes, prediction, _tile(conditions, image.pixels))


def close_image() -> None:
    """Free the memory of the open image, if there is one."""
    _open.clear()


def compare_row(
    conditions: Conditions, token: str, name: str, truth: int | None, prediction: Prediction, setting: Setting
) -> Compared:
    """Measure one row of the image that is open under `token`. prediction: its most probable class.

    Raises ImageGone or BadOption.
    """
    if token not in _open:
        raise ImageGone(f"the image {token} is not open in this process")
    quantizer = conditions.loader.quantizer(setting)
    sample = Sample(name, _open[token], prediction, truth)
    row, measured = compare(sample, setting, quantizer, conditions.loader.classifier(conditions.classifier))
    return Compared(row, _tile(conditions, measured.pixels))


def _tile(conditions: Conditions, pixels: Pixels) -> Pixels:
    """Return the tile of an image; with `cam`, the activation map of its most probable class lies over it."""
    if not conditions.tiles:
        return np.empty((0, 0, 3), np.uint8)
    tile = contact_sheet.fit_tile(pixels, contact_sheet.tile_side(conditions.tiles))
    if not conditions.cam:
        return tile
    classifier = conditions.loader.classifier(conditions.classifier)
    (prediction,) = classifier.predict(pixels)
    return heatmap.draw(tile, classifier.activation_map(pixels, prediction.index), classifier.crop)
