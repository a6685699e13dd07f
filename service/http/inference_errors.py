"""Errors as the Open Inference Protocol defines them: the paths that have them, their statuses and their body."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response

from service.schemas.inference_protocol import PREFIX, InferenceError
from service.schemas.media_types import JSON

_UNPROCESSABLE = 422  # the protocol knows it as 400
_BAD_REQUEST = 400


def follows_protocol(request: Request) -> bool:
    """Return whether the path of a request belongs to the protocol."""
    path = str(request.scope["path"])
    return path == PREFIX or path.startswith(f"{PREFIX}/")


def status_of(status: int) -> int:
    """Return the status that the protocol has for the status of a problem."""
    return _BAD_REQUEST if status == _UNPROCESSABLE else status


def inference_error(status: int, detail: str, headers: Mapping[str, str]) -> Response:
    """Return an error response of the protocol. status: of a problem."""
    return Response(InferenceError(error=detail).model_dump_json(), status_of(status), dict(headers), JSON)
