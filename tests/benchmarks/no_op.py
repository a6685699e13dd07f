"""A route that reads and checks an upload as /quantize does, and does no work on it."""

from starlette.responses import Response

from service.api.dependencies import QuantizeMediaType, QuantizeParameters, QuantizeUpload


async def no_op(upload: QuantizeUpload, options: QuantizeParameters, media_type: QuantizeMediaType) -> Response:
    """Return one word after the same dependencies as /quantize."""
    return Response(b"done", media_type="text/plain")
