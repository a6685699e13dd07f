"""The plan of a benchmark: its images, its settings, and the conditions that all rows share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Literal
from uuid import uuid4

from models.errors import BadOption
from models.evaluation.compare import Setting
from models.names import LEARNED_METHODS
from models.palette_image import MAX_COLORS
from models.quantizers.classical.catalog import CLASSICAL
from models.report.contact_sheet import MOST_TILES
from service.benchmark.worker import Conditions, Loader
from service.inference.engine import Engine
from service.inference.selection import Selection, no_maps
from service.schemas.options import BenchmarkOptions, class_index
from service.schemas.upload import Upload, UploadedFile

SheetUse = Literal["none", "if it fits", "needed"]
"""Whether a benchmark draws a contact sheet."""

_MAX_NAME = 100  # characters


@dataclass(frozen=True, eq=False)
class Picture:
    """One image of a benchmark, not yet decoded.

    truth: index of the true class, None without labels. token: id of the image in the worker process.
    """

    name: str
    data: bytes
    truth: int | None
    token: str = field(default_factory=lambda: uuid4().hex)


@dataclass(frozen=True, eq=False)
class Job:
    """A validated benchmark. classes: labels of its classifier."""

    pictures: tuple[Picture, ...]
    settings: tuple[Setting, ...]
    conditions: Conditions
    classes: tuple[str, ...]
    request_id: str

    @property
    def model(self) -> str | None:
        """Name of the quantizer network; None if all methods are classical."""
        return next((setting.model for setting in self.settings if setting.model), None)

    @property
    def rows(self) -> int:
        """Number of rows that the benchmark will have."""
        return len(self.pictures) * len(self.settings)


@dataclass(frozen=True)
class Planner:
    """Plans the job of a request. max_pixels: limit on the pixels of an image."""

    engine: Engine
    loader: Loader
    max_pixels: int

    def plan(self, upload: Upload, options: BenchmarkOptions, *, sheet: SheetUse, request_id: str) -> Job:
        """Return the job of a request.

        Raises UnknownMethod, UnknownModel, or BadOption for labels that do not fit or too large a contact sheet.
        """
        catalog = self.engine.catalog
        default = catalog.select_by_picture(None, options.model, MAX_COLORS).small
        settings = [
            self._setting(method, default, colors) for method in self._methods(options) for colors in options.colors
        ]
        classifier = catalog.classifier(default.classifier)
        if options.cam and not classifier.cam:
            raise no_maps(classifier.name)
        classes = classifier.classes
        tiles = len(upload.files) * (len(settings) + len(options.methods))
        conditions = Conditions(
            loader=self.loader,
            classifier=default.classifier,
            max_pixels=self.max_pixels,
            background=options.background_rgb(),
            tiles=_drawn_tiles(tiles, sheet),
            cam=options.cam,
        )
        truths = _truths(options.labels, len(upload.files), classes)
        return Job(_pictures(upload.files, truths), tuple(settings), conditions, classes, request_id)

    def _methods(self, options: BenchmarkOptions) -> tuple[str, ...]:
        """Return the methods of a request; those that it gets by default are those that the service has."""
        if "methods" in options.model_fields_set:
            return options.methods
        default = self.engine.catalog.default_method
        return (default, *(method for method in options.methods if method in CLASSICAL and method != default))

    def _setting(self, method: str, default: Selection, colors: int) -> Setting:
        model = default.model if method in LEARNED_METHODS else None
        return Setting(method, self.engine.catalog.select(method, model, colors, default.classifier).model, colors)


def image_names(files: Sequence[UploadedFile]) -> list[str]:
    """Return a short printable name for each image: the last part of the file name, numbered if it is repeated."""
    names: list[str] = []
    for position, file in enumerate(files, 1):
        last = PurePosixPath(file.name.replace("\\", "/")).name
        name = "".join(filter(str.isprintable, last)).strip()[:_MAX_NAME] or f"image-{position}"
        numbered = (f"{name} ({count})" for count in range(2, len(files) + 2))
        names.append(name if name not in names else next(other for other in numbered if other not in names))
    return names


def _drawn_tiles(tiles: int, sheet: SheetUse) -> int:
    """Return the number of tiles of the contact sheet: `tiles`, or 0 for no sheet."""
    if sheet == "needed" and tiles > MOST_TILES:
        raise BadOption(
            f"The contact sheet would have {tiles} tiles; at most {MOST_TILES} are possible. Request fewer images, "
            "methods or colors, or JSON."
        )
    return tiles if sheet != "none" and tiles <= MOST_TILES else 0


def _pictures(files: Sequence[UploadedFile], truths: Sequence[int | None]) -> tuple[Picture, ...]:
    named = zip(image_names(files), files, truths, strict=True)
    return tuple(Picture(name, file.data, truth) for name, file, truth in named)


def _truths(labels: Sequence[str], images: int, classes: tuple[str, ...]) -> list[int | None]:
    """Return the true class of each image. If each image has a field, a comma is part of a label."""
    if not labels:
        return [None] * images
    if len(labels) != images:
        labels = [label.strip() for field in labels for label in field.split(",")]
    if len(labels) != images:
        raise BadOption(f"There are {len(labels)} labels for {images} images; give one for each image, in order.")
    return [class_index("labels", label, classes) for label in labels]
