"""Error responses: the table from exceptions to problem details (RFC 9457), their rendering, and the handlers."""

from __future__ import annotations

import json
from collections.abc import Mapping

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
    BadInferenceRequest,
    BadUpload,
    DoesNotFit,
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
from service.http.inference_errors import follows_protocol, inference_error
from service.http.problem_page import HEADERS as PAGE_HEADERS
from service.http.problem_page import problem_page, wants_page
from service.schemas import problems as kinds
from service.schemas.media_types import HTML
from service.schemas.problems import INSTANCE_PREFIX, INTERNAL, MEDIA_TYPE, METHOD_NOT_ALLOWED, NOT_FOUND, Problem

# The only table from exceptions to responses.
PROBLEMS: Mapping[type[Exception], Problem] = {
    BadImage: kinds.BAD_IMAGE,
    MalformedUpload: kinds.MALFORMED_UPLOAD,
    BadInferenceRequest: kinds.BAD_INFERENCE_REQUEST,
    Unauthorized: kinds.UNAUTHORIZED,
    UnknownModel: kinds.UNKNOWN_MODEL,
    UnknownMethod: kinds.UNKNOWN_METHOD,
    NotAcceptable: kinds.NOT_ACCEPTABLE,
    UploadTimeout: kinds.UPLOAD_TIMEOUT,
    ImageTooLarge: kinds.TOO_LARGE,
    UnsupportedFormat: kinds.UNSUPPORTED_FORMAT,
    BadUpload: kinds.BAD_UPLOAD,
    BadOption: kinds.BAD_OPTION,
    DoesNotFit: kinds.DOES_NOT_FIT,
    RateLimited: kinds.RATE_LIMITED,
    QueueFull: kinds.QUEUE_FULL,
    OutOfMemory: kinds.OUT_OF_MEMORY,
    NotReady: kinds.NOT_READY,
    NotDrawn: kinds.NOT_DRAWN,
    OutOfTime: kinds.OUT_OF_TIME,
}

_BY_STATUS: Mapping[int, Problem] = {404: NOT_FOUND, 405: METHOD_NOT_ALLOWED, 500: INTERNAL}


def problem_of(error: Exception) -> Problem:
    """Return the problem of the class of `error` or of its nearest base class in PROBLEMS, else INTERNAL."""
    return next((PROBLEMS[kind] for kind in type(error).__mro__ if kind in PROBLEMS), INTERNAL)


def problem_response(
    problem: Problem,
    detail: str,
    request_id: str,
    headers: Mapping[str, str] | None = None,
    request: Request | None = None,
) -> Response:
    """Return an `application/problem+json` response, whose `instance` holds the request id.

    request: where a browser opens a page with it, the response is a page in HTML; where its path belongs to the Open
    Inference Protocol, an error of that protocol.
    """
    if request is not None and follows_protocol(request):
        return inference_error(problem.status, detail, headers or {})
    body = _body(problem, detail, request_id)
    if request is not None and wants_page(request):
        page = problem_page(request, body, request_id)
        return Response(page, problem.status, {**PAGE_HEADERS, **(headers or {})}, HTML)
    return Response(json.dumps(body), problem.status, dict(headers or {}), MEDIA_TYPE)


def problem_body(error: Exception, request_id: str) -> dict[str, str | int]:
    """Return the problem details of an error for a part of a response."""
    return _body(problem_of(error), str(error), request_id)


def _body(problem: Problem, detail: str, request_id: str) -> dict[str, str | int]:
    return {
        "type": problem.type,
        "title": problem.title,
        "status": problem.status,
        "detail": detail,
        "instance": INSTANCE_PREFIX + request_id,
    }


def internal_error(request_id: str, request: Request | None = None) -> Response:
    """Return the response to an unexpected exception; the log describes the exception, the response does not."""
    return problem_response(INTERNAL, f"Please report the request id {request_id}.", request_id, request=request)


def install(app: FastAPI, *, retry_after: int) -> None:
    """Respond to every expected exception of `app`, the project's and the framework's, with problem details.

    retry_after: seconds that a client should wait after a RetryLater without a time of its own.
    """
    app.state.retry_after = retry_after
    app.add_exception_handler(ColorCNNError, _respond_to_domain_error)
    app.add_exception_handler(HTTPException, _respond_to_http_exception)
    app.add_exception_handler(RequestValidationError, _respond_to_validation_error)


def respond(request: Request, problem: Problem, detail: str, headers: Mapping[str, str] | None = None) -> Response:
    """Return problem details, and store the name of the problem in the request for the log and the metrics."""
    request.state.problem = problem.name
    return problem_response(problem, detail, str(request.state.request_id), headers, request)


def error_response(request: Request, error: Exception) -> Response:
    """Return the response to an error of the table; raise any other error, which the outermost middleware logs."""
    problem = problem_of(error)
    if problem is INTERNAL:
        raise error  # such as a corrupt checkpoint
    if isinstance(error, RetryLater):
        return _respond_later(request, problem, error)
    headers = {"WWW-Authenticate": error.challenge} if isinstance(error, Unauthorized) else None
    return respond(request, problem, str(error), headers)


def _respond_later(request: Request, problem: Problem, error: RetryLater) -> Response:
    """Add the time to wait, as the header Retry-After and at the end of the detail."""
    seconds = error.retry_after or request.app.state.retry_after
    detail = f"{error} Try again in {seconds} second{'' if seconds == 1 else 's'}."
    return respond(request, problem, detail, {"Retry-After": str(seconds)})


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
    return respond(request, problem, detail, headers)


def _allowed_methods(request: Request, allow: str) -> list[str]:
    """Return the methods of all routes of the path; the framework's Allow lists the methods of one route only."""
    described = {method.upper() for method in request.app.openapi()["paths"].get(request.scope["path"], ())}
    return sorted({*allow.split(", "), *described, *(("HEAD",) if "GET" in described else ())})


async def _respond_to_validation_error(request: Request, error: Exception) -> Response:
    if not isinstance(error, RequestValidationError):
        raise error
    detail = "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors())
    return respond(request, PROBLEMS[BadOption], detail)
