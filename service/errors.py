"""Exceptions of the service. `service/http/problems.py` maps each to a response."""

from models.errors import ColorCNNError


class MalformedUpload(ColorCNNError):
    """The request body is not the multipart form that its Content-Type announces."""


class BadUpload(ColorCNNError):
    """The form is well formed, but its field `file` holds no image or too many images."""


class BadInferenceRequest(ColorCNNError):
    """The request does not follow the Open Inference Protocol, or names no tensor of the model."""


class NotAcceptable(ColorCNNError):
    """The Accept header rules out every media type of the endpoint."""


class UploadTimeout(ColorCNNError):
    """The client took too long to send its request body."""


class DoesNotFit(ColorCNNError):
    """No file reaches the goal in bytes that the request states."""


class OutOfTime(ColorCNNError):
    """A request took too long, or a benchmark ended before it measured this row."""


class Unauthorized(ColorCNNError):
    """The request carries no API key, or one that is not accepted.

    error: code of RFC 6750, section 3.1; None without a key.
    """

    def __init__(self, detail: str, *, error: str | None = None) -> None:
        super().__init__(detail)
        self.challenge = "Bearer" + (f' error="{error}"' if error else "")


class RetryLater(ColorCNNError):
    """The service cannot accept the request now.

    retry_after: seconds that the client should wait; None for the time in the settings.
    """

    def __init__(self, detail: str, *, retry_after: int | None = None) -> None:
        super().__init__(detail)
        self.retry_after = retry_after


class QueueFull(RetryLater):
    """As many requests are in flight as the queue admits."""


class OutOfMemory(RetryLater):
    """The device has too little memory left for the image."""


class RateLimited(RetryLater):
    """The client exceeds the rate limit."""


class NotDrawn(RetryLater):
    """The process that draws contact sheets and pages died repeatedly or was too slow."""


class NotReady(RetryLater):
    """The models are not loaded yet or cannot be, the device failed, or the service is shutting down."""
