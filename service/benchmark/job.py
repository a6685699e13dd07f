"""A benchmark as it is planned, and the events of its run."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Literal
from uuid import uuid4

from models.errors import BadOption
from models.evaluation.compare import Setting, Summary
from models.report.contact_sheet import MOST_TILES
from service.benchmark.worker import Compared, Conditions, Opened
from service.http.problems import Problem
from service.schemas.options import class_index
from service.schemas.upload import UploadedFile

SheetUse = Literal["none", "if it fits", "needed"]
"""What a benchmark needs a contact sheet for."""


_MAX_NAME = 100  # characters


@dataclass(frozen=True, eq=False)
class Picture:
    """One image of a benchmark, not yet decoded.

    truth: index of its true class, None where no labels were given. token: names it in the worker process.
    """

    name: str
    data: bytes
    truth: int | None
    token: str = field(default_factory=lambda: uuid4().hex)


@dataclass(frozen=True, eq=False)
class Job:
    """A benchmark that was asked for and checked. classes: labels of its classifier."""

    pictures: tuple[Picture, ...]
    settings: tuple[Setting, ...]
    conditions: Conditions
    classes: tuple[str, ...]
    request_id: str

    @property
    def model(self) -> str | None:
        """The network that paints; None where only classical methods do."""
        return next((setting.model for setting in self.settings if setting.model), None)

    @property
    def rows(self) -> int:
        """How many rows it will have."""
        return len(self.pictures) * len(self.settings)


@dataclass(frozen=True)
class Failure:
    """Why an image or a row is missing."""

    problem: Problem
    detail: str


@dataclass(frozen=True, eq=False)
class ImageDone:
    """An image was opened, or could not be."""

    picture: Picture
    outcome: Opened | Failure


@dataclass(frozen=True, eq=False)
class RowDone:
    """A row was made, or could not be."""

    picture: Picture
    setting: Setting
    outcome: Compared | Failure


@dataclass(frozen=True)
class Finished:
    """Nothing more will come. The means are over the rows that were made."""

    summary: tuple[Summary, ...]


Event = ImageDone | RowDone | Finished


def image_names(files: Sequence[UploadedFile]) -> list[str]:
    """A short printable name for each image: the last part of the file's name, a number after one that came before."""
    names: list[str] = []
    for position, file in enumerate(files, 1):
        last = PurePosixPath(file.name.replace("\\", "/")).name
        name = "".join(filter(str.isprintable, last)).strip()[:_MAX_NAME] or f"image-{position}"
        again = (f"{name} ({count})" for count in range(2, len(files) + 2))
        names.append(name if name not in names else next(other for other in again if other not in names))
    return names


def _tiles(tiles: int, sheet: SheetUse) -> int:
    """How many tiles will be drawn: all, or none."""
    if sheet == "needed" and tiles > MOST_TILES:
        raise BadOption(
            f"The contact sheet would have {tiles} tiles, and at most {MOST_TILES} have room; ask for fewer images, "
            "methods or colors, or for JSON."
        )
    return tiles if sheet != "none" and tiles <= MOST_TILES else 0


def _pictures(files: Sequence[UploadedFile], truths: Sequence[int | None]) -> list[Picture]:
    named = zip(image_names(files), files, truths, strict=True)
    return [Picture(name, file.data, truth) for name, file, truth in named]


def _truths(labels: Sequence[str], images: int, classes: tuple[str, ...]) -> list[int | None]:
    """The class of each image. A field for each image is taken as it is, since labels may hold commas."""
    if not labels:
        return [None] * images
    if len(labels) != images:
        labels = [label.strip() for field in labels for label in field.split(",")]
    if len(labels) != images:
        raise BadOption(f"There are {len(labels)} labels for {images} images; give one for each, in their order.")
    return [class_index("labels", label, classes) for label in labels]
