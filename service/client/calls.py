"""Calls of the service without input and output: what is sent, what is read, and when to try again.

`service/client/client` sends them, blocking or with await.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Generic, TypeVar

import httpx
from pydantic import BaseModel, ValidationError

from service.client.errors import (
    ColorCNNServiceError,
    DeadlinePassed,
    UnexpectedResponse,
    Unreachable,
    error_of_problem,
    error_of_response,
)
from service.client.keywords import Pairs
from service.client.results import Classified, Compressed, ImageFile, Quantized, Skipped, skipped
from service.schemas.media_types import JSON
from service.schemas.model_reports import ModelsReport
from service.schemas.reports import ClassifyReport, CompressReport, QuantizeReport
from service.schemas.upload import UploadedFile

Result = TypeVar("Result")
Model = TypeVar("Model", bound=BaseModel)

Many = list[Quantized | ColorCNNServiceError]
"""Results of several images in their order; the exception of an image that failed stands in its place."""

_RETRIED = (429, 503)
_FIRST_WAIT, _LONGEST_WAIT = 0.25, 2.0  # seconds, doubled after each attempt that names no time
_CONNECTIONS = 4  # attempts to connect; a service that is being restarted is back by then


@dataclass(frozen=True)
class Call(Generic[Result]):
    """A request to the service, and the function that reads its successful response."""

    path: str
    accept: str
    read: Callable[[httpx.Response], Result]
    files: tuple[UploadedFile, ...] = ()
    options: Pairs = ()

    def request(self, http: httpx.Client | httpx.AsyncClient, timeout: float) -> httpx.Request:
        """Return the request, whose connection, writing and reading may each take `timeout` seconds."""
        headers = {"Accept": self.accept}
        if not self.files:
            return http.build_request("GET", self.path, headers=headers, timeout=timeout)
        fields: dict[str, list[str]] = {}
        for name, value in self.options:
            fields.setdefault(name, []).append(value)
        files = [("file", (file.name, file.data, "application/octet-stream")) for file in self.files]
        return http.build_request("POST", self.path, headers=headers, data=fields, files=files, timeout=timeout)


class Attempts:
    """Attempts of one call within `timeout` seconds, and the waits between them.

    clock: returns seconds that never go back.
    """

    def __init__(self, timeout: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._timeout = timeout
        self._clock = clock
        self._end = clock() + timeout
        self._wait = _FIRST_WAIT
        self._connections = 0

    def remaining(self) -> float:
        """Return the seconds until the deadline, above 0. Raises DeadlinePassed after it."""
        seconds = self._end - self._clock()
        if seconds <= 0:
            raise self._passed()
        return seconds

    def wait_after(self, response: httpx.Response) -> float | None:
        """Return the seconds after which the call is sent again; None for a final response."""
        if response.status_code not in _RETRIED:
            return None
        asked = _retry_after(response.headers.get("Retry-After", ""))
        wait = self._next_wait() if asked is None else asked
        return wait if wait < self._end - self._clock() else None

    def wait_after_error(self, error: httpx.RequestError) -> float:
        """Return the seconds after which the call is sent again, because nothing of it was received.

        Raises Unreachable or DeadlinePassed for an error that is final.
        """
        self._connections += 1
        connecting = isinstance(error, httpx.ConnectError | httpx.ConnectTimeout)
        wait = self._next_wait()
        if connecting and self._connections < _CONNECTIONS and wait < self._end - self._clock():
            return wait
        raise self.broken(error) from error

    def broken(self, error: httpx.RequestError) -> ColorCNNServiceError:
        """Return the exception of an error that is final."""
        connecting = isinstance(error, httpx.ConnectError | httpx.ConnectTimeout)
        if isinstance(error, httpx.TimeoutException) and not connecting:
            return self._passed()
        reason = "nothing answers there" if connecting else "the connection broke"
        text = f" ({error})" if str(error) else ""
        return Unreachable(f"{error.request.url.copy_with(path='/')} cannot be reached: {reason}{text}.")

    def _next_wait(self) -> float:
        wait, self._wait = self._wait, min(2 * self._wait, _LONGEST_WAIT)
        return wait

    def _passed(self) -> DeadlinePassed:
        return DeadlinePassed(f"No response within {self._timeout:g} seconds; give the client a longer timeout.")


def _retry_after(text: str) -> float | None:
    """Return the seconds of a Retry-After header, a number or a date; None where it is neither."""
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        date = parsedate_to_datetime(text)
    except ValueError:
        return None
    return max(0.0, (date - datetime.now(UTC)).total_seconds()) if date.tzinfo else None


def check(response: httpx.Response) -> None:
    """Raise the exception of a response that is no success and has been read."""
    if not response.is_success:
        raise error_of_response(response)


def parse(response: httpx.Response, model: type[Model]) -> Model:
    """Return the JSON of a response. Keys that this version of the client does not know are left out."""
    try:
        return model.model_validate_json(response.content, extra="ignore")
    except ValidationError as error:
        raise _unexpected(response, error) from error


def quantized(response: httpx.Response) -> Quantized | Skipped:
    """Read the JSON of /quantize."""
    if response.status_code == httpx.codes.NO_CONTENT:
        return skipped(response.headers)
    return Quantized(parse(response, QuantizeReport), *_served(response))


def quantized_many(response: httpx.Response) -> Many:
    """Read the JSON of /quantize with several files."""
    body = _json(response)
    if "images" not in body:  # one file was sent
        return [Quantized(parse(response, QuantizeReport), *_served(response))]
    return [_one_of_many(each, response) for each in body["images"]]


def image_file(response: httpx.Response) -> ImageFile | Skipped:
    """Read a response that is a file."""
    if response.status_code == httpx.codes.NO_CONTENT:
        return skipped(response.headers)
    media_type = response.headers.get("Content-Type", "").partition(";")[0].strip()
    return ImageFile(response.content, media_type, dict(response.headers))


def only_file(response: httpx.Response) -> ImageFile:
    """Read a response that is a file, of an endpoint that leaves none out."""
    file = image_file(response)
    if isinstance(file, Skipped):
        raise _unexpected(response, "there is no content")
    return file


def compressed(response: httpx.Response) -> Compressed:
    """Read the JSON of /compress."""
    return Compressed(parse(response, CompressReport), *_served(response))


def classified(response: httpx.Response) -> Classified:
    """Read the JSON of /classify."""
    return Classified(parse(response, ClassifyReport), *_served(response))


def text(response: httpx.Response) -> str:
    """Read a response that is text."""
    return response.text


MODELS: Call[ModelsReport] = Call("/models", JSON, lambda response: parse(response, ModelsReport))
"""The call of GET /models."""


def _one_of_many(item: Mapping[str, Any], response: httpx.Response) -> Quantized | ColorCNNServiceError:
    if item.get("error"):
        error = error_of_problem(item["error"])
        error.request_id = error.request_id or _request_id(response)
        return error
    try:
        return Quantized(QuantizeReport.model_validate(item["report"], extra="ignore"), *_served(response))
    except (KeyError, ValidationError) as error:
        raise _unexpected(response, error) from error


def _json(response: httpx.Response) -> dict[str, Any]:
    try:
        body = response.json()
    except ValueError as error:
        raise _unexpected(response, error) from error
    return body if isinstance(body, dict) else {}


def _unexpected(response: httpx.Response, reason: object) -> UnexpectedResponse:
    return UnexpectedResponse(
        f"{response.request.url} returned {response.status_code} with a body that this client cannot read: {reason}",
        status=response.status_code,
        request_id=_request_id(response),
    )


def _served(response: httpx.Response) -> tuple[str, str]:
    """Return the id of the request, and the digest of the models that served it."""
    return _request_id(response), str(response.headers.get("X-Models-Digest", ""))


def _request_id(response: httpx.Response) -> str:
    return str(response.headers.get("X-Request-ID", ""))
