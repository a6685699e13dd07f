"""Exceptions of the client: one class for each kind of problem of the service, and three for other failures."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar

import httpx

from service.schemas import problems
from service.schemas.problems import INSTANCE_PREFIX, MEDIA_TYPE, Problem

_NO_TYPE = "about:blank"  # RFC 9457: a problem that its status alone describes
_REQUEST_ID = "X-Request-ID"
_SHOWN = 200  # characters of a body that is no problem


class ColorCNNServiceError(Exception):
    """Base of all exceptions of the client.

    type: stable name of the kind of problem, a URN; "about:blank" where the service sent none.
    title: kind of problem in words.
    status: HTTP status; None where no response arrived.
    detail: cause of the error in this request, and advice.
    request_id: id of the request in the log of the service; empty where no response arrived.
    """

    problem: ClassVar[Problem | None] = None

    def __init__(
        self, detail: str, *, type: str = _NO_TYPE, title: str = "", status: int | None = None, request_id: str = ""
    ) -> None:
        super().__init__(detail)
        known = self.problem
        self.detail = detail
        self.type = known.type if known else type
        self.title = known.title if known and not title else title
        self.status = known.status if known and status is None else status
        self.request_id = request_id

    def __str__(self) -> str:
        return self.detail


class RetryLater(ColorCNNServiceError):
    """The service cannot accept the request now, and the deadline of the call left no time for another attempt."""


class BadImage(ColorCNNServiceError):
    """The upload is not a readable image."""

    problem = problems.BAD_IMAGE


class MalformedUpload(ColorCNNServiceError):
    """The request body is not well-formed multipart/form-data."""

    problem = problems.MALFORMED_UPLOAD


class BadInferenceRequest(ColorCNNServiceError):
    """The request does not follow the Open Inference Protocol, whose endpoints this client does not call."""

    problem = problems.BAD_INFERENCE_REQUEST


class Unauthorized(ColorCNNServiceError):
    """The service needs an API key, or does not accept this one."""

    problem = problems.UNAUTHORIZED


class ForeignOrigin(ColorCNNServiceError):
    """Scripts of this origin may not send requests; only the preflight of a browser gets this."""

    problem = problems.FOREIGN_ORIGIN


class UnknownModel(ColorCNNServiceError):
    """There is no such model."""

    problem = problems.UNKNOWN_MODEL


class UnknownMethod(ColorCNNServiceError):
    """There is no such quantization method."""

    problem = problems.UNKNOWN_METHOD


class NotAcceptable(ColorCNNServiceError):
    """None of the accepted media types is available."""

    problem = problems.NOT_ACCEPTABLE


class UploadTimeout(ColorCNNServiceError):
    """The upload took too long."""

    problem = problems.UPLOAD_TIMEOUT


class TooLarge(ColorCNNServiceError):
    """The upload has too many bytes or pixels."""

    problem = problems.TOO_LARGE


class UnsupportedFormat(ColorCNNServiceError):
    """The format of the upload is not supported."""

    problem = problems.UNSUPPORTED_FORMAT


class BadUpload(ColorCNNServiceError):
    """The form does not hold the expected images."""

    problem = problems.BAD_UPLOAD


class BadOption(ColorCNNServiceError):
    """An option is unknown, repeated or out of range; the client finds most of them before it sends anything."""

    problem = problems.BAD_OPTION


class DoesNotFit(ColorCNNServiceError):
    """No file of the image has as few bytes as `max_bytes` asks for."""

    problem = problems.DOES_NOT_FIT


class RateLimited(RetryLater):
    """The client sends too many requests."""

    problem = problems.RATE_LIMITED


class QueueFull(RetryLater):
    """The queue of the service is full."""

    problem = problems.QUEUE_FULL


class OutOfMemory(RetryLater):
    """The device has too little memory left."""

    problem = problems.OUT_OF_MEMORY


class NotReady(RetryLater):
    """The service is not ready."""

    problem = problems.NOT_READY


class NotDrawn(RetryLater):
    """The contact sheet or page could not be drawn."""

    problem = problems.NOT_DRAWN


class OutOfTime(ColorCNNServiceError):
    """The work took too long."""

    problem = problems.OUT_OF_TIME


class NotFound(ColorCNNServiceError):
    """There is nothing at this path; the base URL may be wrong."""

    problem = problems.NOT_FOUND


class MethodNotAllowed(ColorCNNServiceError):
    """The path does not support this method."""

    problem = problems.METHOD_NOT_ALLOWED


class MalformedRequest(ColorCNNServiceError):
    """The request is not well-formed HTTP."""

    problem = problems.MALFORMED_REQUEST


class HeadTooLarge(ColorCNNServiceError):
    """The head of the request is too large."""

    problem = problems.HEAD_TOO_LARGE


class InternalError(ColorCNNServiceError):
    """The service failed; please report the request id."""

    problem = problems.INTERNAL


class Unreachable(ColorCNNServiceError):
    """No response arrived: nothing listens at the address, or the connection broke."""


class DeadlinePassed(ColorCNNServiceError):
    """No response arrived within the timeout of the call."""


class UnexpectedResponse(ColorCNNServiceError):
    """The response is none of this service, such as the error page of a proxy."""


def _subclasses(kind: type[ColorCNNServiceError]) -> list[type[ColorCNNServiceError]]:
    return [found for each in kind.__subclasses__() for found in (each, *_subclasses(each))]


BY_TYPE: Mapping[str, type[ColorCNNServiceError]] = MappingProxyType(
    {each.problem.type: each for each in _subclasses(ColorCNNServiceError) if each.problem}
)
"""Class of each kind of problem, by its `type`."""


def error_of_problem(problem: Mapping[str, Any]) -> ColorCNNServiceError:
    """Return the exception of problem details (RFC 9457); a problem of an unknown type gets the base class."""
    kind = str(problem.get("type", _NO_TYPE))
    instance = str(problem.get("instance", ""))
    return BY_TYPE.get(kind, ColorCNNServiceError)(
        str(problem.get("detail") or problem.get("title") or kind),
        type=kind,
        title=str(problem.get("title", "")),
        status=problem.get("status"),
        request_id=instance.removeprefix(INSTANCE_PREFIX) if instance.startswith(INSTANCE_PREFIX) else "",
    )


def error_of_response(response: httpx.Response) -> ColorCNNServiceError:
    """Return the exception of a response that is no success and has been read."""
    media_type = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    try:
        body = response.json() if media_type == MEDIA_TYPE else None
    except ValueError:
        body = None
    if isinstance(body, dict):
        error = error_of_problem(body)
    else:
        text = " ".join(response.text.split())[:_SHOWN]
        error = UnexpectedResponse(
            f"{response.request.method} {response.request.url} returned {response.status_code} "
            f"{response.reason_phrase} without problem details; is this address that of the service? {text}".rstrip(),
            title=response.reason_phrase,
        )
    error.status = response.status_code
    error.request_id = response.headers.get(_REQUEST_ID, error.request_id)
    return error
