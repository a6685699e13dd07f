"""A benchmark: images x methods x colours, row by row in a process of its own, one benchmark at a time."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import PurePosixPath
from typing import Literal, TypeVar, TypeVarTuple
from uuid import uuid4

import anyio
from anyio import BrokenWorkerProcess

from models.errors import BadOption
from models.evaluation.compare import Row, Setting, Summary, summarize
from models.palette_image import MAX_COLORS
from models.prediction import Prediction
from models.quantizers.learned.colorcnn import LEARNED_METHODS
from models.report.contact_sheet import MOST_TILES
from service.benchmark.worker import (
    Compared,
    Conditions,
    ImageGone,
    Loader,
    Opened,
    close_image,
    compare_row,
    open_image,
)
from service.http.problems import INTERNAL, NotDrawn, NotReady, OutOfTime, Problem, QueueFull, problem_of
from service.http.uploads import Upload, UploadedFile
from service.inference.engine import LEARNED_METHOD, Choice, Engine
from service.inference.pipeline import class_index
from service.runtime.timing import Stopwatch
from service.runtime.worker_process import Run
from service.schemas.options import BenchmarkOptions
from service.settings import Settings

Result = TypeVar("Result")
Arguments = TypeVarTuple("Arguments")

SheetUse = Literal["none", "if it fits", "needed"]
"""What a benchmark needs a contact sheet for."""

_MAX_NAME = 100  # characters
_DRAWING_TIME = 120.0  # seconds; the largest sheet takes a few on a free core, but this process is nice to the others
_DRAWING_ATTEMPTS = 2

log = logging.getLogger("colorcnn.benchmark")


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


class Place:
    """One of the places in the queue."""

    def __init__(self, inside: set[Place]) -> None:
        self._inside = inside
        inside.add(self)

    def leave(self) -> None:
        """Make room for another; again does nothing."""
        self._inside.discard(self)


class Benchmarks:
    """Admits benchmarks, and runs them one after the other in the worker process.

    Args:
        loader: what the worker process loads its quantizers and classifiers with.
        work: runs a function in the worker process.
    """

    def __init__(self, engine: Engine, settings: Settings, loader: Loader, work: Run) -> None:
        self.work = work
        self._engine = engine
        self._settings = settings
        self._loader = loader
        self._inside: set[Place] = set()
        self._turn = anyio.Lock()
        self._working: anyio.CancelScope | None = None
        self._stopped = False

    @property
    def inside(self) -> int:
        """How many benchmarks are admitted."""
        return len(self._inside)

    @property
    def waiting(self) -> int:
        """How many of them wait for their turn."""
        return self._turn.statistics().tasks_waiting

    @contextmanager
    def admit(self) -> Iterator[Place]:
        """Be inside for the length of the block, or until the place is left. Raises QueueFull when there is no room."""
        if len(self._inside) >= self._settings.benchmark_queue_size:
            raise QueueFull(
                f"{len(self._inside)} benchmarks are inside already; try again later.",
                retry_after=self._settings.retry_after,
            )
        place = Place(self._inside)
        try:
            yield place
        finally:
            place.leave()

    def plan(self, upload: Upload, options: BenchmarkOptions, *, sheet: SheetUse, request_id: str) -> Job:
        """Check names and labels, and whether a contact sheet that is needed has room for all tiles.

        Raises UnknownMethod, UnknownModel or BadOption.
        """
        judged = self._engine.choose(LEARNED_METHOD, options.model, MAX_COLORS)
        settings = [self._setting(method, judged, k) for method in options.methods for k in options.colors]
        classes = self._engine.classifier(judged.classifier).classes
        pictures = _pictures(upload.files, _truths(options.labels, len(upload.files), classes))
        conditions = Conditions(
            loader=self._loader,
            classifier=judged.classifier,
            max_pixels=self._settings.benchmark_max_pixels,
            background=options.background_rgb(),
            tiles=_tiles(len(pictures) * (len(settings) + len(options.methods)), sheet),
            cam=options.cam,
        )
        return Job(tuple(pictures), tuple(settings), conditions, classes, request_id)

    def _setting(self, method: str, judged: Choice, colors: int) -> Setting:
        model = judged.model if method in LEARNED_METHODS else None
        return Setting(method, self._engine.choose(method, model, colors, judged.classifier).model, colors)

    @asynccontextmanager
    async def turn(self, watch: Stopwatch) -> AsyncIterator[None]:
        """Wait until no other benchmark works, then keep the others waiting for the length of the block."""
        with watch.measure("queue"):
            await self._turn.acquire()
        try:
            yield
        finally:
            self._turn.release()

    async def run(self, job: Job, emit: Callable[[Event], None], watch: Stopwatch) -> None:
        """In a turn: hand each result to `emit` as soon as it is there. Being cancelled ends the work.

        No image and no row raises: what goes wrong with it is its outcome.
        """
        deadline = anyio.current_time() + self._settings.benchmark_timeout
        rows: list[Row] = []
        for picture in job.pictures:
            with watch.measure("decode"):
                opened = await self._attempt(job, deadline, partial(self._open, job, picture))
            emit(ImageDone(picture, opened))
            for setting in job.settings:
                with watch.measure("model"):
                    outcome = await self._outcome(job, deadline, picture, opened, setting)
                emit(RowDone(picture, setting, outcome))
                rows += [outcome.row] if isinstance(outcome, Compared) else []
        await self._attempt(job, deadline, partial(self.work, close_image))
        emit(Finished(tuple(summarize(rows))))

    async def draw(self, job: Job, function: Callable[[*Arguments], Result], *args: *Arguments) -> Result:
        """In a turn: run what draws, and once more in a fresh process if the one that does it is killed.

        Raises NotDrawn when that does not help either, when it takes too long, or when the service shuts down.
        """
        with anyio.move_on_after(_DRAWING_TIME) as self._working:
            for _ in range(0 if self._stopped else _DRAWING_ATTEMPTS):
                try:
                    return await self.work(function, *args)
                except BrokenWorkerProcess:
                    log.warning("the process that draws was killed request_id=%s", job.request_id)
        raise NotDrawn(
            "The rows were made, but not the picture of them; try again, or ask for JSON.",
            retry_after=self._settings.retry_after,
        )

    def stop(self) -> None:
        """End all benchmarks soon: the rows that they do not have yet say that the service is shutting down."""
        self._stopped = True
        if self._working:
            self._working.cancel()

    async def _open(self, job: Job, picture: Picture) -> Opened:
        return await self.work(open_image, job.conditions, picture.token, picture.data)

    async def _outcome(
        self, job: Job, deadline: float, picture: Picture, opened: Opened | Failure, setting: Setting
    ) -> Compared | Failure:
        if isinstance(opened, Failure):
            return opened
        return await self._attempt(job, deadline, partial(self._compare, job, picture, opened.seen, setting))

    async def _compare(self, job: Job, picture: Picture, seen: Prediction, setting: Setting) -> Compared:
        details = (picture.token, picture.name, picture.truth, seen, setting)
        try:
            return await self.work(compare_row, job.conditions, *details)
        except ImageGone:  # the process that had it open was killed since
            await self._open(job, picture)
            return await self.work(compare_row, job.conditions, *details)

    async def _attempt(self, job: Job, deadline: float, attempt: Callable[[], Awaitable[Result]]) -> Result | Failure:
        try:
            with anyio.move_on_after(max(0.0, deadline - anyio.current_time())) as self._working:
                await anyio.lowlevel.checkpoint()  # without time, the worker process is not even asked
                if not self._stopped:
                    return await attempt()
        except Exception as error:  # whatever it is, the other rows go on
            return self._failure(job, error)
        return self._failure(job, self._ended())

    def _ended(self) -> NotReady | OutOfTime:
        if self._stopped:
            return NotReady("The service is shutting down; try again.", retry_after=self._settings.retry_after)
        seconds = self._settings.benchmark_timeout
        return OutOfTime(f"The benchmark had {seconds:g} seconds; ask for fewer images, methods or colours.")

    def _failure(self, job: Job, error: Exception) -> Failure:
        problem = problem_of(error)
        if problem is not INTERNAL:
            return Failure(problem, str(error))
        # A bug, or the process was killed: for its memory, perhaps.
        log.error("a part of a benchmark failed request_id=%s", job.request_id, exc_info=error)
        return Failure(INTERNAL, f"Other rows are not concerned. Please report the request id {job.request_id}.")


def image_names(files: Sequence[UploadedFile]) -> list[str]:
    """A short printable name for each image: the last part of the file's name, a number after one that came before."""
    names: list[str] = []
    for place, file in enumerate(files, 1):
        last = PurePosixPath(file.name.replace("\\", "/")).name
        name = "".join(filter(str.isprintable, last)).strip()[:_MAX_NAME] or f"image-{place}"
        again = (f"{name} ({count})" for count in range(2, len(files) + 2))
        names.append(name if name not in names else next(other for other in again if other not in names))
    return names


def _tiles(tiles: int, sheet: SheetUse) -> int:
    """How many tiles will be drawn: all, or none."""
    if sheet == "needed" and tiles > MOST_TILES:
        raise BadOption(
            f"The contact sheet would have {tiles} tiles, and at most {MOST_TILES} have room; ask for fewer images, "
            "methods or colours, or for JSON."
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
