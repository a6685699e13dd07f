"""What became of one image, as a line for people and as a JSON object, and the exit status of a run."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType
from typing import Any

from service.client.errors import ColorCNNServiceError

DOES_NOT_FIT = "urn:colorcnn:problem:does-not-fit"


class Status(Enum):
    """Result of one image; the value stands in the JSON object."""

    DONE = "done"
    LARGER = "larger"
    SHORT = "short"
    FAILED = "failed"


EXIT_STATUS: Mapping[Status, int] = MappingProxyType(
    {Status.FAILED: 1, Status.SHORT: 99, Status.LARGER: 98, Status.DONE: 0}
)
"""Exit status of each result, the worst first. 98 and 99 are those of pngquant."""


@dataclass(frozen=True)
class Outcome:
    """What became of one image.

    source: path as it was given or found, or "-". text: the line for people, without the names of the files.
    output: path of the file that was written, "-" for stdout; None where none was. facts: more keys of the JSON object.
    """

    source: str
    status: Status
    text: str
    output: str | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)

    def line(self) -> str:
        """Return one line for people."""
        arrow = f" -> {self.output}" if self.output not in (None, "-") else ""
        return f"{printable(self.source)}{printable(arrow)}: {' '.join(self.text.split())}"

    def json(self) -> str:
        """Return one line of JSON."""
        keys = {"file": self.source, "status": self.status.value, "output": self.output, **self.facts}
        return json.dumps(keys)  # in ASCII, which every terminal and file name survives


def failed(source: str, error: Exception) -> Outcome:
    """Return the outcome of an image whose work raised `error`."""
    if isinstance(error, ColorCNNServiceError):
        status = Status.SHORT if error.type == DOES_NOT_FIT else Status.FAILED
        problem = {
            "type": error.type,
            "title": error.title,
            "status": error.status,
            "detail": error.detail,
            "request_id": error.request_id,
        }
        return Outcome(source, status, error.detail, facts={"error": problem})
    text = reason(error).removesuffix(f": {source}")
    return Outcome(source, Status.FAILED, text, facts={"error": {"detail": text}})


def exit_status(statuses: Iterable[Status]) -> int:
    """Return the exit status of a run: that of the worst result."""
    found = set(statuses)
    return next((code for status, code in EXIT_STATUS.items() if status in found), 0)


def saving(before: int, after: int) -> str:
    """Return the sizes of a file before and after, and the difference in percent."""
    change = f" ({100 * (after - before) / before:+.0f} %)" if before else ""
    return f"{before:,} -> {after:,} bytes{change}"


def reason(error: Exception) -> str:
    """Return an error in words: for one of the system, its reason and its file."""
    match error:
        case ColorCNNServiceError():
            return error.detail
        case OSError(filename=None):
            return error.strerror or str(error)
        case OSError():
            return f"{error.strerror}: {error.filename}"
        case _:
            return f"{type(error).__name__}: {error}"


def printable(text: str) -> str:
    """Return a name with every control character escaped, so that a file name forges no line."""
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)
