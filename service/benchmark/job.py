"""The plan of a benchmark: its images, its settings, and the conditions that all rows share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Literal
from uuid import uuid4

from models.decoding.dimensions import read_dimensions
from models.errors import BadOption
from models.evaluation.compare import Setting
from models.names import LEARNED_METHOD, LEARNED_METHODS, PHOTOGRAPH_METHODS
from models.palette_image import MAX_COLORS
from models.report.contact_sheet import MOST_TILES
from service.benchmark.worker import Conditions, Loader
from service.inference.catalog import no_maps
from service.inference.engine import Engine
from service.inference.selection import Selection
from service.schemas.benchmark_options import COMPARED_PHOTOGRAPH, COMPARED_SMALL, BenchmarkOptions
from service.schemas.class_names import class_index
from service.schemas.upload import Upload, UploadedFile

SheetUse = Literal["none", "if it fits", "needed"]
"""Whether a benchmark draws a contact sheet."""

_MAX_NAME = 100  # characters


@dataclass(frozen=True, eq=False)
class Treatment:
    """What happens to every photograph, or to every smaller image, of a benchmark. classes: of its classifier."""

    settings: tuple[Setting, ...]
    conditions: Conditions
    classes: tuple[str, ...]

    @property
    def methods(self) -> tuple[str, ...]:
        """Names of the methods, in order."""
        return tuple(dict.fromkeys(setting.method for setting in self.settings))


@dataclass(frozen=True, eq=False)
class Picture:
    """One image of a benchmark, not yet decoded.

    truth: index of the true class, None without labels. token: id of the image in the worker process.
    """

    name: str
    data: bytes
    treatment: Treatment
    truth: int | None
    token: str = field(default_factory=lambda: uuid4().hex)


@dataclass(frozen=True, eq=False)
class Job:
    """A validated benchmark.

    tiles: number of tiles in the contact sheet, 0 without a sheet. sha256: of each checkpoint, by the name of its
    model.
    """

    pictures: tuple[Picture, ...]
    tiles: int
    request_id: str
    sha256: Mapping[str, str]

    @property
    def model(self) -> str | None:
        """Name of the first network of a method; None if all methods are classical."""
        settings = (setting for picture in self.pictures for setting in picture.treatment.settings)
        return next((setting.model for setting in settings if setting.model), None)

    @property
    def classifier(self) -> str | None:
        """Name of the classifier of all images; None where photographs and smaller images have different ones."""
        names = {picture.treatment.conditions.classifier for picture in self.pictures}
        return names.pop() if len(names) == 1 else None

    @property
    def rows(self) -> int:
        """Number of rows that the benchmark will have."""
        return sum(len(picture.treatment.settings) for picture in self.pictures)


@dataclass(frozen=True)
class Planner:
    """Plans the job of a request. max_pixels: limit on the pixels of an image."""

    engine: Engine
    loader: Loader
    max_pixels: int

    def plan(self, upload: Upload, options: BenchmarkOptions, *, sheet: SheetUse, request_id: str) -> Job:
        """Return the job of a request; reads the header of each image, so it takes some milliseconds.

        Raises UnknownMethod, UnknownModel, or BadOption for labels that do not fit or too large a contact sheet.
        """
        selections = self.engine.catalog.select_by_picture(None, options.model, MAX_COLORS)
        chosen = [selections.of_side(side) for side in _shorter_sides(upload.files)]
        settings = {selection: self._settings(selection, selections.small, options) for selection in chosen}
        methods = {selection: {setting.method for setting in each} for selection, each in settings.items()}
        tiles = _drawn_tiles(sum(len(settings[each]) + len(methods[each]) for each in chosen), sheet)
        treatments = {each: self._treatment(each, settings[each], options, tiles) for each in settings}
        treated = [treatments[each] for each in chosen]
        truths = _truths(options.labels, [treatment.classes for treatment in treated])
        return Job(_pictures(upload.files, treated, truths), tiles, request_id, self.engine.catalog.sha256)

    def _treatment(
        self, selection: Selection, settings: tuple[Setting, ...], options: BenchmarkOptions, tiles: int
    ) -> Treatment:
        classifier = self.engine.catalog.classifier(selection.classifier)
        if options.cam and not classifier.cam:
            raise no_maps(classifier.name)
        conditions = Conditions(
            loader=self.loader.pinned(self.engine.catalog.sha256),
            classifier=classifier.name,
            max_pixels=self.max_pixels,
            background=options.background_rgb(),
            tiles=tiles,
            cam=options.cam,
        )
        return Treatment(settings, conditions, classifier.classes)

    def _settings(self, selection: Selection, small: Selection, options: BenchmarkOptions) -> tuple[Setting, ...]:
        """Return the settings of the images with the default selection `selection`, by method and colors.

        A method of a network uses that of the selection of small images, where a request that names a network has it.
        A refined method optimizes for the classifier that classifies the images.
        """
        methods = options.methods or _default_methods(selection.method)
        models = dict.fromkeys(LEARNED_METHODS, small.model if small.method in LEARNED_METHODS else None)
        models |= dict.fromkeys(PHOTOGRAPH_METHODS, selection.classifier)
        return tuple(
            Setting(method, self.engine.catalog.select(method, models.get(method), each, small.classifier).model, each)
            for method in methods
            for each in options.colors
        )


def _default_methods(default: str) -> tuple[str, ...]:
    """Return the methods of a benchmark that names none, for images with this default method."""
    if default in PHOTOGRAPH_METHODS:
        return COMPARED_PHOTOGRAPH
    return tuple(default if method == LEARNED_METHOD else method for method in COMPARED_SMALL)


def _shorter_sides(files: Sequence[UploadedFile]) -> list[int]:
    """Return the shorter side of each image in pixels; that of the first one where a header cannot be read."""
    known = [read_dimensions(file.data) for file in files]
    first = next(filter(None, known), (0, 0))
    return [min(dimensions or first) for dimensions in known]


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
            f"The benchmark would have {tiles} tiles; at most {MOST_TILES} are possible. Request fewer images, "
            "methods or colors, or JSON without tiles."
        )
    return tiles if sheet != "none" and tiles <= MOST_TILES else 0


def _pictures(
    files: Sequence[UploadedFile], treatments: Sequence[Treatment], truths: Sequence[int | None]
) -> tuple[Picture, ...]:
    parts = zip(image_names(files), files, treatments, truths, strict=True)
    return tuple(Picture(name, file.data, treatment, truth) for name, file, treatment, truth in parts)


def _truths(labels: Sequence[str], classes: Sequence[tuple[str, ...]]) -> list[int | None]:
    """Return the true class of each image. If each image has a field, a comma is part of a label.

    classes: labels that the classifier of each image knows.
    """
    if not labels:
        return [None] * len(classes)
    if len(labels) != len(classes):
        labels = [label.strip() for field in labels for label in field.split(",")]
    if len(labels) != len(classes):
        raise BadOption(f"There are {len(labels)} labels for {len(classes)} images; give one for each image, in order.")
    return [class_index("labels", label, known) for label, known in zip(labels, classes, strict=True)]
