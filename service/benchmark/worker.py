"""What a benchmark does in its worker process: open an image, make a row, draw the contact sheet, write the page.

Everything here blocks, and everything that goes in and out can be pickled. The image that was opened last stays open,
under its token, so that its bytes cross the border once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from models.codecs import truecolor
from models.decoding.decode import decode
from models.errors import ColorCNNError
from models.evaluation import metrics
from models.evaluation.compare import Judge, Row, Sample, Setting, compare
from models.prediction import Prediction
from models.quantizers.base import Quantizer
from models.report import contact_sheet, heatmap
from models.rgb import Pixels

if TYPE_CHECKING:
    from service.schemas.reports import BenchmarkReport


_open: dict[str, Pixels] = {}  # of one image at most


class ImageGone(ColorCNNError):
    """No image of that token is open: this process is not the one that opened it."""


class Classifier(Judge, Protocol):
    """A judge that can also be asked about one image of any size; `models.recognizer.Recognizer` is one."""

    def predict(self, pixels: Pixels, top_k: int = 1) -> tuple[Prediction, ...]:
        """The `top_k` likeliest classes of (H, W, 3) uint8 sRGB pixels, best first."""

    def activation_map(self, pixels: Pixels, index: int) -> NDArray[np.float32]:
        """Where it sees the class: (h, w) float32 in [0, 1]."""


class Loader(Protocol):
    """Gives names their meaning, in the worker process."""

    def quantizer(self, setting: Setting) -> Quantizer:
        """The quantizer of that method and model, ready to be timed."""

    def classifier(self, name: str) -> Classifier:
        """The classifier of that name."""


@dataclass(frozen=True)
class Conditions:
    """What all rows of one benchmark have in common.

    classifier: its name. max_pixels: of the largest image. background: sRGB under transparent pixels. tiles: how many
    the contact sheet will have; 0 where none is drawn. cam: whether activation maps are drawn over them.
    """

    loader: Loader
    classifier: str
    max_pixels: int
    background: tuple[int, int, int]
    tiles: int
    cam: bool


@dataclass(frozen=True, eq=False)
class Opened:
    """An image and what the classifier sees in it. tile: (h, w, 3) uint8 for the contact sheet, empty without one."""

    width: int
    height: int
    notes: tuple[str, ...]
    seen: Prediction
    tile: Pixels


@dataclass(frozen=True, eq=False)
class Compared:
    """A row, and its (h, w, 3) uint8 tile for the contact sheet, empty without one."""

    row: Row
    tile: Pixels


@dataclass(frozen=True)
class Sheet:
    """A contact sheet as a 24-bit PNG, how many colors it has, and its bits per pixel."""

    png: bytes
    colors: int
    bits_per_pixel: float


def open_image(conditions: Conditions, token: str, data: bytes) -> Opened:
    """Decode an upload, keep it open under `token`, and classify it.

    Raises BadImage, UnsupportedFormat or ImageTooLarge.
    """
    close_image()
    image = decode(data, max_pixels=conditions.max_pixels, background=conditions.background)
    _open[token] = image.pixels
    height, width = image.pixels.shape[:2]
    (seen,) = conditions.loader.classifier(conditions.classifier).predict(image.pixels)
    return Opened(width, height, image.notes, seen, _tile(conditions, image.pixels))


def close_image() -> None:
    """Give the memory of the open image back, if there is one."""
    _open.clear()


def compare_row(
    conditions: Conditions, token: str, name: str, truth: int | None, seen: Prediction, setting: Setting
) -> Compared:
    """One row for the open image of `token`, in which the classifier sees `seen`. Raises ImageGone or BadOption."""
    if token not in _open:
        raise ImageGone(f"the image {token} is not open here")
    quantizer = conditions.loader.quantizer(setting)
    sample = Sample(name, _open[token], seen, truth)
    row, measured = compare(sample, setting, quantizer, conditions.loader.classifier(conditions.classifier))
    return Compared(row, _tile(conditions, measured.pixels))


def draw_sheet(columns: Sequence[str], rows: Sequence[contact_sheet.Row]) -> Sheet:
    """The contact sheet with these headings of columns."""
    pixels = contact_sheet.draw(columns, rows)
    height, width = pixels.shape[:2]
    png = truecolor.encode(pixels, effort="fast")
    return Sheet(png, metrics.count_colors(pixels), metrics.bits_per_pixel(len(png), height, width))


def write_benchmark_page(report: BenchmarkReport, columns: Sequence[str], rows: Sequence[contact_sheet.Row]) -> str:
    """The HTML page of a benchmark, with its contact sheet where there are rows for one."""
    from service.benchmark import page  # here, so that the service itself does not load what draws plots

    return page.benchmark_page(report, draw_sheet(columns, rows).png if rows else b"")


def _tile(conditions: Conditions, pixels: Pixels) -> Pixels:
    """The image as the sheet shows it; with `cam`, the activation map of its likeliest class lies over it."""
    if not conditions.tiles:
        return np.empty((0, 0, 3), np.uint8)
    tile = contact_sheet.fit_tile(pixels, contact_sheet.tile_side(conditions.tiles))
    if not conditions.cam:
        return tile
    classifier = conditions.loader.classifier(conditions.classifier)
    (seen,) = classifier.predict(pixels)
    return heatmap.draw(tile, classifier.activation_map(pixels, seen.index))
