"""Events of a benchmark as the models of its JSON responses."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence

from models.codecs import webp
from models.evaluation.compare import Summary
from models.rgb import Pixels
from service.api.model_headers import hash_of
from service.benchmark.events import Event, Failure, Finished, ImageDone, RowDone
from service.benchmark.job import Job
from service.http.problems import problem_of
from service.schemas.benchmark_reports import (
    BenchmarkFailedImage,
    BenchmarkFailedRow,
    BenchmarkImage,
    BenchmarkLine,
    BenchmarkReport,
    BenchmarkRow,
    BenchmarkSummary,
)
from service.schemas.reports import ErrorReport

_TILE_QUALITY = 90  # 1 to 100; the dots of a dither stay visible
_HASH = "model_sha256"


def benchmark_report(job: Job, events: Sequence[Event], *, tiles: bool) -> BenchmarkReport:
    """Return the report of a finished benchmark. tiles: whether it has the tiles, if the job has some."""
    return BenchmarkReport(
        model=job.model,
        model_sha256=hash_of(job.model, job.sha256),
        classifier=job.classifier,
        classifier_sha256=hash_of(job.classifier, job.sha256),
        images=[_image(event, job.sha256, tiles) for event in events if isinstance(event, ImageDone)],
        rows=[_row(event, job.sha256, tiles) for event in events if isinstance(event, RowDone)],
        summary=[_summary(each, job.sha256) for end in events if isinstance(end, Finished) for each in end.summary],
    )


def benchmark_line(job: Job, event: Event) -> BenchmarkLine:
    """Return the line of one event of `job`."""
    match event:
        case ImageDone():
            return BenchmarkLine(image=_image(event, job.sha256, tiles=True))
        case RowDone():
            return BenchmarkLine(row=_row(event, job.sha256, tiles=True))
        case Finished():
            return BenchmarkLine(summary=[_summary(means, job.sha256) for means in event.summary])


def _image(event: ImageDone, sha256: Mapping[str, str], tiles: bool) -> BenchmarkImage | BenchmarkFailedImage:
    picture, opened = event.picture, event.outcome
    if isinstance(opened, Failure):
        return BenchmarkFailedImage(image=picture.name, error=_error(opened))
    classifier = picture.treatment.conditions.classifier
    return BenchmarkImage(
        image=picture.name,
        width=opened.width,
        height=opened.height,
        bytes=len(picture.data),
        classifier=classifier,
        classifier_sha256=sha256[classifier],
        label=opened.prediction.label,
        probability=opened.prediction.probability,
        truth=None if picture.truth is None else picture.treatment.classes[picture.truth],
        right=None if picture.truth is None else opened.prediction.index == picture.truth,
        notes=list(opened.notes),
        tile=_tile(opened.tile) if tiles else None,
    )


def _row(event: RowDone, sha256: Mapping[str, str], tiles: bool) -> BenchmarkRow | BenchmarkFailedRow:
    setting, outcome = event.setting, event.outcome
    if isinstance(outcome, Failure):
        return BenchmarkFailedRow(
            image=event.picture.name, method=setting.method, colors=setting.colors, error=_error(outcome)
        )
    measured = {name: getattr(outcome.row, name) for name in BenchmarkRow.model_fields.keys() - {"tile", _HASH}}
    tile = _tile(outcome.tile) if tiles else None
    return BenchmarkRow(**measured, model_sha256=hash_of(outcome.row.model, sha256), tile=tile)


def _tile(pixels: Pixels) -> str | None:
    """Return a tile, (h, w, 3) uint8, as WebP in base64; None for an empty one, of a benchmark without tiles."""
    return b64encode(webp.encode(pixels, _TILE_QUALITY)).decode("ascii") if pixels.size else None


def _summary(means: Summary, sha256: Mapping[str, str]) -> BenchmarkSummary:
    fields = {name: getattr(means, name) for name in BenchmarkSummary.model_fields.keys() - {_HASH}}
    return BenchmarkSummary(**fields, model_sha256=hash_of(means.model, sha256))


def _error(failure: Failure) -> ErrorReport:
    problem = problem_of(failure.error)
    return ErrorReport(type=problem.type, title=problem.title, status=problem.status, detail=failure.detail)
