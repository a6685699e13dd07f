"""The log on stderr: lines for people, or one JSON object a line for a collector.

Whatever clients send is escaped in either form, so that nobody can forge a line. No form holds any of an image.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

LogFormat = Literal["text", "json"]

request_id_here: ContextVar[str | None] = ContextVar("request_id_here", default=None)
"""The id of the request that the running code works for; threads and tasks that it starts inherit it."""

_TEXT = "%(asctime)s %(levelname)s %(name)s %(message)s"
_CHATTY = ("python_multipart",)  # writes lines about each upload


@dataclass(frozen=True)
class Event:
    """A log message with values, `name=value` after another as text; strings must be printable and without blanks."""

    message: str
    fields: Mapping[str, str | int | float]

    def __str__(self) -> str:
        return " ".join(f"{name}={value}" for name, value in self.fields.items())


class JsonFormatter(logging.Formatter):
    """A record as one line of JSON: time (UTC), level, logger, message, the request's id, and the fields of an Event.

    Everything but ASCII is escaped, line ends of all kinds too.
    """

    def format(self, record: logging.LogRecord) -> str:
        event = record.msg if isinstance(record.msg, Event) else Event(record.getMessage(), {})
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": event.message,
        }
        request_id = request_id_here.get()
        if request_id:
            line["request_id"] = request_id
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line | dict(event.fields))


def configure(level: str, log_format: LogFormat) -> None:
    """One line for each event, to stderr; warnings of Python are such lines too."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter() if log_format == "json" else logging.Formatter(_TEXT))
    logging.basicConfig(level=level.upper(), handlers=[handler])
    logging.captureWarnings(True)
    for library in _CHATTY:
        logging.getLogger(library).setLevel(logging.CRITICAL)
