"""Log on stderr: text lines for people, or one JSON object per line for a collector.

Both forms escape everything that clients send, so that no client can forge a line. Neither form contains image data.
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
"""Id of the request that the running code serves; threads and tasks that the request starts inherit the id."""

_TEXT = "%(asctime)s %(levelname)s %(name)s %(message)s"
_CHATTY = ("python_multipart",)  # writes lines about each upload


@dataclass(frozen=True)
class Event:
    """Log message with values, in text form `name=value name=value`. Strings must be printable, without blanks."""

    message: str
    fields: Mapping[str, str | int | float]

    def __str__(self) -> str:
        return " ".join(f"{name}={value}" for name, value in self.fields.items())


class JsonFormatter(logging.Formatter):
    """Formats a record as one line of JSON: time (UTC), level, logger, message, request id, and fields of an Event.

    Everything but ASCII is escaped, including every kind of line end.
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
    """Log events and Python warnings to stderr, one line each."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter() if log_format == "json" else logging.Formatter(_TEXT))
    logging.basicConfig(level=level.upper(), handlers=[handler])
    logging.captureWarnings(True)
    for library in _CHATTY:
        logging.getLogger(library).setLevel(logging.CRITICAL)
