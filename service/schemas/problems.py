"""Kinds of problems in error responses (RFC 9457): stable names, HTTP statuses and titles.

`service/http/problems` maps each exception of the service to one of them, and `service/client` each of them back to an
exception.
"""

from __future__ import annotations

from dataclasses import dataclass

MEDIA_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:colorcnn:problem:"
INSTANCE_PREFIX = "urn:colorcnn:request:"


@dataclass(frozen=True)
class Problem:
    """Kind of problem: the last part of its stable `type`, its HTTP status and its title."""

    name: str
    status: int
    title: str

    @property
    def type(self) -> str:
        return TYPE_PREFIX + self.name


BAD_IMAGE = Problem("bad-image", 400, "The upload is not a readable image")
MALFORMED_UPLOAD = Problem("malformed-upload", 400, "The request body is not well-formed multipart/form-data")
BAD_INFERENCE_REQUEST = Problem("bad-inference-request", 400, "The request does not follow the Open Inference Protocol")
UNAUTHORIZED = Problem("unauthorized", 401, "The request needs an API key")
FOREIGN_ORIGIN = Problem("foreign-origin", 403, "Scripts of this origin may not send requests")
UNKNOWN_MODEL = Problem("unknown-model", 404, "There is no such model")
UNKNOWN_METHOD = Problem("unknown-method", 404, "There is no such quantization method")
NOT_ACCEPTABLE = Problem("not-acceptable", 406, "None of the accepted media types is available")
UPLOAD_TIMEOUT = Problem("upload-timeout", 408, "The upload took too long")
TOO_LARGE = Problem("too-large", 413, "The upload has too many bytes or pixels")
UNSUPPORTED_FORMAT = Problem("unsupported-format", 415, "The format of the upload is not supported")
BAD_UPLOAD = Problem("bad-upload", 422, "The form does not hold the expected images")
BAD_OPTION = Problem("bad-option", 422, "An option is unknown, repeated or out of range")
DOES_NOT_FIT = Problem("does-not-fit", 422, "No file of the image has so few bytes")
RATE_LIMITED = Problem("rate-limited", 429, "The client sends too many requests")
QUEUE_FULL = Problem("queue-full", 503, "The queue of the service is full")
OUT_OF_MEMORY = Problem("out-of-memory", 503, "The device has too little memory left")
NOT_READY = Problem("not-ready", 503, "The service is not ready")
NOT_DRAWN = Problem("not-drawn", 503, "The contact sheet or page could not be drawn")
OUT_OF_TIME = Problem("out-of-time", 504, "The work took too long")

NOT_FOUND = Problem("not-found", 404, "There is nothing at this path")
METHOD_NOT_ALLOWED = Problem("method-not-allowed", 405, "The path does not support this method")
MALFORMED_REQUEST = Problem("malformed-request", 400, "The request is not well-formed HTTP")
HEAD_TOO_LARGE = Problem("head-too-large", 431, "The head of the request is too large")
INTERNAL = Problem("internal", 500, "The service failed")

PROBLEMS: tuple[Problem, ...] = tuple(kind for kind in list(globals().values()) if isinstance(kind, Problem))
"""Every kind of problem, those of the exceptions first."""
