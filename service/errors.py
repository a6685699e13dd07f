"""Exceptions of the service. `service/http/problems.py` maps each to a response."""

from models.errors import ColorCNNError


class MalformedUpload(ColorCNNError):
    """The request body is not the multipart form that its Content-Type announces."""


class BadUpload(ColorCNNError):
    """The form is well made, but does not hold one image, or as many as are taken, in the field `file`."""


class NotAcceptable(ColorCNNError):
    """The Accept header rules out every media type that the endpoint can answer with."""


class UploadTimeout(ColorCNNError):
    """The client took longer than the limit to send its request body."""


class OutOfTime(ColorCNNError):
    """A request was not worked off in time, or a benchmark had to end before this row of it."""


class Unauthorized(ColorCNNError):
    """The request carries no API key, or one that is not accepted (`error` as in RFC 6750, section 3.1)."""

    def __init__(self, detail: str, *, error: str | None = None) -> None:
        super().__init__(detail)
        self.challenge = "Bearer" + (f' error="{error}"' if error else "")


class RetryLater(ColorCNNError):
    """The service cannot take the request now.

    retry_after: seconds that the client should wait; None for the time that the settings name.
    """

    def __init__(self, detail: str, *, retry_after: int | None = None) -> None:
        super().__init__(detail)
        self.retry_after = retry_after


class QueueFull(RetryLater):
    """As many requests as the queue holds are inside already."""


class OutOfMemory(RetryLater):
    """The device has too little memory left for the image."""


class RateLimited(RetryLater):
    """The client asks more often than the rate limit allows."""


class NotDrawn(RetryLater):
    """The process that draws contact sheets and pages was killed again and again, or was too slow."""


class NotReady(RetryLater):
    """The models are not loaded yet or could not be, the device failed, or the service is shutting down."""
