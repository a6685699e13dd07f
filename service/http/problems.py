"""Error responses: the table from exceptions to problem details (RFC 9457), their rendering, and the handlers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from models.errors import (
    BadImage,
    BadOption,
    ColorCNNError,
    ImageTooLarge,
    UnknownMethod,
    UnknownModel,
    UnsupportedFormat,
)
from service.errors import (
    BadUpload,
    MalformedUpload,
    NotAcceptable,
    NotDrawn,
    NotReady,
    OutOfMemory,
    OutOfTime,
    QueueFull,
    RateLimited,
    RetryLater,
    Unauthorized,
    UploadTimeout,
)

MEDIA_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:colorcnn:problem:"


@dataclass(frozen=True)
class Problem:
    """Kind of problem: the last part of its stable `type`, its HTTP status and its title."""

    name: str
    status: int
    title: str

    @property
    def type(self) -> str:
        return TYPE_PREFIX + self.name


# The only table from exceptions to responses.
PROBLEMS: Mapping[type[Exception], Problem] = {
    BadImage: Problem("bad-image", 400, "The upload is not a readable image"),
    MalformedUpload: Problem("malformed-upload", 400, "The request body is not well-formed multipart/form-data"),
    Unauthorized: Problem("unauthorized", 401, "The request needs an API key"),
    UnknownModel: Problem("unknown-model", 404, "There is no such model"),
    UnknownMethod: Problem("unknown-method", 404, "There is no such quantization method"),
    NotAcceptable: Problem("not-acceptable", 406, "None of the accepted media types is available"),
    UploadTimeout: Problem("upload-timeout", 408, "The upload took too long"),
    ImageTooLarge: Problem("too-large", 413, "The upload has too many bytes or pixels"),
    UnsupportedFormat: Problem("unsupported-format", 415, "The format of the upload is not supported"),
    BadUpload: Problem("bad-upload", 422, "The form does not hold the expected images"),
    BadOption: Problem("bad-option", 422, "An option is unknown, repeated or out of range"),
    RateLimited: Problem("rate-limited", 429, "The client sends too many requests"),
    QueueFull: Problem("queue-full", 503, "The queue of the service is full"),
    OutOfMemory: Problem("out-of-memory", 503, "The device has too little memory left"),
    NotReady: Problem("not-ready", 503, "The service is not ready"),
    NotDrawn: Problem("not-drawn", 503, "The contact sheet or page could not be drawn"),
    OutOfTime: Problem("out-of-time", 504, "The work took too long"),
}

NOT_FOUND = Problem("not-found", 404, "There is nothing at this path")
METHOD_NOT_ALLOWED = Problem("method-not-allowed", 405, "The path does not support this method")
MALFORMED_REQUEST = Problem("malformed-request", 400, "The request is not well-formed HTTP")
HEAD_TOO_LARGE = Problem("head-too-large", 431, "The head of the request is too large")
INTERNAL = Problem("internal", 500, "The service failed")

_BY_STATUS: Mapping[int, Problem] = {404: NOT_FOUND, 405: METHOD_NOT_ALLOWED, 500: INTERNAL}


def problem_of(error: Exception) -> Problem:
    """Return the problem of the class of `error` or of its nearest base class in PROBLEMS, else INTERNAL."""
    return next((PROBLEMS[kind] for kind in type(error).__mro__ if kind in PROBLEMS), INTERNAL)


def problem_response(
    problem: Problem, detail: str, request_id: str, headers: Mapping[str, str] | None = None
) -> Response:
    """Return an `application/problem+json` response, whose `instance` holds the request id."""
    body = {
        "type": problem.type,
        "title": problem.title,
        "status": problem.status,
        "detail": detail,
        "instance": f"urn:colorcnn:request:{request_id}",
    }
    return Response(json.dumps(body), problem.status, dict(headers or {}), MEDIA_TYPE)


def internal_error(request_id: str) -> Response:
    """Return the response to an unexpected exception; the log describes the exception, the response does not."""
    return problem_response(INTERNAL, f"Please report the request id {request_id}.", request_id)


def install(app: FastAPI, *, retry_after: int) -> None:
    """Respond to every expected exception of `app`, the project's and the framework's, with problem details.

    retry_after: seconds that a client should wait after a RetryLater without a time of its own.
    """
    app.state.retry_after = retry_after
    app.add_exception_handler(ColorCNNError, _respond_to_domain_error)
    app.add_exception_handler(HTTPException, _respond_to_http_exception)
    app.add_exception_handler(RequestValidationError, _respond_to_validation_error)


def _respond(request: Request, problem: Problem, detail: str, headers: Mapping[str, str] | None = None) -> Response:
    """Return problem details, and store the name of the problem in the request for the log and the metrics."""
    request.state.problem = problem.name
    return problem_response(problem, detail, str(request.state.request_id), headers)


def error_response(request: Request, error: Exception) -> Response:
    """Return the response to an error of the table; raise any other error, which the outermost middleware logs."""
    problem = problem_of(error)
    if problem is INTERNAL:
        raise error  # such as a corrupt checkpoint
    if isinstance(error, RetryLater):
        return _respond_later(request, problem, error)
    headers = {"WWW-Authenticate": error.challenge} if isinstance(error, Unauthorized) else None
    return _respond(request, problem, str(error), headers)


def _respond_later(request: Request, problem: Problem, error: RetryLater) -> Response:
    """Add the time to wait, as the header Retry-After and at the end of the detail."""
    seconds = error.retry_after or request.app.state.retry_after
    detail = f"{error} Try again in {seconds} second{'' if seconds == 1 else 's'}."
    return _respond(request, problem, detail, {"Retry-After": str(seconds)})


async def _respond_to_domain_error(request: Request, error: Exception) -> Response:
    return error_response(request, error)


async def _respond_to_http_exception(request: Request, error: Exception) -> Response:
    """Keep the framework's headers (a 405 must have Allow), and name the allowed methods in the detail."""
    if not isinstance(error, HTTPException):
        raise error
    problem = _BY_STATUS.get(error.status_code) or Problem(f"http-{error.status_code}", error.status_code, error.detail)
    headers = dict(error.headers or {})
    if "Allow" in headers:
        headers["Allow"] = ", ".join(_allowed_methods(request, headers["Allow"]))
    advice = f"Use {headers['Allow'].replace(', ', ' or ')}. " if "Allow" in headers else ""
    reason = f"{error.detail}: {request.method} {request.scope['path']!r:.200}."
    detail = f"{reason} {advice}The API is documented at /docs."
    return _respond(request, problem, detail, headers)


def _allowed_methods(request: Request, allow: str) -> list[str]:
    """Return the methods of all routes of the path; the framework's Allow lists the methods of one route only."""
    described = {method.upper() for method in request.app.openapi()["paths"].get(request.scope["path"], ())}
    return sorted({*allow.split(", "), *described, *(("HEAD",) if "GET" in described else ())})


async def _respond_to_validation_error(request: Request, error: Exception) -> Response:
    if not isinstance(error, RequestValidationError):
        raise error
    detail = "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors())
    return _respond(request, PROBLEMS[BadOption], detail)
