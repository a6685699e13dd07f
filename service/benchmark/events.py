"""Events of a running benchmark, in order: each image, its rows, and at the end the summary."""

from __future__ import annotations

from dataclasses import dataclass

from models.evaluation.compare import Setting, Summary
from service.benchmark.job import Picture
from service.benchmark.worker import Compared, Opened


@dataclass(frozen=True)
class Failure:
    """Reason why an image or a row is missing.

    error: its class names the kind of problem. detail: for the client.
    """

    error: Exception
    detail: str


@dataclass(frozen=True, eq=False)
class ImageDone:
    """An image was opened, or could not be."""

    picture: Picture
    outcome: Opened | Failure


@dataclass(frozen=True, eq=False)
class RowDone:
    """A row was measured, or could not be."""

    picture: Picture
    setting: Setting
    outcome: Compared | Failure


@dataclass(frozen=True)
class Finished:
    """The benchmark has ended. summary: means over the measured rows, one for each setting."""

    summary: tuple[Summary, ...]


Event = ImageDone | RowDone | Finished
